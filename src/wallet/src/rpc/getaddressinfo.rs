//! `getaddressinfo`

use bitcoin::hex::DisplayHex;
use bitcoin::{Address, AddressType, Network, PublicKey, ScriptBuf};
use rpc::command::{example_cli, example_rpc};
use rpc::{Arg, ArgType, Command, Res, RpcError};
use serde_json::{Map, Value};

use super::decoded::is_anchor;
use super::{CATEGORY, parse_address, wallet};
use crate::descriptor::key::{Form, path_text};
use crate::loader::Loader;
use crate::state::State;

/// Fields of the address itself; the same for one inside a script hash.
macro_rules! address_fields {
    ($($more:expr),* $(,)?) => {
        &[
            Res::str("address", "The bitcoin address").optional(),
            Res::hex("scriptPubKey", "The output script").optional(),
            Res::bool("isscript", "If it is a script hash").optional(),
            Res::bool("iswitness", "If it is a witness address").optional(),
            Res::num("witness_version", "The version of the witness program").optional(),
            Res::hex("witness_program", "The witness program").optional(),
            Res::str("script", "Type of the script inside, if known: nonstandard, pubkey, pubkeyhash, scripthash, multisig, nulldata, witness_v0_keyhash, witness_v0_scripthash, witness_unknown").optional(),
            Res::hex("hex", "The script inside, if known").optional(),
            Res::arr("pubkeys", "The keys of a multisig script", &[Res::str("pubkey", "")]).optional(),
            Res::num("sigsrequired", "Signatures a multisig script requires").optional(),
            Res::hex("pubkey", "The public key of a single-key address").optional(),
            Res::bool("iscompressed", "If the public key is compressed").optional(),
            $($more),*
        ]
    };
}

pub(super) static COMMANDS: &[Command<Loader>] = &[Command {
    name: "getaddressinfo",
    category: CATEGORY,
    args: &[Arg::required("address", ArgType::Str, "The bitcoin address to look up.")],
    description: "Returns what the wallet knows of an address. Some fields are there only for addresses of the wallet.",
    result: &[Res::obj(
        "",
        "",
        address_fields![
            Res::bool("ismine", "If the address is the wallet's"),
            Res::bool("iswatchonly", "(DEPRECATED) Always false"),
            Res::bool("solvable", "If the wallet knows how to spend coins on it, keys aside"),
            Res::str("desc", "A descriptor for spending coins on it (only when solvable)").optional(),
            Res::str("parent_desc", "The wallet's descriptor that makes it").optional(),
            Res::bool("ischange", "If it was made for change"),
            Res::obj("embedded", "The address inside a script hash, if known", address_fields![]).optional(),
            Res::time("timestamp", "When the key was made").optional(),
            Res::str("hdkeypath", "The path of the key").optional(),
            Res::hex("hdseedid", "No longer used").optional(),
            Res::hex("hdmasterfingerprint", "The fingerprint of the master key").optional(),
            Res::arr("labels", "The label of the address, in a list", &[Res::str("label name", "Label")]),
        ],
    )],
    examples: &[
        example_cli!("getaddressinfo", "\"bc1q09vm5lfy0j5reeulh4x5752q25uqqvz34hufdl\""),
        example_rpc!("getaddressinfo", "\"bc1q09vm5lfy0j5reeulh4x5752q25uqqvz34hufdl\""),
    ],
    run: |loader, call| {
        let wallet = wallet(loader, call)?;
        let text = call.str("address")?;
        let state = wallet.state();
        let address = parse_address(text, state.network)
            .ok_or_else(|| RpcError::invalid_address_or_key(invalid_text(text, state.network)))?;
        Ok(describe(&state, &address).into())
    },
}];

/// Says what is wrong with an address, in Bitcoin Core's words.
fn invalid_text(text: &str, network: Network) -> String {
    match text.parse::<Address<_>>() {
        Ok(address) if address.assume_checked_ref().witness_program().is_some() => {
            let prefix = match network {
                Network::Bitcoin => "bc",
                Network::Regtest => "bcrt",
                _ => "tb",
            };
            let given = text.rsplit_once('1').map_or("", |(given, _)| given).to_lowercase();
            format!("Invalid or unsupported prefix for Segwit (Bech32) address (expected {prefix}, got {given}).")
        }
        Ok(_) => "Invalid or unsupported Base58-encoded address.".to_owned(),
        Err(_) => "Invalid or unsupported Segwit (Bech32) or Base58 encoding.".to_owned(),
    }
}

fn describe(state: &State, address: &Address) -> Map<String, Value> {
    let script = address.script_pubkey();
    let mut info = Map::new();
    let put = |info: &mut Map<String, Value>, key: &str, value: Value| drop(info.insert(key.to_owned(), value));
    put(&mut info, "address", address.to_string().into());
    put(&mut info, "scriptPubKey", hex(script.as_bytes()));
    put(&mut info, "ismine", state.is_mine(&script).into());
    let inferred = state.inferred_descriptor(&script);
    put(&mut info, "solvable", inferred.is_some().into());
    if let Some(descriptor) = inferred {
        put(&mut info, "desc", descriptor.into());
    }
    let owner = state.owner(&script);
    if let Some(text) = owner.and_then(|(_, manager)| manager.descriptor().text(Form::Normalized(&manager.cache))) {
        put(&mut info, "parent_desc", text.into());
    }
    put(&mut info, "iswatchonly", false.into());
    info.extend(address_fields_of(address));
    let key = state.single_key(&script);
    info.extend(inside(state, address, key.as_ref().map(|(key, _)| key)));
    put(&mut info, "ischange", state.is_change(&script).into());
    if let (Some((_, manager)), Some((_, origin))) = (owner, &key) {
        put(&mut info, "timestamp", manager.record.creation_time.into());
        put(&mut info, "hdkeypath", format!("m{}", path_text(&origin.path, 'h')).into());
        put(&mut info, "hdseedid", "00".repeat(20).into());
        put(&mut info, "hdmasterfingerprint", origin.fingerprint.to_string().into());
    }
    let label = state.label(&address.to_string());
    put(&mut info, "labels", label.into_iter().collect::<Vec<_>>().into());
    info
}

fn hex(bytes: &[u8]) -> Value {
    bytes.to_lower_hex_string().into()
}

/// What the address itself says.
fn address_fields_of(address: &Address) -> Map<String, Value> {
    let is_script = !matches!(address.address_type(), Some(AddressType::P2pkh | AddressType::P2wpkh));
    let mut fields = Map::new();
    if address.address_type().is_some() {
        fields.insert("isscript".to_owned(), is_script.into());
    }
    let program = address.witness_program();
    fields.insert("iswitness".to_owned(), program.is_some().into());
    // The program of pay-to-anchor says nothing of its own.
    if let Some(program) = program.filter(|_| !is_anchor(&address.script_pubkey())) {
        fields.insert("witness_version".to_owned(), program.version().to_num().into());
        fields.insert("witness_program".to_owned(), hex(program.program().as_bytes()));
    }
    fields
}

/// What is inside the hash, as far as the wallet knows.
fn inside(state: &State, address: &Address, key: Option<&PublicKey>) -> Map<String, Value> {
    let mut fields = Map::new();
    let scripts = state.inner_scripts(&address.script_pubkey());
    let inner = scripts.redeem.or(scripts.witness.clone());
    match (inner, key) {
        (Some(inner), _) => sub_script(state, &inner, scripts.witness.as_ref(), key, &mut fields),
        (None, Some(key)) if matches!(address.address_type(), Some(AddressType::P2pkh | AddressType::P2wpkh)) => {
            fields.insert("pubkey".to_owned(), hex(&key.to_bytes()));
            if address.address_type() == Some(AddressType::P2pkh) {
                fields.insert("iscompressed".to_owned(), key.compressed.into());
            }
        }
        _ => {}
    }
    fields
}

fn sub_script(
    state: &State,
    inner: &ScriptBuf,
    witness: Option<&ScriptBuf>,
    key: Option<&PublicKey>,
    fields: &mut Map<String, Value>,
) {
    let keys = multisig_keys(inner);
    let kind = if inner.is_p2wpkh() {
        "witness_v0_keyhash"
    } else if inner.is_p2wsh() {
        "witness_v0_scripthash"
    } else if keys.is_some() {
        "multisig"
    } else if inner.is_p2pkh() {
        "pubkeyhash"
    } else if inner.is_p2pk() {
        "pubkey"
    } else {
        "nonstandard"
    };
    fields.insert("script".to_owned(), kind.into());
    fields.insert("hex".to_owned(), hex(inner.as_bytes()));
    if let Some((required, keys)) = keys {
        fields.insert("sigsrequired".to_owned(), required.into());
        fields.insert("pubkeys".to_owned(), keys.into());
        return;
    }
    let Ok(embedded) = Address::from_script(inner, state.network) else { return };
    let mut sub = address_fields_of(&embedded);
    if let (true, Some(key)) = (inner.is_p2wpkh(), key) {
        sub.insert("pubkey".to_owned(), hex(&key.to_bytes()));
        fields.insert("pubkey".to_owned(), hex(&key.to_bytes()));
    }
    if let (true, Some(witness)) = (inner.is_p2wsh(), witness) {
        sub_script(state, witness, None, key, &mut sub);
    }
    sub.insert("address".to_owned(), embedded.to_string().into());
    sub.insert("scriptPubKey".to_owned(), hex(inner.as_bytes()));
    fields.insert("embedded".to_owned(), sub.into());
}

/// Number of signatures and keys of a multisig script.
fn multisig_keys(script: &ScriptBuf) -> Option<(u8, Vec<String>)> {
    if !script.is_multisig() {
        return None;
    }
    let pushes = script.instructions().filter_map(Result::ok);
    let keys =
        pushes.filter_map(|instruction| instruction.push_bytes().map(|bytes| bytes.as_bytes().to_lower_hex_string()));
    let required = script.as_bytes().first()?.checked_sub(0x50)?;
    Some((required, keys.filter(|key| !key.is_empty()).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_what_they_are() {
        let check = |text: &str, expected: Value| {
            let address = parse_address(text, Network::Regtest).unwrap();
            assert_eq!(Value::from(address_fields_of(&address)), expected, "{text}");
        };
        let witness = |is_script: bool, version: u8, program: &str| {
            serde_json::json!({
                "isscript": is_script, "iswitness": true, "witness_version": version, "witness_program": program,
            })
        };
        check("bcrt1pfeesnyr2tx", serde_json::json!({"isscript": true, "iswitness": true}));
        check("mneYUmWYsuk7kySiURxCi3AGxrAqZxLgPZ", serde_json::json!({"isscript": false, "iswitness": false}));
        let hash = "751e76e8199196d454941c45d1b3a323f1433bd6";
        check("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", witness(false, 0, hash));
    }
}
