//! `createrawtransaction`.

use bitcoin::blockdata::script::Builder;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::opcodes::all::OP_RETURN;
use bitcoin::script::PushBytesBuf;
use bitcoin::{
    Amount, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness, absolute, transaction,
};
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc, json as values};
use serde_json::{Value, json};

use crate::NodeContext;
use crate::rpc::shape::address;
use crate::rpc::support::Result;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "createrawtransaction",
    category: "rawtransactions",
    args: &[
        Arg::required("inputs", ArgType::Arr, "The inputs").inner(&[Arg::optional("", ArgType::Obj, "").inner(&[
            Arg::required("txid", ArgType::StrHex, "The transaction id"),
            Arg::required("vout", ArgType::Num, "The output number"),
            Arg::new(
                "sequence",
                ArgType::Num,
                rpc::Default::Hint("depends on the value of the 'replaceable' and 'locktime' arguments"),
                "The sequence number",
            ),
        ])]),
        Arg::required(
            "outputs",
            ArgType::Arr,
            "The outputs, at least one, as key-value pairs: an address and its amount, or \"data\". No key may come twice.\n\
             An object with all pairs is accepted as well.",
        )
        .inner(&[
            Arg::optional("", ArgType::ObjUserKeys, "").inner(&[Arg::required(
                "address",
                ArgType::Amount,
                "The key is an address, the value the amount in BTC",
            )]),
            Arg::optional("", ArgType::Obj, "").inner(&[Arg::required(
                "data",
                ArgType::StrHex,
                "The key is \"data\", the value the data in hex of an OP_RETURN output",
            )]),
        ])
        .skip_type_check(),
        Arg::or("locktime", ArgType::Num, "0", "The lock time. If not 0, the inputs are made to heed it"),
        Arg::or(
            "replaceable",
            ArgType::Bool,
            "true",
            "Signal that the transaction may be replaced (BIP125). If given, sequence numbers must not contradict it.",
        ),
        Arg::or("version", ArgType::Num, "2", "The version"),
    ],
    description: "Makes a transaction with given inputs and outputs and returns it serialized in hex. It is not signed, \
                  kept or sent.",
    result: &[Res::hex("transaction", "The serialized transaction in hex")],
    examples: &[
        example_cli!(
            "createrawtransaction",
            "\"[{\\\"txid\\\":\\\"myid\\\",\\\"vout\\\":0}]\" \"[{\\\"address\\\":0.01}]\""
        ),
        example_cli!(
            "createrawtransaction",
            "\"[{\\\"txid\\\":\\\"myid\\\",\\\"vout\\\":0}]\" \"[{\\\"data\\\":\\\"00010203\\\"}]\""
        ),
        example_rpc!(
            "createrawtransaction",
            "\"[{\\\"txid\\\":\\\"myid\\\",\\\"vout\\\":0}]\", \"[{\\\"address\\\":0.01}]\""
        ),
    ],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let replaceable = match call.value("replaceable") {
        Value::Null => None,
        value => Some(values::as_bool(value)?),
    };
    let lock_time = u32::try_from(call.i64("locktime")?)
        .map_err(|_| RpcError::invalid_parameter("Invalid parameter, locktime out of range"))?;
    let version = call.int::<u32>("version")?;
    if !(1..=3).contains(&version) {
        return Err(RpcError::invalid_parameter("Invalid parameter, version out of range(1~3)"));
    }
    let sequence = match (replaceable.unwrap_or(true), lock_time) {
        (true, _) => Sequence::ENABLE_RBF_NO_LOCKTIME,
        (false, 0) => Sequence::MAX,
        (false, _) => Sequence::ENABLE_LOCKTIME_NO_RBF,
    };
    let input = call.array("inputs")?.iter().map(|input| parse_input(input, sequence)).collect::<Result<Vec<_>>>()?;
    let output = parse_outputs(call.value("outputs"), ctx.chain.network())?;
    if replaceable == Some(true) && !input.is_empty() && !input.iter().any(|input| input.sequence.is_rbf()) {
        return Err(RpcError::invalid_parameter(
            "Invalid parameter combination: Sequence number(s) contradict replaceable option",
        ));
    }
    let tx = Transaction {
        version: transaction::Version(version as i32),
        lock_time: absolute::LockTime::from_consensus(lock_time),
        input,
        output,
    };
    Ok(json!(serialize(&tx)))
}

/// Serializes a transaction. One without inputs has no witnesses either: it must not get the marker of witnesses, which
/// the library writes to keep it readable.
fn serialize(tx: &Transaction) -> String {
    if !tx.input.is_empty() {
        return serialize_hex(tx);
    }
    let parts =
        [serialize_hex(&tx.version), serialize_hex(&tx.input), serialize_hex(&tx.output), serialize_hex(&tx.lock_time)];
    parts.concat()
}

fn parse_input(input: &Value, default: Sequence) -> Result<TxIn> {
    let members = values::as_object(input)?;
    let txid = values::parse_hash(members.get("txid").unwrap_or(&Value::Null), "txid")?;
    let vout = match members.get("vout") {
        Some(vout @ Value::Number(_)) => values::as_int::<i32>(vout)?,
        _ => return Err(RpcError::invalid_parameter("Invalid parameter, missing vout key")),
    };
    let vout =
        u32::try_from(vout).map_err(|_| RpcError::invalid_parameter("Invalid parameter, vout cannot be negative"))?;
    let sequence = match members.get("sequence") {
        Some(sequence @ Value::Number(_)) => u32::try_from(values::as_int::<i64>(sequence)?)
            .map(Sequence::from_consensus)
            .map_err(|_| RpcError::invalid_parameter("Invalid parameter, sequence number is out of range"))?,
        _ => default,
    };
    Ok(TxIn {
        previous_output: OutPoint { txid, vout },
        script_sig: ScriptBuf::new(),
        sequence,
        witness: Witness::new(),
    })
}

fn parse_outputs(outputs: &Value, network: Network) -> Result<Vec<TxOut>> {
    let mut pairs: Vec<(&String, &Value)> = Vec::new();
    match outputs {
        Value::Null => {
            return Err(RpcError::invalid_parameter("Invalid parameter, output argument must be non-null"));
        }
        Value::Object(members) => pairs.extend(members),
        other => {
            for entry in values::as_array(other)? {
                let Value::Object(members) = entry else {
                    return Err(RpcError::invalid_parameter(
                        "Invalid parameter, key-value pair not an object as expected",
                    ));
                };
                if members.len() != 1 {
                    return Err(RpcError::invalid_parameter(
                        "Invalid parameter, key-value pair must contain exactly one key",
                    ));
                }
                pairs.extend(members);
            }
        }
    }
    let mut parsed: Vec<TxOut> = Vec::with_capacity(pairs.len());
    let mut has_data = false;
    for (key, value) in pairs {
        if key == "data" {
            if std::mem::replace(&mut has_data, true) {
                return Err(RpcError::invalid_parameter("Invalid parameter, duplicate key: data"));
            }
            let data = PushBytesBuf::try_from(values::parse_hex(value, "Data")?)
                .map_err(|_| RpcError::invalid_parameter("Invalid parameter, data is too long"))?;
            let script_pubkey = Builder::new().push_opcode(OP_RETURN).push_slice(data).into_script();
            parsed.push(TxOut { value: Amount::ZERO, script_pubkey });
            continue;
        }
        let amount = values::parse_amount(value)?;
        let script_pubkey = address::decode(key, network)
            .map_err(|_| RpcError::invalid_address_or_key(format!("Invalid Bitcoin address: {key}")))?;
        if parsed.iter().any(|output| output.script_pubkey == script_pubkey) {
            return Err(RpcError::invalid_parameter(format!("Invalid parameter, duplicated address: {key}")));
        }
        parsed.push(TxOut { value: amount, script_pubkey });
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs() {
        let address = "mneYUmWYsuk7kySiURxCi3AGxrAqZxLgPZ";
        let check = |outputs: Value, expected: std::result::Result<usize, &str>| {
            let got = parse_outputs(&outputs, Network::Regtest).map(|outputs| outputs.len());
            assert_eq!(got.map_err(|error| error.message), expected.map_err(str::to_owned), "{outputs}");
        };
        check(json!({address: 1, "data": "00"}), Ok(2));
        check(json!([{address: "0.1"}, {"data": "00"}]), Ok(2));
        check(json!(null), Err("Invalid parameter, output argument must be non-null"));
        check(json!([1]), Err("Invalid parameter, key-value pair not an object as expected"));
        check(json!([{}]), Err("Invalid parameter, key-value pair must contain exactly one key"));
        check(json!([{"data": "00"}, {"data": "01"}]), Err("Invalid parameter, duplicate key: data"));
        check(json!([{"data": "x"}]), Err("Data must be hexadecimal string (not 'x')"));
        check(
            json!([{address: 1}, {address: 1}]),
            Err("Invalid parameter, duplicated address: mneYUmWYsuk7kySiURxCi3AGxrAqZxLgPZ"),
        );
        check(json!({"x": 1}), Err("Invalid Bitcoin address: x"));
        check(json!({"x": -1}), Err("Amount out of range"));
    }

    #[test]
    fn a_transaction_without_inputs_has_no_marker() {
        let tx = Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: vec![],
            output: vec![],
        };
        assert_eq!(serialize(&tx), "02000000000000000000");
    }
}
