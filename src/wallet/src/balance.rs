//! What the wallet owns: who spent what, which coins can be trusted, sums.
//!
//! Follows Bitcoin Core's definitions: *trusted* is confirmed, or in the mempool and made by this wallet from trusted
//! coins; *untrusted pending* is in the mempool and not that; *immature* is from coinbases younger than 100 blocks.

use std::collections::HashMap;

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

    /// Says whether a transaction's outputs can be relied on. `known` holds what was found out before.
    pub(crate) fn is_trusted(&self, txid: &Txid, spend_unconfirmed: bool, known: &mut HashMap<Txid, bool>) -> bool {
        // Chains of unconfirmed transactions can be long, so this does not call itself.
        let mut open = vec![*txid];
        while let Some(current) = open.last().copied() {
            let verdict = match known.get(&current) {
                Some(_) => None,
                None => match self.txs.get(&current) {
                    Some(tx) if matches!(tx.state, TxState::Confirmed { .. }) => Some(true),
                    Some(tx) if tx.state == TxState::InMempool && spend_unconfirmed && self.is_from_me(&tx.tx) => {
                        let inputs = tx.tx.input.iter().map(|input| &input.previous_output);
                        let parents: Option<Vec<Txid>> =
                            inputs.map(|input| self.outputs.contains_key(input).then_some(input.txid)).collect();
                        let parents = parents.filter(|all| all.iter().all(|parent| known.get(parent) != Some(&false)));
                        let before = open.len();
                        open.extend(parents.iter().flatten().filter(|parent| !known.contains_key(*parent)));
                        if open.len() > before {
                            continue;
                        }
                        Some(parents.is_some())
                    }
                    _ => Some(false),
                },
            };
            if let Some(verdict) = verdict {
                known.insert(current, verdict);
            }
            open.pop();
        }
        known.get(txid) == Some(&true)
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
        let mut known = HashMap::new();
        for (outpoint, output) in &self.outputs {
            let Some(tx) = self.txs.get(&outpoint.txid) else { continue };
            let trusted = self.is_trusted(&outpoint.txid, spend_unconfirmed, &mut known);
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
