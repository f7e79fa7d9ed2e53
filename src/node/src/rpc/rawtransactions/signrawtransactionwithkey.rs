//! `signrawtransactionwithkey`.

use std::collections::BTreeMap;

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hex::DisplayHex;
use bitcoin::{Amount, NetworkKind, OutPoint, PrivateKey, ScriptBuf, Transaction, TxOut};
use kernel::CoinView;
use rpc::{Arg, ArgType, Call, Command, Default, Res, RpcError, RpcResult, example_cli, example_rpc, json as values};
use serde_json::{Map, Value, json};

use crate::NodeContext;
use crate::rpc::shape::script;
use crate::rpc::shape::transaction::{self, Encoding};
use crate::rpc::support::{Result, engine_error};
use crate::signing::{Input, Keys};

/// The bit of a signature's kind that leaves other inputs open, and the kind that covers one output.
const ANYONE_CAN_PAY: u8 = 0x80;
const SINGLE: u8 = 3;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "signrawtransactionwithkey",
    category: "rawtransactions",
    args: &[
        Arg::required("hexstring", ArgType::Str, "The transaction in hex"),
        Arg::required("privkeys", ArgType::Arr, "The private keys to sign with").inner(&[Arg::optional(
            "privatekey",
            ArgType::StrHex,
            "A private key in base 58",
        )]),
        Arg::optional("prevtxs", ArgType::Arr, "Outputs it spends that are not in the chain yet").inner(&[
            Arg::optional("", ArgType::Obj, "").inner(&[
                Arg::required("txid", ArgType::StrHex, "The transaction id"),
                Arg::required("vout", ArgType::Num, "The output number"),
                Arg::required("scriptPubKey", ArgType::StrHex, "The output script"),
                Arg::optional("redeemScript", ArgType::StrHex, "The redeem script (P2SH needs it)"),
                Arg::optional("witnessScript", ArgType::StrHex, "The witness script (P2WSH and P2SH-P2WSH need it)"),
                Arg::optional("amount", ArgType::Amount, "The amount (inputs with witnesses need it)"),
            ]),
        ]),
        Arg::new(
            "sighashtype",
            ArgType::Str,
            Default::Hint("\"DEFAULT for Taproot, ALL otherwise\""),
            "What signatures cover: \"DEFAULT\", \"ALL\", \"NONE\", \"SINGLE\", \"ALL|ANYONECANPAY\", \
             \"NONE|ANYONECANPAY\" or \"SINGLE|ANYONECANPAY\"",
        ),
    ],
    description: "Signs the inputs of a transaction with these keys and no others.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::hex("hex", "The transaction with its signatures"),
            Res::bool("complete", "Whether no signature is missing"),
            Res::arr(
                "errors",
                "What is wrong with inputs",
                &[Res::obj(
                    "",
                    "",
                    &[
                        Res::hex("txid", "The transaction it spends an output of"),
                        Res::num("vout", "The output number"),
                        Res::arr("witness", "", &[Res::hex("witness", "")]),
                        Res::hex("scriptSig", "The input script"),
                        Res::num("sequence", "The sequence number"),
                        Res::str("error", "What is wrong"),
                    ],
                )],
            )
            .optional(),
        ],
    )],
    examples: &[
        example_cli!("signrawtransactionwithkey", "\"myhex\" \"[\\\"key1\\\",\\\"key2\\\"]\""),
        example_rpc!("signrawtransactionwithkey", "\"myhex\", \"[\\\"key1\\\",\\\"key2\\\"]\""),
    ],
    run,
};

/// Outputs that are spent, as far as they are known, and whether their amount is.
type Spent = BTreeMap<OutPoint, (TxOut, bool)>;

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let transaction = transaction::from_hex(call.str("hexstring")?, Encoding::Either)
        .ok_or_else(|| RpcError::deserialization("TX decode failed. Make sure the tx has at least one input."))?;
    let mut keys = Keys::default();
    for key in call.array("privkeys")? {
        let key = PrivateKey::from_wif(values::as_str(key)?)
            .ok()
            .filter(|key| key.network == NetworkKind::from(ctx.chain.network()))
            .ok_or_else(|| RpcError::invalid_address_or_key("Invalid private key"))?;
        keys.add_key(key);
    }
    let outpoints: Vec<OutPoint> = transaction.input.iter().map(|input| input.previous_output).collect();
    let coins = ctx.kernel.coins(&outpoints, CoinView::WithMempool).map_err(engine_error)?;
    let mut spent: Spent =
        outpoints.iter().zip(coins).filter_map(|(outpoint, coin)| Some((*outpoint, (coin?.output, true)))).collect();
    if let Value::Array(given) = call.value("prevtxs") {
        for output in given {
            add_output(output, &mut spent, &mut keys)?;
        }
    }
    let sighash = parse_sighash(call.value("sighashtype"))?;
    sign(transaction, &keys, &spent, sighash)
}

/// Reads what signatures are to cover; 0 for the default.
fn parse_sighash(value: &Value) -> Result<u8> {
    if value.is_null() {
        return Ok(0);
    }
    let text = values::as_str(value)?;
    let (kind, rest) = text.split_once('|').map_or((text, ""), |(kind, rest)| (kind, rest));
    let base = match kind {
        "DEFAULT" if rest.is_empty() && !text.contains('|') => return Ok(0),
        "ALL" => 1,
        "NONE" => 2,
        "SINGLE" => SINGLE,
        _ => 0,
    };
    match (base, rest) {
        (1.., "") if !text.contains('|') => Ok(base),
        (1.., "ANYONECANPAY") => Ok(base | ANYONE_CAN_PAY),
        _ => Err(RpcError::invalid_parameter(format!("'{text}' is not a valid sighash parameter."))),
    }
}

/// Takes an output that is described, with its scripts.
fn add_output(output: &Value, spent: &mut Spent, keys: &mut Keys) -> Result<()> {
    let Value::Object(members) = output else {
        return Err(RpcError::deserialization("expected object with {\"txid'\",\"vout\",\"scriptPubKey\"}"));
    };
    let member = |name: &str| members.get(name).filter(|value| !value.is_null());
    for (name, expected) in [("txid", "string"), ("vout", "number"), ("scriptPubKey", "string")] {
        match member(name) {
            None => return Err(RpcError::type_error(format!("Missing {name}"))),
            Some(value) if values::type_name(value) != expected => return Err(wrong_member(name, value, expected)),
            Some(_) => {}
        }
    }
    let txid = values::parse_hash(&members["txid"], "txid")?;
    let vout = u32::try_from(values::as_int::<i32>(&members["vout"])?)
        .map_err(|_| RpcError::deserialization("vout cannot be negative"))?;
    let outpoint = OutPoint { txid, vout };
    let script_pubkey = ScriptBuf::from_bytes(values::parse_hex(&members["scriptPubKey"], "scriptPubKey")?);
    if let Some((known, _)) = spent.get(&outpoint)
        && known.script_pubkey != script_pubkey
    {
        return Err(RpcError::deserialization(format!(
            "Previous output scriptPubKey mismatch:\n{}\nvs:\n{}",
            script::asm(&known.script_pubkey, false),
            script::asm(&script_pubkey, false)
        )));
    }
    let amount = member("amount").map(values::parse_amount).transpose()?;
    let value = amount.unwrap_or(Amount::MAX_MONEY);
    spent.insert(outpoint, (TxOut { value, script_pubkey: script_pubkey.clone() }, amount.is_some()));
    if script_pubkey.is_p2sh() || script_pubkey.is_p2wsh() {
        for name in ["redeemScript", "witnessScript"] {
            if let Some(value) = member(name).filter(|value| !value.is_string()) {
                return Err(wrong_member(name, value, "string"));
            }
        }
        add_scripts(&script_pubkey, member("redeemScript"), member("witnessScript"), keys)?;
    }
    Ok(())
}

fn wrong_member(name: &str, value: &Value, expected: &str) -> RpcError {
    let found = values::type_name(value);
    RpcError::type_error(format!("JSON value of type {found} for field {name} is not of expected type {expected}"))
}

/// Takes the scripts of an output that has the hash of one.
fn add_scripts(output: &ScriptBuf, redeem: Option<&Value>, witness: Option<&Value>, keys: &mut Keys) -> Result<()> {
    let refuse = |text: &str| Err(RpcError::invalid_parameter(text));
    let parse = |value: &Value, name: &str| values::parse_hex(value, name).map(ScriptBuf::from_bytes);
    let script = match (witness, redeem) {
        (Some(witness), _) => parse(witness, "witnessScript")?,
        (None, Some(redeem)) => parse(redeem, "redeemScript")?,
        (None, None) => return refuse("Missing redeemScript/witnessScript"),
    };
    let wrapped = script.to_p2wsh();
    // Given both, they are the same, or the one is the other's hash.
    if let (Some(_), Some(redeem)) = (witness, redeem) {
        let redeem = parse(redeem, "redeemScript")?;
        if redeem != script && redeem != wrapped {
            return refuse("redeemScript does not correspond to witnessScript");
        }
    }
    let matches =
        if output.is_p2sh() { *output == script.to_p2sh() || *output == wrapped.to_p2sh() } else { *output == wrapped };
    keys.add_script(script);
    if matches { Ok(()) } else { refuse("redeemScript/witnessScript does not match scriptPubKey") }
}

/// Signs what can be signed and says what is missing.
fn sign(mut transaction: Transaction, keys: &Keys, spent: &Spent, sighash: u8) -> RpcResult {
    let all_spent: Vec<Option<TxOut>> = transaction
        .input
        .iter()
        .map(|input| spent.get(&input.previous_output).map(|(output, _)| output.clone()))
        .collect();
    let mut errors = Vec::new();
    for index in 0..transaction.input.len() {
        let outpoint = transaction.input[index].previous_output;
        let Some((output, amount_known)) = spent.get(&outpoint) else {
            errors.push(error_entry(&transaction, index, "Input not found or already spent"));
            continue;
        };
        let input = Input { transaction: &transaction, index, spent: output, all_spent: &all_spent };
        let mut parts = input.read().map_err(engine_error)?;
        // One that covers the output of its number needs that output.
        if sighash & !ANYONE_CAN_PAY != SINGLE || index < transaction.output.len() {
            input.sign(keys, sighash, &mut parts).map_err(engine_error)?;
        }
        transaction.input[index].script_sig = parts.script_sig;
        transaction.input[index].witness = parts.witness;
        if !amount_known && !transaction.input[index].witness.is_empty() {
            return Err(RpcError::type_error(format!("Missing amount for {}", describe(output))));
        }
        if !parts.complete {
            let input = Input { transaction: &transaction, index, spent: output, all_spent: &all_spent };
            if let Some(fault) = input.fault(&transaction).map_err(engine_error)? {
                errors.push(error_entry(&transaction, index, explain(&fault)));
            }
        }
    }
    let mut result = Map::new();
    result.insert("hex".into(), json!(serialize_hex(&transaction)));
    result.insert("complete".into(), json!(errors.is_empty()));
    if !errors.is_empty() {
        result.insert("errors".into(), errors.into());
    }
    Ok(result.into())
}

/// Names an output as its parts.
fn describe(output: &TxOut) -> String {
    let sat = output.value.to_sat();
    let script: String = output.script_pubkey.as_bytes().to_lower_hex_string().chars().take(30).collect();
    format!("CTxOut(nValue={}.{:08}, scriptPubKey={script})", sat / 100_000_000, sat % 100_000_000)
}

/// Says what the engine's words mean to who signs.
fn explain(fault: &str) -> &str {
    match fault {
        "Operation not valid with the current stack size" => {
            "Unable to sign input, invalid stack size (possibly missing key)"
        }
        "Signature must be zero for failed CHECK(MULTI)SIG operation" => {
            "CHECK(MULTI)SIG failing with non-zero signature (possibly need more signatures)"
        }
        other => other,
    }
}

fn error_entry(transaction: &Transaction, index: usize, error: &str) -> Value {
    let input = &transaction.input[index];
    let witness: Vec<String> = input.witness.iter().map(|value| value.to_lower_hex_string()).collect();
    json!({
        "txid": input.previous_output.txid.to_string(),
        "vout": input.previous_output.vout,
        "witness": witness,
        "scriptSig": input.script_sig.to_hex_string(),
        "sequence": input.sequence.to_consensus_u32(),
        "error": error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_signatures_cover() {
        let check = |text: &str, expected: Option<u8>| assert_eq!(parse_sighash(&json!(text)).ok(), expected, "{text}");
        check("DEFAULT", Some(0));
        check("ALL", Some(1));
        check("SINGLE|ANYONECANPAY", Some(0x83));
        for wrong in ["", "all", "ALL|", "DEFAULT|ANYONECANPAY", "ALL|SINGLE", "|ANYONECANPAY"] {
            check(wrong, None);
        }
        assert_eq!(parse_sighash(&Value::Null).ok(), Some(0));
    }
}
