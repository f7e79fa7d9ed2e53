//! What the wallet owns: who spent what, which coins can be trusted, sums.
//!
//! Follows Bitcoin Core's definitions: *trusted* is confirmed, or in the mempool and made by this wallet from trusted
//! coins; *untrusted pending* is in the mempool and not that; *immature* is from coinbases younger than 100 blocks.

use std::collections::HashSet;

use bitcoin::{Amount, OutPoint, Script, Transaction, Txid};

use crate::records::{TxState, WalletTx};
use crate::state::{State, flags};

/// Confirmations a coinbase needs before it can be spent in the next block.
const COINBASE_MATURITY: i32 = 100;

/// Sums over a wallet's coins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Balance {
    /// Confirmed or trusted.
    pub(crate) trusted: Amount,
    /// In the mempool, from others.
    pub(crate) untrusted_pending: Amount,
    /// From young coinbases.
    pub(crate) immature: Amount,
    /// On addresses spent from before, where the wallet keeps those apart.
    pub(crate) used: Amount,
    /// Part of the above that transactions outside the mempool spend.
    pub(crate) nonmempool: Amount,
}

/// Who spent an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spent {
    No,
    NonMempool,
    Mempool,
    Confirmed,
}

impl State {
    /// Says whether a transaction that can still confirm spends the output.
    pub(crate) fn is_spent(&self, outpoint: &OutPoint) -> bool {
        self.how_spent(outpoint) != Spent::No
    }

    fn how_spent(&self, outpoint: &OutPoint) -> Spent {
        let mut spent = Spent::No;
        for txid in self.spends.get(outpoint).into_iter().flatten() {
            match self.txs.get(txid).map(|tx| tx.state) {
                Some(TxState::Confirmed { .. }) => return Spent::Confirmed,
                Some(TxState::InMempool) => spent = Spent::Mempool,
                Some(TxState::Inactive { abandoned: false })
                    if spent == Spent::No && !self.is_mempool_conflicted(txid) =>
                {
                    spent = Spent::NonMempool;
                }
                _ => {}
            }
        }
        spent
    }

    /// Says whether the mempool holds a transaction that conflicts with this one.
    pub(crate) fn is_mempool_conflicted(&self, txid: &Txid) -> bool {
        self.mempool_conflicts.get(txid).is_some_and(|conflicts| !conflicts.is_empty())
    }

    /// What a transaction takes from the wallet.
    pub(crate) fn debit(&self, tx: &Transaction) -> Amount {
        tx.input.iter().filter_map(|input| self.outputs.get(&input.previous_output)).map(|output| output.value).sum()
    }

    /// What a transaction gives to the wallet.
    pub(crate) fn credit(&self, tx: &Transaction) -> Amount {
        tx.output.iter().filter(|output| self.is_mine(&output.script_pubkey)).map(|output| output.value).sum()
    }

    /// Says whether a transaction spends coins of the wallet.
    pub(crate) fn is_from_me(&self, tx: &Transaction) -> bool {
        self.debit(tx) > Amount::ZERO
    }

    /// Says whether a coinbase cannot be spent yet.
    pub(crate) fn is_immature(&self, tx: &WalletTx) -> bool {
        tx.tx.is_coinbase() && self.depth(tx) <= COINBASE_MATURITY
    }

    /// Says whether a transaction's outputs can be relied on.
    pub(crate) fn is_trusted(&self, tx: &WalletTx, spend_unconfirmed: bool, known: &mut HashSet<Txid>) -> bool {
        let txid = tx.tx.compute_txid();
        if known.contains(&txid) {
            return true;
        }
        match tx.state {
            TxState::Confirmed { .. } => return true,
            TxState::InMempool if spend_unconfirmed && self.is_from_me(&tx.tx) => {}
            _ => return false,
        }
        for input in &tx.tx.input {
            let Some(parent) = self.txs.get(&input.previous_output.txid) else { return false };
            if !self.outputs.contains_key(&input.previous_output) || !self.is_trusted(parent, spend_unconfirmed, known)
            {
                return false;
            }
            known.insert(input.previous_output.txid);
        }
        true
    }

    /// Says whether coins to this script were spent before, in a wallet that keeps those apart.
    pub(crate) fn is_used(&self, script: &Script) -> bool {
        self.has_flag(flags::AVOID_REUSE)
            && self.address(script).and_then(|address| self.addresses.get(&address)).is_some_and(|entry| entry.used)
    }

    /// Adds up the wallet's coins.
    pub(crate) fn balance(
        &self,
        min_depth: i32,
        avoid_reuse: bool,
        nonmempool: bool,
        spend_unconfirmed: bool,
    ) -> Balance {
        let mut balance = Balance::default();
        let mut known = HashSet::new();
        for (outpoint, output) in &self.outputs {
            let Some(tx) = self.txs.get(&outpoint.txid) else { continue };
            let trusted = self.is_trusted(tx, spend_unconfirmed, &mut known);
            let spent_outside = match self.how_spent(outpoint) {
                Spent::Confirmed | Spent::Mempool => continue,
                Spent::NonMempool if !nonmempool => continue,
                Spent::NonMempool => true,
                Spent::No => false,
            };
            let confirmed = matches!(tx.state, TxState::Confirmed { .. });
            let sum = if self.is_immature(tx) && confirmed {
                &mut balance.immature
            } else if trusted && self.depth(tx) >= min_depth {
                &mut balance.trusted
            } else if !trusted && tx.state == TxState::InMempool {
                &mut balance.untrusted_pending
            } else {
                continue;
            };
            let sum = if avoid_reuse && self.is_used(&output.script_pubkey) { &mut balance.used } else { sum };
            *sum += output.value;
            if spent_outside {
                balance.nonmempool += output.value;
            }
        }
        balance
    }
}
