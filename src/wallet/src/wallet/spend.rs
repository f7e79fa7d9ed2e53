//! Paying: from recipients to a signed, recorded and broadcast transaction.
//!
//! **Invariant:** a payment is in the wallet file before any node hears of it. A crash in between loses nothing: the
//! next start offers it again.

use std::sync::PoisonError;

use bitcoin::{Amount, ScriptBuf, Transaction, TxOut, Txid};
use log::warn;

use super::Wallet;
use super::draft::{Draft, MAX_STANDARD_WEIGHT, insufficient};
use crate::error::{Error, Result};
use crate::fees::{FeeReason, FeeWish};
use crate::records::{Change, TxState, WalletTx};
use crate::state::{State, flags};

/// One output to pay to.
#[derive(Debug, Clone)]
pub(crate) struct Recipient {
    /// Output script.
    pub(crate) script: ScriptBuf,
    /// Amount.
    pub(crate) amount: Amount,
    /// Takes its part of the fee.
    pub(crate) subtract_fee: bool,
}

/// A payment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Payment {
    /// Whom to pay.
    pub(crate) recipients: Vec<Recipient>,
    /// How to find the fee rate.
    pub(crate) fee: FeeWish,
    /// Leave coins on used addresses alone, in wallets that keep those apart.
    pub(crate) avoid_reuse: bool,
    /// Texts to keep with the transaction, by name.
    pub(crate) texts: Vec<(&'static str, String)>,
}

impl Wallet {
    /// Pays: selects coins, signs, records and broadcasts.
    pub(crate) fn pay(&self, payment: &Payment) -> Result<(Txid, FeeReason)> {
        // One at a time: two would choose the same coins. Everything else goes on meanwhile.
        let turn = self.paying.lock().unwrap_or_else(PoisonError::into_inner);
        let (tx, reason) = loop {
            self.ensure_open()?;
            self.state().ensure_can_pay()?;
            let draft = self.draft(payment)?;
            if self.options.reject_long_chains && draft.coins.iter().any(|coin| coin.coin.depth == 0) {
                self.ensure_short_chain(&draft)?;
            }
            // A coin may have been spent or locked meanwhile; then others are chosen.
            if let Some(tx) = self.record(&draft, payment)? {
                break (tx, draft.reason);
            }
        };
        drop(turn);
        let txid = tx.compute_txid();
        if self.options.broadcast {
            // The payment is made; saying otherwise would invite a second one. It is offered again at the next start.
            if let Err(error) = self.offer(tx) {
                warn!("[{}] transaction {txid} is recorded but not broadcast: {error}", self.name);
            }
        }
        Ok((txid, reason))
    }

    /// Refuses what the mempool would refuse because too many unconfirmed transactions hang together.
    fn ensure_short_chain(&self, draft: &Draft) -> Result<()> {
        let signed = self.state().sign_draft(draft)?;
        if self.chain.exceeds_cluster_limits(signed)? {
            return Err(insufficient("too many unconfirmed transactions in cluster"));
        }
        Ok(())
    }

    /// Signs and records a payment. `None` if it cannot be made any more as drafted.
    fn record(&self, draft: &Draft, payment: &Payment) -> Result<Option<Transaction>> {
        let mut state = self.state();
        state.ensure_can_pay()?;
        if !draft.coins.iter().all(|coin| state.is_still_there(&coin.coin)) {
            return Ok(None);
        }
        let mut changes = Vec::new();
        if let Some(at) = draft.change_at {
            let (script, reserved) = state.next_script(draft.change_type, true, self.options.keypool)?;
            // The address that was next may have been given away meanwhile.
            if draft.tx.output.get(at).is_none_or(|output| output.script_pubkey != script) {
                return Ok(None);
            }
            changes = reserved;
        }
        let tx = state.sign_draft(draft)?;
        let txid = tx.compute_txid();
        let mut entry = WalletTx::new(tx.clone(), TxState::Inactive { abandoned: false });
        entry.time_received = u32::try_from(common::clock::now()).unwrap_or(0);
        entry.time_smart = entry.time_received;
        entry.position = state.next_position;
        payment.texts.iter().for_each(|(name, text)| entry.set_text(name, text));
        changes.push(Change::NextPosition(entry.position + 1));
        changes.push(Change::Tx(Box::new(entry)));
        changes.extend(state.spent_marks(&tx));
        state.commit(changes)?;
        self.log(&format!(
            "Coin Selection: Algorithm:{}, Waste Metric Score:{}",
            draft.chosen.method.name(),
            draft.chosen.waste
        ));
        self.log(&format!("CommitTransaction: {txid}"));
        self.publish(state);
        Ok(Some(tx))
    }

    /// Offers a recorded transaction to the node. That the node refuses it changes nothing in the wallet.
    fn offer(&self, tx: Transaction) -> Result<()> {
        let txid = tx.compute_txid();
        match self.chain.broadcast(tx, Amount::from_sat(self.options.max_fee), true)? {
            Ok(()) => {
                let mut state = self.state();
                state.set_in_mempool(txid, true);
                self.publish(state);
            }
            Err(refusal) => {
                warn!("[{}] transaction {txid} cannot be broadcast immediately: {refusal:?}", self.name);
            }
        }
        Ok(())
    }

    /// Offers the node every unconfirmed transaction that it may not have, parents first.
    pub(crate) fn resubmit(&self) -> Result<()> {
        if !self.options.broadcast {
            return Ok(());
        }
        let pending: Vec<Transaction> = {
            let state = self.state();
            let unconfirmed = state.order.iter().filter_map(|(_, txid)| state.txs.get(txid)).filter(|entry| {
                entry.state == TxState::Inactive { abandoned: false }
                    && !entry.tx.is_coinbase()
                    && !state.is_mempool_conflicted(&entry.tx.compute_txid())
            });
            unconfirmed.map(|entry| entry.tx.clone()).collect()
        };
        self.offer_all(pending)
    }

    /// Offers the node recorded transactions.
    pub(crate) fn offer_all(&self, pending: Vec<Transaction>) -> Result<()> {
        let count = pending.len();
        for tx in pending {
            self.offer(tx)?;
        }
        if count > 0 {
            self.log(&format!("ResubmitWalletTransactions: resubmit {count} unconfirmed transactions"));
        }
        Ok(())
    }
}

impl State {
    /// Refuses if the wallet cannot pay now.
    fn ensure_can_pay(&self) -> Result<()> {
        self.ensure_unlocked()?;
        // Coins may be spent in blocks that the wallet has not seen.
        self.ensure_following()?;
        if self.has_flag(flags::DISABLE_PRIVATE_KEYS) {
            return Err(Error::wallet("Error: Private keys are disabled for this wallet"));
        }
        Ok(())
    }

    /// Signs a draft.
    fn sign_draft(&self, draft: &Draft) -> Result<Transaction> {
        let prevouts: Vec<TxOut> = draft.coins.iter().map(|coin| coin.coin.output.clone()).collect();
        let tx = self.sign(&draft.tx, &prevouts).ok_or_else(|| insufficient("Signing transaction failed"))?;
        if tx.weight().to_wu() > MAX_STANDARD_WEIGHT {
            return Err(insufficient("Transaction too large"));
        }
        Ok(tx)
    }

    /// Marks the addresses that a payment spends from, in wallets that keep those apart.
    fn spent_marks(&self, tx: &Transaction) -> Vec<Change> {
        if !self.has_flag(flags::AVOID_REUSE) {
            return Vec::new();
        }
        tx.input
            .iter()
            .filter_map(|input| self.address(&self.outputs.get(&input.previous_output)?.script_pubkey))
            .map(|address| Change::AddressData(address, "used".to_owned(), "1".to_owned()))
            .collect()
    }
}
