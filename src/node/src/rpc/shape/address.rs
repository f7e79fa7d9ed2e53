//! Addresses: text to output script and back, with Bitcoin Core's wording of what is wrong.
//!
//! Kept apart from the library's `Address` type because a node's answers name the fault and its place; the library
//! parses only what is right.

use bitcoin::base58;
use bitcoin::blockdata::script::witness_program::WitnessProgram;
use bitcoin::blockdata::script::witness_version::WitnessVersion;
use bitcoin::{Address, Network, NetworkKind, PubkeyHash, Script, ScriptBuf, ScriptHash};
use serde_json::{Map, Value, json};

use super::bech32::{self, Variant};

/// Longest base58 text looked at: beyond it no 100 bytes can fit.
const MAX_BASE58_LEN: usize = 140;

/// Why a text is not an address of this chain.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AddressError {
    /// Text as Bitcoin Core words it.
    pub message: String,
    /// Positions that are probably wrong, if known.
    pub positions: Vec<usize>,
}

impl From<String> for AddressError {
    fn from(message: String) -> Self {
        Self { message, positions: vec![] }
    }
}

impl From<&str> for AddressError {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

/// Returns the human-readable part of the chain's segwit addresses.
fn hrp(network: Network) -> &'static str {
    match network {
        Network::Bitcoin => "bc",
        Network::Testnet | Network::Testnet4 | Network::Signet => "tb",
        Network::Regtest => "bcrt",
    }
}

/// Returns the output script an address stands for.
pub(crate) fn decode(text: &str, network: Network) -> Result<ScriptBuf, AddressError> {
    let hrp = hrp(network);
    if text.as_bytes().get(..hrp.len()).is_some_and(|start| start.eq_ignore_ascii_case(hrp.as_bytes())) {
        decode_segwit(text, hrp)
    } else {
        decode_base58(text, network)
    }
}

fn decode_base58(text: &str, network: Network) -> Result<ScriptBuf, AddressError> {
    const NOT_AN_ENCODING: &str = "Invalid or unsupported Segwit (Bech32) or Base58 encoding.";
    let text = text.trim_matches([' ', '\x0c', '\n', '\r', '\t', '\x0b']);
    if text.len() > MAX_BASE58_LEN {
        return Err(NOT_AN_ENCODING.into());
    }
    let payload = match base58::decode_check(text) {
        Ok(payload) if payload.len() <= 21 => payload,
        _ => {
            return Err(match base58::decode(text) {
                Ok(bytes) if bytes.len() <= 100 => "Invalid checksum or length of Base58 address (P2PKH or P2SH)",
                _ => NOT_AN_ENCODING,
            }
            .into());
        }
    };
    let (key_prefix, script_prefix) = match NetworkKind::from(network) {
        NetworkKind::Main => (0, 5),
        NetworkKind::Test => (111, 196),
    };
    match payload.split_first() {
        Some((prefix, hash)) if *prefix == key_prefix || *prefix == script_prefix => {
            let hash: [u8; 20] =
                hash.try_into().map_err(|_| AddressError::from("Invalid length for Base58 address (P2PKH or P2SH)"))?;
            Ok(if *prefix == key_prefix {
                ScriptBuf::new_p2pkh(&PubkeyHash::from_raw_hash(bitcoin::hashes::Hash::from_byte_array(hash)))
            } else {
                ScriptBuf::new_p2sh(&ScriptHash::from_raw_hash(bitcoin::hashes::Hash::from_byte_array(hash)))
            })
        }
        _ => Err("Invalid or unsupported Base58-encoded address.".into()),
    }
}

fn decode_segwit(text: &str, expected_hrp: &str) -> Result<ScriptBuf, AddressError> {
    let decoded = bech32::decode(text)
        .map_err(|fault| AddressError { message: fault.message.to_owned(), positions: fault.positions })?;
    let Some((version, groups)) = decoded.data.split_first() else {
        return Err("Empty Bech32 data section".into());
    };
    if decoded.hrp != expected_hrp {
        return Err(format!(
            "Invalid or unsupported prefix for Segwit (Bech32) address (expected {expected_hrp}, got {}).",
            decoded.hrp
        )
        .into());
    }
    match (*version, decoded.variant) {
        (0, Variant::Bech32m) => return Err("Version 0 witness address must use Bech32 checksum".into()),
        (1.., Variant::Bech32) => return Err("Version 1+ witness address must use Bech32m checksum".into()),
        _ => {}
    }
    let program = bech32::to_bytes(groups).ok_or("Invalid padding in Bech32 data section")?;
    let bytes = if program.len() == 1 { "byte" } else { "bytes" };
    if *version == 0 && !matches!(program.len(), 20 | 32) {
        return Err(format!("Invalid Bech32 v0 address program size ({} {bytes}), per BIP141", program.len()).into());
    }
    let version = WitnessVersion::try_from(*version).map_err(|_| "Invalid Bech32 address witness version")?;
    let program = WitnessProgram::new(version, &program)
        .map_err(|_| format!("Invalid Bech32 address program size ({} {bytes})", program.len()))?;
    Ok(ScriptBuf::new_witness_program(&program))
}

/// Returns the address of an output script, if it has one.
pub(crate) fn encode(script: &Script, network: Network) -> Option<String> {
    Address::from_script(script, network).ok().map(|address| address.to_string())
}

/// Describes the script of a valid address: `isscript`, `iswitness`, `witness_version`, `witness_program`.
pub(crate) fn describe(script: &Script) -> Map<String, Value> {
    use bitcoin::hex::DisplayHex;
    let mut out = Map::new();
    if !script.is_witness_program() {
        out.insert("isscript".into(), json!(script.is_p2sh()));
        out.insert("iswitness".into(), json!(false));
        return out;
    }
    let program = &script.as_bytes()[2..];
    let version = script.witness_version().map_or(0, WitnessVersion::to_num);
    let anchor = super::script::is_anchor(script);
    match version {
        0 => {
            out.insert("isscript".into(), json!(program.len() == 32));
        }
        1 if program.len() == 32 || anchor => {
            out.insert("isscript".into(), json!(true));
        }
        _ => {}
    }
    out.insert("iswitness".into(), json!(true));
    if !anchor {
        out.insert("witness_version".into(), json!(version));
        out.insert("witness_program".into(), json!(program.to_lower_hex_string()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_addresses_are_explained() {
        let check = |text: &str, network: Network, message: &str| {
            assert_eq!(decode(text, network).expect_err(text).message, message, "{text}");
        };
        use Network::{Bitcoin, Regtest};
        check(
            "tc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg3g4ty",
            Bitcoin,
            "Invalid or unsupported Segwit (Bech32) or Base58 encoding.",
        );
        check("bc1gmk9yu", Bitcoin, "Empty Bech32 data section");
        check(
            "BC13W508D6QEJXTDG4Y5R3ZARVARY0C5XW7KN40WF2",
            Bitcoin,
            "Version 1+ witness address must use Bech32m checksum",
        );
        check(
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",
            Bitcoin,
            "Version 0 witness address must use Bech32 checksum",
        );
        check(
            "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",
            Bitcoin,
            "Invalid Bech32 v0 address program size (16 bytes), per BIP141",
        );
        check(
            "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R",
            Bitcoin,
            "Invalid Bech32 address witness version",
        );
        check("bc1pw5dgrnzv", Bitcoin, "Invalid Bech32 address program size (1 byte)");
        check(
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf",
            Bitcoin,
            "Invalid padding in Bech32 data section",
        );
        check("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", Regtest, "Invalid or unsupported Base58-encoded address.");
        check(
            "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJJfn",
            Regtest,
            "Invalid checksum or length of Base58 address (P2PKH or P2SH)",
        );
        check(
            "2VKf7XKMrp4bVNVmuRbyCewkP8FhGLP2E54LHDPakr9Sq5mtU2",
            Regtest,
            "Invalid checksum or length of Base58 address (P2PKH or P2SH)",
        );
        check("asfah14i8fajz0123f", Regtest, "Invalid or unsupported Segwit (Bech32) or Base58 encoding.");
        check("", Regtest, "Invalid checksum or length of Base58 address (P2PKH or P2SH)");
        check("ä", Regtest, "Invalid or unsupported Segwit (Bech32) or Base58 encoding.");
    }

    #[test]
    fn right_addresses_round_trip() {
        let check = |text: &str, network: Network, script: &str, description: Value| {
            let decoded = decode(text, network).expect(text);
            assert_eq!(decoded.to_hex_string(), script);
            assert_eq!(encode(&decoded, network).expect("has an address"), text.to_lowercase_if_bech32());
            assert_eq!(Value::Object(describe(&decoded)), description);
        };
        use Network::{Bitcoin, Regtest};
        check(
            "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
            Bitcoin,
            "0014751e76e8199196d454941c45d1b3a323f1433bd6",
            json!({"isscript": false, "iswitness": true, "witness_version": 0,
                   "witness_program": "751e76e8199196d454941c45d1b3a323f1433bd6"}),
        );
        check(
            "BC1SW50QGDZ25J",
            Bitcoin,
            "6002751e",
            json!({"iswitness": true, "witness_version": 16, "witness_program": "751e"}),
        );
        check("bc1pfeessrawgf", Bitcoin, "51024e73", json!({"isscript": true, "iswitness": true}));
        check(
            "mneYUmWYsuk7kySiURxCi3AGxrAqZxLgPZ",
            Regtest,
            "76a9144e3854046c7bd1594ac904e4793b6a45b36dea0988ac",
            json!({"isscript": false, "iswitness": false}),
        );
    }

    trait Lower {
        fn to_lowercase_if_bech32(&self) -> String;
    }

    impl Lower for &str {
        fn to_lowercase_if_bech32(&self) -> String {
            if self.to_lowercase().starts_with("bc1") { self.to_lowercase() } else { (*self).to_owned() }
        }
    }
}
