//! `prioritisetransaction` and `getprioritisedtransactions`.

use bitcoin::{SignedAmount, Txid};
use kernel::MempoolInfo;
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc};
use serde_json::{Map, Value, json};

use crate::NodeContext;
use crate::rpc::support::{engine_error, fee_at};

pub(super) const PRIORITISE: Command<NodeContext> = Command {
    name: "prioritisetransaction",
    category: "mining",
    args: &[
        Arg::required("txid", ArgType::StrHex, "The transaction id."),
        Arg::optional("dummy", ArgType::Num, "For callers of an older interface: zero or null. Leave it out."),
        Arg::required(
            "fee_delta",
            ArgType::Num,
            "Satoshi to add to the fee, or to take off if negative. Nobody pays them: only the selection of transactions \
             for a block counts the fee as that much higher or lower.",
        ),
    ],
    description: "Gives a transaction a higher or lower priority for the blocks made here.",
    result: &[Res::bool("", "Returns true")],
    examples: &[
        example_cli!("prioritisetransaction", "\"txid\" 0.0 10000"),
        example_rpc!("prioritisetransaction", "\"txid\", 0.0, 10000"),
    ],
    run: prioritise,
};

pub(super) const LIST: Command<NodeContext> = Command {
    name: "getprioritisedtransactions",
    category: "mining",
    args: &[],
    description: "Returns all fee deltas set with prioritisetransaction, and whether the transactions are in the mempool.",
    result: &[Res::obj_dyn(
        "",
        "fee deltas by transaction id",
        &[Res::obj(
            "<transactionid>",
            "",
            &[
                Res::num("fee_delta", "The delta in satoshi"),
                Res::bool("in_mempool", "Whether the transaction is in the mempool"),
                Res::num("modified_fee", "Its fee with the delta in satoshi (only if in the mempool)").optional(),
            ],
        )],
    )],
    examples: &[example_cli!("getprioritisedtransactions", ""), example_rpc!("getprioritisedtransactions", "")],
    run: list,
};

fn prioritise(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let txid: Txid = call.hash("txid")?;
    let dummy = call.opt_f64("dummy")?;
    let delta = SignedAmount::from_sat(call.i64("fee_delta")?);
    if dummy.is_some_and(|dummy| dummy != 0.0) {
        return Err(RpcError::invalid_parameter(
            "Priority is no longer supported, dummy argument to prioritisetransaction must be 0.",
        ));
    }
    let info = ctx.kernel.mempool_info().map_err(engine_error)?;
    let tx = ctx.kernel.mempool_transaction(&txid).map_err(engine_error)?;
    if info.require_standard && tx.is_some_and(|tx| tx.transaction.output.iter().any(|output| is_dust(output, &info))) {
        return Err(RpcError::invalid_parameter("Priority is not supported for transactions with dust outputs."));
    }
    ctx.kernel.prioritise(&txid, delta).map_err(engine_error)?;
    Ok(json!(true))
}

/// Says whether spending an output would cost more than it is worth, at the dust rate.
fn is_dust(output: &bitcoin::TxOut, info: &MempoolInfo) -> bool {
    let script = &output.script_pubkey;
    if crate::rpc::shape::script::is_unspendable(script) {
        return false;
    }
    let own = bitcoin::consensus::serialize(output).len() as u64;
    // Outpoint, script length, sequence, and a signature with key: a quarter of it if that is in the witness.
    let spend = if script.is_witness_program() { 32 + 4 + 1 + 107 / 4 + 4 } else { 32 + 4 + 1 + 107 + 4 };
    let rate = u64::try_from(info.dust_fee.to_sat_per_kvb()).unwrap_or(0);
    output.value.to_sat() < fee_at(rate, own + spend)
}

fn list(ctx: &NodeContext, _: &Call<'_>) -> RpcResult {
    let deltas = ctx.kernel.prioritisations().map_err(engine_error)?;
    let entries: Map<String, Value> = deltas
        .iter()
        .map(|entry| {
            let mut out = Map::new();
            out.insert("fee_delta".into(), json!(entry.delta.to_sat()));
            out.insert("in_mempool".into(), json!(entry.modified_fee.is_some()));
            if let Some(fee) = entry.modified_fee {
                out.insert("modified_fee".into(), json!(fee.to_sat()));
            }
            (entry.txid.to_string(), Value::Object(out))
        })
        .collect();
    Ok(Value::Object(entries))
}
