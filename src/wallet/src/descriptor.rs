//! Output descriptors as a wallet stores them: text with numbered key expressions in it.
//!
//! rust-miniscript compiles scripts and satisfies them; this thin layer around it derives the keys (see [`key`]), and
//! handles what rust-miniscript lacks: `combo()`, `raw()`, `addr()`, `rawtr()` and Bitcoin Core's spelling, from which
//! descriptor ids are computed.
//!
//! **Invariant:** the same descriptor always has the same text and id, whether private keys are known or not.

use std::fmt;
use std::str::FromStr;

use bitcoin::hashes::{Hash, sha256};
use bitcoin::hex::{DisplayHex, FromHex};
use bitcoin::key::TapTweak;
use bitcoin::secp256k1::{All, Secp256k1, SecretKey};
use bitcoin::{Address, Network, NetworkKind, PublicKey, ScriptBuf};
use miniscript::descriptor::checksum::Engine;

pub(crate) mod cache;
pub(crate) mod key;
mod parse;

use cache::Cache;
use key::{Form, FoundSecret, KeyExpression, KeyOrigin, Secrets, constant_text};

/// Why a text is no descriptor; the text is Bitcoin Core's where it has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ParseError(String);

impl ParseError {
    fn key(text: impl fmt::Display) -> Self {
        ParseError(text.to_string())
    }
}

/// Identifies a descriptor: SHA-256 of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct DescriptorId(pub(crate) [u8; 32]);

impl DescriptorId {
    fn of_text(text: &str) -> Self {
        DescriptorId(sha256::Hash::hash(text.as_bytes()).to_byte_array())
    }
}

impl fmt::Display for DescriptorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Printed like every 256-bit hash: last byte first.
        self.0.iter().rev().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Which keys a position in a descriptor takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    /// Any public key.
    Legacy,
    /// Compressed public keys.
    Segwit,
    /// X-only public keys.
    Taproot,
}

impl Context {
    fn x_only(self) -> bool {
        self == Context::Taproot
    }

    fn uncompressed(self) -> bool {
        self == Context::Legacy
    }
}

/// Kind of output scripts, in the numbering of wallet records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum OutputType {
    /// P2PKH and bare P2SH.
    Legacy = 0,
    /// Segwit inside P2SH.
    P2shSegwit = 1,
    /// Segwit version 0.
    Bech32 = 2,
    /// Segwit version 1.
    Bech32m = 3,
}

impl OutputType {
    /// All kinds, in the order wallets make descriptors for them.
    pub(crate) const ALL: [OutputType; 4] =
        [OutputType::Legacy, OutputType::P2shSegwit, OutputType::Bech32, OutputType::Bech32m];

    /// Returns the kind with this number.
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        OutputType::ALL.get(usize::from(number)).copied()
    }

    /// Name in options and RPC arguments.
    pub(crate) fn name(self) -> &'static str {
        match self {
            OutputType::Legacy => "legacy",
            OutputType::P2shSegwit => "p2sh-segwit",
            OutputType::Bech32 => "bech32",
            OutputType::Bech32m => "bech32m",
        }
    }

    /// Returns the kind with this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        OutputType::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Pk,
    Pkh,
    Wpkh,
    ShWpkh,
    /// `tr()` without scripts.
    TrKey,
    RawTr,
    Combo,
    /// `raw()` and `addr()`: the script itself, without a way to spend it.
    Script(ScriptBuf),
    /// Everything that rust-miniscript compiles.
    Miniscript(Option<OutputType>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Key(usize),
}

/// A parsed descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Descriptor {
    kind: Kind,
    pieces: Vec<Piece>,
    keys: Vec<(KeyExpression, Context)>,
    network: NetworkKind,
}

/// A descriptor as a user gave it: public part and the private keys that were in it.
#[derive(Debug, Clone)]
pub(crate) struct Parsed {
    /// The descriptor; two if it had multipath steps.
    pub(crate) descriptors: Vec<Descriptor>,
    /// Private keys found in it.
    pub(crate) secrets: Vec<FoundSecret>,
}

/// One output script of a descriptor and how it is made.
#[derive(Debug, Clone)]
pub(crate) struct Expanded {
    /// Output scripts; several for `combo()`.
    pub(crate) scripts: Vec<ScriptBuf>,
    /// Derived public key of each key expression.
    pub(crate) keys: Vec<PublicKey>,
}

/// A descriptor of one output script with all keys derived.
#[derive(Debug, Clone)]
pub(crate) enum Concrete {
    /// Satisfied by rust-miniscript.
    Miniscript(Box<miniscript::Descriptor<PublicKey>>),
    /// Satisfied by one Schnorr signature with the key as it is.
    RawTaproot(PublicKey),
    /// Cannot be satisfied: nothing is known but the script.
    Opaque,
}

impl Descriptor {
    /// Parses a descriptor as it is stored: one descriptor, checksum optional.
    pub(crate) fn parse_stored(text: &str, network: Network) -> Result<Self, ParseError> {
        let mut parsed = Descriptor::parse(text, network, false)?.descriptors;
        match (parsed.pop(), parsed.is_empty()) {
            (Some(descriptor), true) => Ok(descriptor),
            _ => Err(ParseError::key("Can't load a multipath descriptor from databases")),
        }
    }

    /// Computes the id that versions before this one gave to a text: that of its spelling as typed, keys apart.
    pub(crate) fn id_as_typed(text: &str, network: Network) -> Option<DescriptorId> {
        parse::id_as_typed(text, network)
    }

    /// Parses a descriptor as users write it, private keys and multipath steps included.
    pub(crate) fn parse(text: &str, network: Network, require_checksum: bool) -> Result<Parsed, ParseError> {
        parse::parse(text, network, require_checksum)
    }

    /// The descriptor's id.
    pub(crate) fn id(&self) -> DescriptorId {
        DescriptorId::of_text(&self.text(Form::Compat).expect("only the normalised form can fail"))
    }

    /// Writes it in its public form with checksum.
    pub(crate) fn public_text(&self) -> String {
        self.text(Form::Public).expect("only the normalised form can fail")
    }

    /// Writes it with checksum. `None` if the normalised form needs what the cache does not have.
    pub(crate) fn text(&self, form: Form<'_>) -> Option<String> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(part) => text.push_str(part),
                Piece::Key(number) => text.push_str(&self.keys[*number].0.text(*number as u32, self.network, form)?),
            }
        }
        Some(with_checksum(&text))
    }

    /// Says whether it stands for scripts per index.
    pub(crate) fn is_ranged(&self) -> bool {
        self.keys.iter().any(|(key, _)| key.is_ranged())
    }

    /// Says whether an index has exactly one script, so that it can hand out addresses.
    pub(crate) fn is_single_type(&self) -> bool {
        self.kind != Kind::Combo
    }

    /// Says whether coins can be spent, given the keys.
    pub(crate) fn is_solvable(&self) -> bool {
        !matches!(self.kind, Kind::Script(_))
    }

    /// Says whether all keys can be derived without private keys or cache.
    pub(crate) fn self_expanding(&self) -> bool {
        self.keys.iter().all(|(key, _)| key.self_expanding())
    }

    /// Kind of its outputs, if they have one.
    pub(crate) fn output_type(&self) -> Option<OutputType> {
        match &self.kind {
            Kind::Pk | Kind::Combo => None,
            Kind::Pkh => Some(OutputType::Legacy),
            Kind::ShWpkh => Some(OutputType::P2shSegwit),
            Kind::Wpkh => Some(OutputType::Bech32),
            Kind::TrKey | Kind::RawTr => Some(OutputType::Bech32m),
            Kind::Script(script) => output_type_of(script),
            Kind::Miniscript(kind) => *kind,
        }
    }

    /// Derives the scripts at `index`; what was derived on the way goes to `learned`. `None` if a private key is
    /// missing.
    pub(crate) fn expand(
        &self,
        secp: &Secp256k1<All>,
        index: u32,
        cache: &Cache,
        secrets: Secrets<'_>,
        learned: &mut Cache,
    ) -> Option<Expanded> {
        let keys = self
            .keys
            .iter()
            .enumerate()
            .map(|(number, (key, _))| key.public_key(secp, number as u32, index, cache, secrets, learned))
            .collect::<Option<Vec<_>>>()?;
        let scripts = match (&self.kind, keys.first()) {
            (Kind::Script(script), _) => vec![script.clone()],
            (Kind::Miniscript(_), _) => vec![self.compile(&keys)?.script_pubkey()],
            (Kind::Combo, Some(key)) => {
                let mut scripts = vec![ScriptBuf::new_p2pk(key), ScriptBuf::new_p2pkh(&key.pubkey_hash())];
                if let Ok(hash) = key.wpubkey_hash() {
                    let witness = ScriptBuf::new_p2wpkh(&hash);
                    let wrapped = ScriptBuf::new_p2sh(&witness.script_hash());
                    scripts.extend([witness, wrapped]);
                }
                scripts
            }
            (kind, Some(key)) => vec![single_key_script(secp, kind, key)?],
            (_, None) => return None,
        };
        Some(Expanded { scripts, keys })
    }

    /// Returns how to spend script number `position` of an index, its keys derived.
    pub(crate) fn concrete(&self, keys: &[PublicKey], position: usize) -> Concrete {
        let first = keys.first().copied();
        let made = match (&self.kind, first) {
            (Kind::Script(_), _) | (_, None) => return Concrete::Opaque,
            (Kind::RawTr, Some(key)) => return Concrete::RawTaproot(key),
            (Kind::Miniscript(_), _) => self.compile(keys),
            (Kind::Pk, Some(key)) => Some(miniscript::Descriptor::new_pk(key)),
            (Kind::Pkh, Some(key)) => miniscript::Descriptor::new_pkh(key).ok(),
            (Kind::Wpkh, Some(key)) => miniscript::Descriptor::new_wpkh(key).ok(),
            (Kind::ShWpkh, Some(key)) => miniscript::Descriptor::new_sh_wpkh(key).ok(),
            (Kind::TrKey, Some(key)) => miniscript::Descriptor::new_tr(key, None).ok(),
            (Kind::Combo, Some(key)) => match position {
                0 => Some(miniscript::Descriptor::new_pk(key)),
                1 => miniscript::Descriptor::new_pkh(key).ok(),
                2 => miniscript::Descriptor::new_wpkh(key).ok(),
                _ => miniscript::Descriptor::new_sh_wpkh(key).ok(),
            },
        };
        made.map_or(Concrete::Opaque, |descriptor| Concrete::Miniscript(Box::new(descriptor)))
    }

    /// Writes the descriptor of one script: derived keys, each with its origin.
    pub(crate) fn inferred_text(&self, keys: &[PublicKey], index: u32, position: usize) -> Option<String> {
        if !self.is_solvable() {
            return None;
        }
        let key_text = |number: usize| {
            let (expression, context) = self.keys.get(number)?;
            let origin = expression.origin(index);
            let key = constant_text(keys.get(number)?, context.x_only());
            Some(format!("[{}{}]{key}", origin.fingerprint, key::path_text(&origin.path, 'h')))
        };
        let text = if self.kind == Kind::Combo {
            let key = key_text(0)?;
            match position {
                0 => format!("pk({key})"),
                1 => format!("pkh({key})"),
                2 => format!("wpkh({key})"),
                _ => format!("sh(wpkh({key}))"),
            }
        } else {
            self.pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Text(part) => Some(part.clone()),
                    Piece::Key(number) => key_text(*number),
                })
                .collect::<Option<String>>()?
        };
        Some(with_checksum(&text))
    }

    /// Returns the origin of each key at `index`.
    pub(crate) fn origins(&self, index: u32) -> Vec<KeyOrigin> {
        self.keys.iter().map(|(key, _)| key.origin(index)).collect()
    }

    /// Public keys whose private keys spend everything the descriptor stands for.
    pub(crate) fn root_keys(&self) -> Vec<PublicKey> {
        self.keys.iter().map(|(key, _)| key.root_key()).collect()
    }

    /// Derives the private keys at `index`, in key order; `None` for those not at hand.
    pub(crate) fn secret_keys(
        &self,
        secp: &Secp256k1<All>,
        index: u32,
        secrets: Secrets<'_>,
    ) -> Vec<Option<SecretKey>> {
        self.keys.iter().map(|(key, _)| key.secret_key(secp, index, secrets)).collect()
    }

    /// Hands the descriptor with its keys derived to rust-miniscript.
    fn compile(&self, keys: &[PublicKey]) -> Option<miniscript::Descriptor<PublicKey>> {
        let text: String = self
            .pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(part) => part.clone(),
                Piece::Key(number) => keys.get(*number).map(PublicKey::to_string).unwrap_or_default(),
            })
            .collect();
        miniscript::Descriptor::from_str(&text).ok()
    }
}

/// Builds the default descriptor of a kind from a master key, along the BIP44/49/84/86 path of its first account.
pub(crate) fn default_descriptor(
    master: &bitcoin::bip32::Xpub,
    kind: OutputType,
    internal: bool,
    network: Network,
) -> Descriptor {
    let purpose = match kind {
        OutputType::Legacy => 44,
        OutputType::P2shSegwit => 49,
        OutputType::Bech32 => 84,
        OutputType::Bech32m => 86,
    };
    let coin = u32::from(network != Network::Bitcoin);
    let key = format!("{master}/{purpose}h/{coin}h/0h/{}/*", u32::from(internal));
    let text = match kind {
        OutputType::Legacy => format!("pkh({key})"),
        OutputType::P2shSegwit => format!("sh(wpkh({key}))"),
        OutputType::Bech32 => format!("wpkh({key})"),
        OutputType::Bech32m => format!("tr({key})"),
    };
    Descriptor::parse_stored(&text, network).expect("built from a valid key of this network")
}

/// Kind of a script's address.
pub(crate) fn output_type_of(script: &ScriptBuf) -> Option<OutputType> {
    if script.is_p2pkh() || script.is_p2sh() {
        Some(OutputType::Legacy)
    } else if script.is_p2wpkh() || script.is_p2wsh() {
        Some(OutputType::Bech32)
    } else if script.is_p2tr() || script.is_witness_program() {
        Some(OutputType::Bech32m)
    } else {
        None
    }
}

/// Appends the checksum.
fn with_checksum(text: &str) -> String {
    let checksum = checksum(text).expect("descriptor texts consist of descriptor characters");
    format!("{text}#{checksum}")
}

/// Computes the checksum of a text (BIP380). `None` if it has characters that descriptors do not have.
fn checksum(text: &str) -> Option<String> {
    let mut engine = Engine::new();
    engine.input(text).ok()?;
    Some(engine.checksum())
}

fn single_key_script(secp: &Secp256k1<All>, kind: &Kind, key: &PublicKey) -> Option<ScriptBuf> {
    Some(match kind {
        Kind::Pk => ScriptBuf::new_p2pk(key),
        Kind::Pkh => ScriptBuf::new_p2pkh(&key.pubkey_hash()),
        Kind::Wpkh => ScriptBuf::new_p2wpkh(&key.wpubkey_hash().ok()?),
        Kind::ShWpkh => ScriptBuf::new_p2sh(&ScriptBuf::new_p2wpkh(&key.wpubkey_hash().ok()?).script_hash()),
        Kind::TrKey => ScriptBuf::new_p2tr(secp, key.inner.x_only_public_key().0, None),
        Kind::RawTr => ScriptBuf::new_p2tr_tweaked(key.inner.x_only_public_key().0.dangerous_assume_tweaked()),
        Kind::Combo | Kind::Script(_) | Kind::Miniscript(_) => return None,
    })
}

/// Reads the script of `raw()` or `addr()`, and how Bitcoin Core writes the argument.
fn opaque_script(name: &str, argument: &str, network: Network) -> Result<(ScriptBuf, String), ParseError> {
    if name == "raw" {
        let bytes = Vec::<u8>::from_hex(argument).ok().filter(|bytes| !bytes.is_empty());
        let bytes = bytes.ok_or_else(|| ParseError::key("Raw script is not hex"))?;
        let text = bytes.to_lower_hex_string();
        return Ok((ScriptBuf::from_bytes(bytes), text));
    }
    Address::from_str(argument)
        .ok()
        .and_then(|address| address.require_network(network).ok())
        .map(|address| (address.script_pubkey(), address.to_string()))
        .ok_or_else(|| ParseError::key("Address is not valid"))
}

#[cfg(test)]
mod tests;
