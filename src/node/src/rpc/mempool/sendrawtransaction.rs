//! `sendrawtransaction`.

use bitcoin::{Amount, Transaction, TxOut};
use kernel::RejectKind;
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc};
use serde_json::json;

use crate::NodeContext;
use crate::broadcast::{Refusal, broadcast};
use crate::rpc::shape::script;
use crate::rpc::shape::transaction::{self, Encoding};
use crate::rpc::support::{MAX_BURN, MAX_FEERATE, Result, engine_error, fee_at, max_feerate};

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "sendrawtransaction",
    category: "rawtransactions",
    args: &[Arg::required("hexstring", ArgType::StrHex, "The serialized transaction in hex"), MAX_FEERATE, MAX_BURN],
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
    check_burn(&tx, max_burn)?;
    let max_fee = fee_at(max_feerate(call, "maxfeerate")?, tx.weight().to_vbytes_ceil());
    broadcast(ctx, &tx, Amount::from_sat(max_fee), true).map_err(engine_error)?.map_err(refusal)?;
    // Who asks a wallet next shall find the transaction there.
    ctx.sync_events().map_err(engine_error)?;
    Ok(json!(tx.compute_txid().to_string()))
}

/// Refuses a transaction with a provably unspendable output of more than `max_burn`.
pub(super) fn check_burn(tx: &Transaction, max_burn: Amount) -> Result<()> {
    let burns = |output: &TxOut| {
        let script = &output.script_pubkey;
        (script::is_unspendable(script) || !script::has_valid_ops(script)) && output.value > max_burn
    };
    if tx.output.iter().any(burns) {
        return Err(RpcError::verify("Unspendable output exceeds maximum configured by user (maxburnamount)"));
    }
    Ok(())
}

fn refusal(refusal: Refusal) -> RpcError {
    match refusal {
        Refusal::MissingInputs(rejection) => RpcError::verify(rejection.message()),
        Refusal::AlreadyInUtxoSet => RpcError::already_in_utxo_set("Transaction outputs already in utxo set"),
        Refusal::Rejected(rejection) if rejection.kind == RejectKind::Failed => RpcError::verify(rejection.message()),
        Refusal::Rejected(rejection) => RpcError::verify_rejected(rejection.message()),
        Refusal::MaxFeeExceeded => {
            RpcError::verify("Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)")
        }
    }
}
