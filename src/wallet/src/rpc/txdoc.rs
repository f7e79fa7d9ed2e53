//! How transactions are shown: the fields that `gettransaction` and `listtransactions` share.

use bitcoin::{Amount, SignedAmount};
use rpc::{RpcError, json};
use serde_json::{Map, Value};

use super::parent_descriptors;
use crate::records::{TxState, WalletTx};
use crate::state::State;
use crate::wallet::Wallet;

/// Appends the description of the fields all transactions have.
macro_rules! transaction_fields {
    ($($more:expr),* $(,)?) => {
        &[
            Res::num("confirmations", "Confirmations of the transaction; negative if a block conflicts with it, that many blocks ago"),
            Res::bool("generated", "Only if it is a coinbase").optional(),
            Res::bool("trusted", "Only if unconfirmed: whether its outputs can be relied on").optional(),
            Res::str("blockhash", "The block hash containing the transaction").optional(),
            Res::num("blockheight", "The block height containing the transaction").optional(),
            Res::num("blockindex", "The index of the transaction in the block").optional(),
            Res::time("blocktime", "The block time").optional(),
            Res::hex("txid", "The transaction id"),
            Res::hex("wtxid", "The hash of the transaction with its witness"),
            Res::arr("walletconflicts", "Wallet transactions that spend the same coins", &[Res::hex("txid", "The transaction id")]),
            Res::hex("replaced_by_txid", "The transaction that replaced it").optional(),
            Res::hex("replaces_txid", "The transaction it replaces").optional(),
            Res::arr("mempoolconflicts", "Mempool transactions that keep it or an ancestor out", &[Res::hex("txid", "The transaction id")]),
            Res::str("to", "The comment on the recipient").optional(),
            Res::time("time", "The transaction time"),
            Res::time("timereceived", "The time received"),
            Res::str("comment", "The comment").optional(),
            Res::arr("parent_descs", "Only for received coins: the wallet's descriptors that make the output script", &[Res::str("desc", "The descriptor")]).optional(),
            $($more),*
        ]
    };
}
pub(super) use transaction_fields;

fn put(entry: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    entry.insert(key.to_owned(), value.into());
}

/// Time of a transaction's block; the node is asked only if the wallet never met the block.
fn block_time(wallet: &Wallet, state: &State, block: bitcoin::BlockHash) -> Result<Option<i64>, RpcError> {
    match state.block_times.get(&block) {
        Some(time) => Ok(Some(*time)),
        None => Ok(wallet.chain.find_block(block)?.map(|block| block.time)),
    }
}

/// The fields all transactions have.
pub(super) fn common(wallet: &Wallet, state: &State, tx: &WalletTx) -> Result<Map<String, Value>, RpcError> {
    let mut entry = Map::new();
    let txid = tx.tx.compute_txid();
    put(&mut entry, "confirmations", state.depth(tx));
    if tx.tx.is_coinbase() {
        put(&mut entry, "generated", true);
    }
    match tx.state {
        TxState::Confirmed { block, height, position } => {
            put(&mut entry, "blockhash", block.to_string());
            put(&mut entry, "blockheight", height.map_or(-1, i64::from));
            put(&mut entry, "blockindex", position);
            if let Some(time) = block_time(wallet, state, block)? {
                put(&mut entry, "blocktime", time);
            }
        }
        _ => {
            let trusted = state.is_trusted(&txid, wallet.options.spend_unconfirmed_change, &mut Default::default());
            put(&mut entry, "trusted", trusted);
        }
    }
    put(&mut entry, "txid", txid.to_string());
    put(&mut entry, "wtxid", tx.tx.compute_wtxid().to_string());
    let mut conflicts: Vec<String> = tx
        .tx
        .input
        .iter()
        .filter_map(|input| state.spends.get(&input.previous_output))
        .flatten()
        .filter(|other| **other != txid)
        .map(ToString::to_string)
        .collect();
    conflicts.sort();
    conflicts.dedup();
    put(&mut entry, "walletconflicts", conflicts);
    let mempool = state.mempool_conflicts.get(&txid).into_iter().flatten().map(ToString::to_string);
    put(&mut entry, "mempoolconflicts", mempool.collect::<Vec<_>>());
    put(&mut entry, "time", tx.time());
    put(&mut entry, "timereceived", tx.time_received);
    for key in ["comment", "to", "replaces_txid", "replaced_by_txid"] {
        if let Some(text) = tx.text(key) {
            put(&mut entry, key, text.clone());
        }
    }
    Ok(entry)
}

/// Fee paid, as a negative number; `None` if the wallet did not pay.
pub(super) fn fee(state: &State, tx: &WalletTx) -> Option<SignedAmount> {
    let debit = state.debit(&tx.tx).to_signed().ok().filter(|debit| debit.is_positive())?;
    let out: Amount = tx.tx.output.iter().map(|output| output.value).sum();
    Some(out.to_signed().ok()? - debit)
}

/// One entry per output sent and received, in that order. With `long`, each has the fields all transactions have.
pub(super) fn details(
    wallet: &Wallet,
    state: &State,
    tx: &WalletTx,
    long: bool,
    label: Option<&str>,
) -> Result<Vec<Value>, RpcError> {
    let fee = fee(state, tx);
    let abandoned = tx.state == TxState::Inactive { abandoned: true };
    let shared = if long { common(wallet, state, tx)? } else { Map::new() };
    let depth = state.depth(tx);
    let mut entries = Vec::new();
    let outputs = || (0u32..).zip(&tx.tx.output);
    if let (Some(fee), None) = (fee, label) {
        for (vout, output) in outputs().filter(|(_, output)| !state.is_change(&output.script_pubkey)) {
            let mut entry = Map::new();
            let address = state.address(&output.script_pubkey);
            if let Some(address) = &address {
                put(&mut entry, "address", address.clone());
            }
            put(&mut entry, "category", "send");
            put(&mut entry, "amount", json::signed_amount(-output.value.to_signed().unwrap_or(SignedAmount::ZERO)));
            if let Some(label) = address.and_then(|address| state.label(&address).map(str::to_owned)) {
                put(&mut entry, "label", label);
            }
            put(&mut entry, "vout", vout);
            put(&mut entry, "fee", json::signed_amount(fee));
            entry.extend(shared.clone());
            put(&mut entry, "abandoned", abandoned);
            entries.push(entry.into());
        }
    }
    if depth < 0 {
        return Ok(entries);
    }
    let received = outputs().filter(|(_, output)| {
        state.is_mine(&output.script_pubkey) && !(fee.is_some() && state.is_change(&output.script_pubkey))
    });
    for (vout, output) in received {
        let address = state.address(&output.script_pubkey);
        let own_label = address.as_deref().and_then(|address| state.label(address));
        if label.is_some_and(|label| label != own_label.unwrap_or("")) {
            continue;
        }
        let mut entry = Map::new();
        if let Some(address) = &address {
            put(&mut entry, "address", address.clone());
        }
        put(&mut entry, "parent_descs", parent_descriptors(state, &output.script_pubkey));
        let category = match tx.tx.is_coinbase() {
            false => "receive",
            true if depth < 1 => "orphan",
            true if state.is_immature(tx) => "immature",
            true => "generate",
        };
        put(&mut entry, "category", category);
        put(&mut entry, "amount", json::amount(output.value));
        if let Some(label) = own_label {
            put(&mut entry, "label", label);
        }
        put(&mut entry, "vout", vout);
        put(&mut entry, "abandoned", abandoned);
        entry.extend(shared.clone());
        entries.push(entry.into());
    }
    Ok(entries)
}
