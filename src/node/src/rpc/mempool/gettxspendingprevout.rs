//! `gettxspendingprevout`, as far as the mempool knows: there is no index of spending transactions.

use bitcoin::OutPoint;
use bitcoin::consensus::encode::serialize_hex;
use rpc::{Arg, ArgType, Call, Command, Default, Res, RpcError, RpcResult, example_cli, example_rpc, json as values};
use serde_json::{Value, json};

use crate::NodeContext;
use crate::rpc::support::{Result, engine_error};

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "gettxspendingprevout",
    category: "blockchain",
    args: &[
        Arg::required("outputs", ArgType::Arr, "The outputs to look for").inner(&[Arg::optional("", ArgType::Obj, "")
            .inner(&[
                Arg::required("txid", ArgType::StrHex, "The transaction id"),
                Arg::required("vout", ArgType::Num, "The output number"),
            ])]),
        Arg::optional("options", ArgType::ObjNamed, "").inner(&[
            Arg::new(
                "mempool_only",
                ArgType::Bool,
                Default::Hint("true if txospenderindex unavailable, otherwise false"),
                "If false, an output that is not spent in the mempool is an error, as there is no txospenderindex.",
            ),
            Arg::new(
                "return_spending_tx",
                ArgType::Bool,
                Default::Hint("false"),
                "Return the spending transaction too.",
            ),
        ]),
    ],
    description: "Returns the transactions in the mempool that spend given outputs.",
    result: &[Res::arr(
        "",
        "",
        &[Res::obj(
            "",
            "",
            &[
                Res::hex("txid", "The transaction id of the output"),
                Res::num("vout", "The number of the output"),
                Res::hex("spendingtxid", "The id of the transaction that spends it, if one does").optional(),
                Res::hex("spendingtx", "That transaction (only with return_spending_tx)").optional(),
                Res::hex("blockhash", "The block of that transaction (only from an index, which there is not yet)")
                    .optional(),
            ],
        )],
    )],
    examples: &[
        example_cli!(
            "gettxspendingprevout",
            "\"[{\\\"txid\\\":\\\"a08e6907dbbd3d809776dbfc5d82e371b764ed838b5655e72f463568df1aadf0\\\",\\\"vout\\\":3}]\""
        ),
        example_rpc!(
            "gettxspendingprevout",
            "\"[{\\\"txid\\\":\\\"a08e6907dbbd3d809776dbfc5d82e371b764ed838b5655e72f463568df1aadf0\\\",\\\"vout\\\":3}]\""
        ),
    ],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let outputs = call.array("outputs")?;
    if outputs.is_empty() {
        return Err(RpcError::invalid_parameter("Invalid parameter, outputs are missing"));
    }
    let options = call.value("options");
    if !options.is_null() {
        check_members(options, &[("mempool_only", "bool"), ("return_spending_tx", "bool")], true)?;
    }
    let flag = |name: &str, default: bool| match call.option("options", name) {
        Value::Null => Ok(default),
        value => values::as_bool(value),
    };
    let mempool_only = flag("mempool_only", true)?;
    let with_tx = flag("return_spending_tx", false)?;
    let outpoints = outputs.iter().map(outpoint).collect::<Result<Vec<_>>>()?;
    let spenders = ctx.kernel.mempool_spenders(&outpoints).map_err(engine_error)?;
    let mut found = Vec::new();
    for (outpoint, spender) in outpoints.iter().zip(spenders) {
        let mut entry = json!({"txid": outpoint.txid.to_string(), "vout": outpoint.vout});
        match spender {
            Some(txid) => {
                entry["spendingtxid"] = json!(txid.to_string());
                if with_tx && let Some(tx) = ctx.kernel.mempool_transaction(&txid).map_err(engine_error)? {
                    entry["spendingtx"] = json!(serialize_hex(&tx.transaction));
                }
            }
            None if !mempool_only => {
                return Err(RpcError::misc("Mempool lacks a relevant spend, and txospenderindex is unavailable."));
            }
            None => {}
        }
        found.push(entry);
    }
    Ok(Value::Array(found))
}

fn outpoint(value: &Value) -> Result<OutPoint> {
    check_members(value, &[("txid", "string"), ("vout", "number")], false)?;
    let vout = u32::try_from(values::as_int::<i32>(&value["vout"])?)
        .map_err(|_| RpcError::invalid_parameter("Invalid parameter, vout cannot be negative"))?;
    Ok(OutPoint { txid: values::parse_hash(&value["txid"], "txid")?, vout })
}

/// Refuses an object that has other members than these, or of other types; `may_lack` if it need not have all.
fn check_members(value: &Value, expected: &[(&str, &str)], may_lack: bool) -> Result<()> {
    let members = values::as_object(value)?;
    for (key, kind) in expected {
        let found = values::type_name(members.get(*key).unwrap_or(&Value::Null));
        if found == "null" && may_lack {
            continue;
        }
        if found == "null" {
            return Err(RpcError::type_error(format!("Missing {key}")));
        }
        if found != *kind {
            return Err(RpcError::type_error(format!(
                "JSON value of type {found} for field {key} is not of expected type {kind}"
            )));
        }
    }
    match members.keys().find(|key| !expected.iter().any(|(known, _)| known == key)) {
        Some(key) => Err(RpcError::type_error(format!("Unexpected key {key}"))),
        None => Ok(()),
    }
}
