//! `createmultisig`.

use bitcoin::blockdata::script::Builder;
use bitcoin::hex::{DisplayHex, FromHex};
use bitcoin::opcodes::all::OP_CHECKMULTISIG;
use bitcoin::{PublicKey, ScriptBuf};
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc, json as values};
use serde_json::{Map, Value, json};

use crate::NodeContext;
use crate::rpc::shape::{address, descriptor};
use crate::rpc::support::Result;

/// Most keys of a multisig script.
const MAX_KEYS: usize = 20;
/// Most bytes of a redeem script.
const MAX_REDEEM_SCRIPT: usize = 520;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "createmultisig",
    category: "util",
    args: &[
        Arg::required("nrequired", ArgType::Num, "How many of the keys must sign."),
        Arg::required("keys", ArgType::Arr, "The public keys in hex.").inner(&[Arg::optional(
            "key",
            ArgType::StrHex,
            "A public key in hex",
        )]),
        Arg::or(
            "address_type",
            ArgType::Str,
            "\"legacy\"",
            "The kind of address: \"legacy\", \"p2sh-segwit\" or \"bech32\".",
        ),
    ],
    description: "Makes an address that some of several keys can spend from. Returns it with the script.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::str("address", "The address"),
            Res::hex("redeemScript", "The script in hex"),
            Res::str("descriptor", "The descriptor"),
            Res::arr("warnings", "What did not go as asked", &[Res::str("", "")]).optional(),
        ],
    )],
    examples: &[
        "\nCreate a multisig address from 2 public keys\n",
        example_cli!(
            "createmultisig",
            "2 \"[\\\"03789ed0bb717d88f7d321a368d905e7430207ebbd82bd342cf11ae157a7ace5fd\\\",\
             \\\"03dbc6764b8884a92e871274b87583e6d5c2a58819473e17e107ef3f6aa5a61626\\\"]\""
        ),
        example_rpc!(
            "createmultisig",
            "2, [\"03789ed0bb717d88f7d321a368d905e7430207ebbd82bd342cf11ae157a7ace5fd\",\
             \"03dbc6764b8884a92e871274b87583e6d5c2a58819473e17e107ef3f6aa5a61626\"]"
        ),
    ],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let required = call.int::<i32>("nrequired")?;
    let keys = call.array("keys")?.iter().map(parse_key).collect::<Result<Vec<_>>>()?;
    let kind = match call.str("address_type")? {
        kind @ ("legacy" | "p2sh-segwit" | "bech32") => kind,
        "bech32m" => {
            return Err(RpcError::invalid_address_or_key("createmultisig cannot create bech32m multisig addresses"));
        }
        other => return Err(RpcError::invalid_address_or_key(format!("Unknown address type '{other}'"))),
    };
    // Uncompressed keys cannot be used in witnesses.
    let made = if keys.iter().all(|key| key.compressed) { kind } else { "legacy" };
    let script = multisig(required, &keys, made == "legacy")?;
    let list = keys.iter().map(|key| key.to_bytes().to_lower_hex_string()).collect::<Vec<_>>().join(",");
    let (output, desc) = match made {
        "bech32" => (script.to_p2wsh(), format!("wsh(multi({required},{list}))")),
        "p2sh-segwit" => (script.to_p2wsh().to_p2sh(), format!("sh(wsh(multi({required},{list})))")),
        _ => (script.to_p2sh(), format!("sh(multi({required},{list}))")),
    };
    let mut out = Map::new();
    out.insert("address".into(), json!(address::encode(&output, ctx.chain.network())));
    out.insert("redeemScript".into(), json!(script.to_hex_string()));
    out.insert("descriptor".into(), json!(descriptor::with_checksum(&desc)));
    if made != kind {
        out.insert(
            "warnings".into(),
            json!(["Unable to make chosen address type, please ensure no uncompressed public keys are present."]),
        );
    }
    Ok(Value::Object(out))
}

fn parse_key(value: &Value) -> Result<PublicKey> {
    let text = values::as_str(value)?;
    let refuse = |what: &str| RpcError::invalid_address_or_key(format!("Pubkey \"{text}\" {what}"));
    let bytes =
        Vec::from_hex(text).ok().filter(|bytes| !bytes.is_empty()).ok_or_else(|| refuse("must be a hex string"))?;
    if !matches!(bytes.len(), 33 | 65) {
        return Err(refuse("must have a length of either 33 or 65 bytes"));
    }
    PublicKey::from_slice(&bytes).map_err(|_| refuse("must be cryptographically valid."))
}

/// Makes the script. One that P2SH reveals as a whole must fit into a push.
fn multisig(required: i32, keys: &[PublicKey], revealed: bool) -> Result<ScriptBuf> {
    if required < 1 {
        return Err(RpcError::invalid_parameter("a multisignature address must require at least one key to redeem"));
    }
    if usize::try_from(required).is_ok_and(|required| keys.len() < required) {
        return Err(RpcError::invalid_parameter(format!(
            "not enough keys supplied (got {} keys, but need at least {required} to redeem)",
            keys.len()
        )));
    }
    if keys.len() > MAX_KEYS {
        return Err(RpcError::invalid_parameter(format!(
            "Number of keys involved in the multisignature address creation > {MAX_KEYS}\nReduce the number"
        )));
    }
    let script = keys
        .iter()
        .fold(Builder::new().push_int(required.into()), |script, key| script.push_key(key))
        .push_int(keys.len() as i64)
        .push_opcode(OP_CHECKMULTISIG)
        .into_script();
    if revealed && script.len() > MAX_REDEEM_SCRIPT {
        return Err(RpcError::invalid_parameter(format!(
            "redeemScript exceeds size limit: {} > {MAX_REDEEM_SCRIPT}",
            script.len()
        )));
    }
    Ok(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals() {
        let key = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
        let check = |required: i32, keys: &[&str], message: &str| {
            let result = keys.iter().map(|key| parse_key(&json!(key))).collect::<Result<Vec<_>>>();
            let error = result.and_then(|keys| multisig(required, &keys, true)).expect_err(message);
            assert_eq!(error.message, message);
        };
        check(0, &[key], "a multisignature address must require at least one key to redeem");
        check(2, &[key], "not enough keys supplied (got 1 keys, but need at least 2 to redeem)");
        check(1, &[key; 21], "Number of keys involved in the multisignature address creation > 20\nReduce the number");
        check(1, &[key; 16], "redeemScript exceeds size limit: 547 > 520");
        check(1, &["x"], "Pubkey \"x\" must be a hex string");
        check(1, &["02"], "Pubkey \"02\" must have a length of either 33 or 65 bytes");
        let off_curve = format!("02{}", "ff".repeat(32));
        check(1, &[&off_curve], &format!("Pubkey \"{off_curve}\" must be cryptographically valid."));
    }
}
