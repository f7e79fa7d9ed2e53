//! `sendrawtransaction`.

use bitcoin::{OutPoint, Transaction, Txid};
use kernel::{AcceptResult, CoinView, RejectKind, Rejection};
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc};
use serde_json::json;

use crate::NodeContext;
use crate::rpc::shape::script;
use crate::rpc::shape::transaction::{self, Encoding};
use crate::rpc::support::{Result, engine_error, fee_at, max_feerate};

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "sendrawtransaction",
    category: "rawtransactions",
    args: &[
        Arg::required("hexstring", ArgType::StrHex, "The serialized transaction in hex"),
        Arg::or(
            "maxfeerate",
            ArgType::Amount,
            "\"0.10\"",
            "Refuse transactions that pay more than this rate, in BTC/kvB. Rates of 1 BTC/kvB and more are refused as \
             such; 0 is no limit.",
        ),
        Arg::or(
            "maxburnamount",
            ArgType::Amount,
            "\"0.00\"",
            "Refuse transactions with provably unspendable outputs (OP_RETURN, say) of more than this, in BTC. The check \
             cannot find all of them.",
        ),
    ],
    description: "Hands a raw transaction to the mempool and, from there, to the network.\n\
                  \nPeers can tell by a repeated broadcast who sent the transaction, since nodes normally do not repeat \
                  those of others.\n\
                  \nFails with its own error code if the outputs are in the UTXO set already.\n\
                  \nRelated RPCs: createrawtransaction, signrawtransactionwithkey",
    result: &[Res::hex("", "The transaction id")],
    examples: &[
        example_cli!("sendrawtransaction", "\"signedhex\""),
        example_rpc!("sendrawtransaction", "\"signedhex\""),
    ],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let max_burn = call.amount("maxburnamount")?;
    let tx = transaction::from_hex(call.str("hexstring")?, Encoding::Either)
        .ok_or_else(|| RpcError::deserialization("TX decode failed. Make sure the tx has at least one input."))?;
    let burns = |output: &bitcoin::TxOut| {
        let script = &output.script_pubkey;
        (script::is_unspendable(script) || !script::has_valid_ops(script)) && output.value > max_burn
    };
    if tx.output.iter().any(burns) {
        return Err(RpcError::verify("Unspendable output exceeds maximum configured by user (maxburnamount)"));
    }
    let max_fee = fee_at(max_feerate(call, "maxfeerate")?, tx.weight().to_vbytes_ceil());
    let txid = broadcast(ctx, &tx, max_fee)?;
    Ok(json!(txid.to_string()))
}

/// Puts a transaction into the mempool, unless it is there, and waits until everyone heard of it. `max_fee` of zero is
/// no limit.
fn broadcast(ctx: &NodeContext, tx: &Transaction, max_fee: u64) -> Result<Txid> {
    let txid = tx.compute_txid();
    let outputs: Vec<OutPoint> = (0..).zip(&tx.output).map(|(vout, _)| OutPoint { txid, vout }).collect();
    let confirmed = ctx.kernel.coins(&outputs, CoinView::Chain).map_err(engine_error)?;
    if confirmed.iter().any(Option::is_some) {
        return Err(RpcError::already_in_utxo_set("Transaction outputs already in utxo set"));
    }
    if ctx.kernel.mempool_contains(&txid).map_err(engine_error)? {
        return Ok(txid);
    }
    if max_fee > 0 {
        let fee = accept(ctx, tx, true)?;
        if fee > max_fee {
            return Err(RpcError::verify("Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)"));
        }
    }
    accept(ctx, tx, false)?;
    ctx.kernel.set_unbroadcast(&txid, true).map_err(engine_error)?;
    // Who asks a wallet next shall find the transaction there.
    ctx.sync_events().map_err(engine_error)?;
    Ok(txid)
}

/// Hands a transaction in and returns its fee.
fn accept(ctx: &NodeContext, tx: &Transaction, test_only: bool) -> Result<u64> {
    match ctx.kernel.accept_transaction(tx, test_only).map_err(engine_error)? {
        AcceptResult::Accepted(accepted) => Ok(accepted.fee.to_sat()),
        AcceptResult::AlreadyInMempool { fee, .. } => Ok(fee.to_sat()),
        AcceptResult::DifferentWitness(_) => Err(RpcError::verify_rejected("txn-same-nonwitness-data-in-mempool")),
        AcceptResult::Rejected(rejection) => Err(refusal(&rejection)),
    }
}

fn refusal(rejection: &Rejection) -> RpcError {
    match rejection.kind {
        RejectKind::MissingInputs | RejectKind::Failed => RpcError::verify(rejection.message()),
        _ => RpcError::verify_rejected(rejection.message()),
    }
}
