//! `decodescript`.

use bitcoin::hashes::Hash;
use bitcoin::{PubkeyHash, Script, ScriptBuf, WPubkeyHash};
use rpc::{Arg, ArgType, Call, Command, Res, RpcResult, example_cli, example_rpc, json as values};
use serde_json::json;

use crate::NodeContext;
use crate::rpc::shape::script::{self, Kind};
use crate::rpc::shape::{address, descriptor};

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "decodescript",
    category: "rawtransactions",
    args: &[Arg::required("hexstring", ArgType::StrHex, "The script in hex; may be empty")],
    description: "Returns a script as an object.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::str("asm", "Disassembly of the script"),
            Res::str("desc", "Descriptor inferred from the script"),
            Res::str("type", "The standard form, e.g. witness_v0_keyhash, or nonstandard"),
            Res::str("address", "The address, if the script has one").optional(),
            Res::str("p2sh", "Address of the script as a P2SH script (only for types that can be)").optional(),
            Res::obj(
                "segwit",
                "The script as a witness script (only for types that can be)",
                &[
                    Res::str("asm", "Disassembly of the output script"),
                    Res::hex("hex", "The output script in hex"),
                    Res::str("type", "The standard form of the output script"),
                    Res::str("address", "The address, if the output script has one").optional(),
                    Res::str("desc", "Descriptor inferred from the output script"),
                    Res::str("p2sh-segwit", "Address of the output script as a P2SH script"),
                ],
            )
            .optional(),
        ],
    )],
    examples: &[example_cli!("decodescript", "\"hexstring\""), example_rpc!("decodescript", "\"hexstring\"")],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let network = ctx.chain.network();
    let bytes = match call.str("hexstring")? {
        "" => vec![],
        _ => values::parse_hex(call.value("hexstring"), "argument")?,
    };
    let script = ScriptBuf::from(bytes);
    let p2sh = |script: &Script| address::encode(&script.to_p2sh(), network);
    let mut out = script::to_json_without_hex(&script, network);
    let kind = Kind::of(&script);
    if can_wrap(&script, &kind) {
        out.insert("p2sh".into(), json!(p2sh(&script)));
        if let Some((witness, desc)) = as_witness(&script, &kind) {
            let mut segwit = script::to_json(&witness, network);
            if let Some(desc) = desc {
                segwit.insert("desc".into(), json!(desc));
            }
            segwit.insert("p2sh-segwit".into(), json!(p2sh(&witness)));
            out.insert("segwit".into(), segwit.into());
        }
    }
    Ok(out.into())
}

/// Says whether a script makes sense inside P2SH.
fn can_wrap(script: &Script, kind: &Kind) -> bool {
    let wrappable = match kind {
        Kind::Multisig(..)
        | Kind::NonStandard
        | Kind::PubKey(_)
        | Kind::PubKeyHash
        | Kind::WitnessPubKeyHash
        | Kind::WitnessScriptHash => true,
        Kind::NullData | Kind::ScriptHash | Kind::WitnessUnknown | Kind::Taproot(_) | Kind::Anchor => false,
    };
    wrappable && script::has_valid_ops(script) && !script::is_unspendable(script) && !script::has_tapscript_ops(script)
}

/// Returns the witness output script for a script, and its descriptor where the script itself tells it.
fn as_witness(script: &Script, kind: &Kind) -> Option<(ScriptBuf, Option<String>)> {
    match kind {
        Kind::PubKey(key) if key.len() == 33 => {
            let hash = WPubkeyHash::from_raw_hash(PubkeyHash::hash(key).to_raw_hash());
            Some((ScriptBuf::new_p2wpkh(&hash), None))
        }
        Kind::PubKeyHash => {
            let hash = WPubkeyHash::from_slice(script.as_bytes().get(3..23)?).ok()?;
            Some((ScriptBuf::new_p2wpkh(&hash), None))
        }
        Kind::Multisig(required, keys) if keys.iter().all(|key| key.len() == 33) => {
            use bitcoin::hex::DisplayHex;
            let keys: Vec<String> = keys.iter().map(|key| key.to_lower_hex_string()).collect();
            let desc = format!("wsh(multi({required},{}))", keys.join(","));
            Some((script.to_p2wsh(), Some(descriptor::with_checksum(&desc))))
        }
        Kind::NonStandard => {
            let desc = descriptor::infer_witness_script(script).map(|desc| descriptor::with_checksum(&desc));
            Some((script.to_p2wsh(), desc))
        }
        _ => None,
    }
}
