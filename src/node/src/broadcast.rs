//! Hands a transaction of our own to the mempool and to the peers. One function for the wallet and the RPC commands, so
//! that both have the same checks in the same order.

use bitcoin::{Amount, OutPoint, Transaction};
use kernel::{AcceptResult, CoinView, RejectKind, Rejection};

use crate::NodeContext;

/// Why a transaction was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// An input is spent or unknown.
    MissingInputs(Rejection),
    /// Its outputs are in the UTXO set already.
    AlreadyInUtxoSet,
    /// The mempool refused it.
    Rejected(Rejection),
    /// It pays more than the given maximum.
    MaxFeeExceeded,
}

/// Submits a transaction. `max_fee` of zero means no limit; with `relay` it is to be announced to peers. One that is in
/// the mempool already is announced again. Does not wait until subscribers know of it.
pub fn broadcast(
    context: &NodeContext,
    transaction: &Transaction,
    max_fee: Amount,
    relay: bool,
) -> Result<Result<(), Refusal>, kernel::Error> {
    let kernel = &context.kernel;
    let txid = transaction.compute_txid();
    let outputs = u32::try_from(transaction.output.len()).unwrap_or(u32::MAX);
    let outpoints: Vec<OutPoint> = (0..outputs).map(|vout| OutPoint { txid, vout }).collect();
    if kernel.coins(&outpoints, CoinView::Chain)?.iter().any(Option::is_some) {
        return Ok(Err(Refusal::AlreadyInUtxoSet));
    }
    if !kernel.mempool_contains(&txid)? {
        if max_fee > Amount::ZERO {
            match kernel.accept_transaction(transaction, true)? {
                AcceptResult::Accepted(accepted) if accepted.fee > max_fee => return Ok(Err(Refusal::MaxFeeExceeded)),
                AcceptResult::Rejected(rejection) => return Ok(Err(refusal(rejection))),
                _ => {}
            }
        }
        if let AcceptResult::Rejected(rejection) = kernel.accept_transaction(transaction, false)? {
            return Ok(Err(refusal(rejection)));
        }
        if relay {
            kernel.set_unbroadcast(&txid, true)?;
        }
    }
    if relay && let Some(entry) = kernel.mempool_transaction(&txid)? {
        // The witness may be another than the one just given.
        context.peers.announce(txid, entry.transaction.compute_wtxid());
    }
    Ok(Ok(()))
}

fn refusal(rejection: Rejection) -> Refusal {
    match rejection.kind {
        RejectKind::MissingInputs => Refusal::MissingInputs(rejection),
        _ => Refusal::Rejected(rejection),
    }
}
