//! Paying: from recipients to a signed, recorded and broadcast transaction.
//!
//! **Invariant:** a payment is in the wallet file before any node hears of it. A crash in between loses nothing: the
//! next start offers it again.

use bitcoin::absolute::LockTime;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness};
use log::warn;
use rand::Rng;
use rpc::code;

use super::Wallet;
use super::coins::{Coin, CoinFilter, InputWeight};
use super::select::{Goal, Input, select, transaction_vsize};
use crate::descriptor::OutputType;
use crate::error::{Error, Result};
use crate::fees::{self, FeePlan, FeeReason, FeeWish, Rate};
use crate::records::{Change, TxState, WalletTx};
use crate::state::{State, flags};

/// Weight of the largest transaction that nodes relay.
const MAX_STANDARD_WEIGHT: u64 = 400_000;
/// A tip older than this says nothing about where the chain is, seconds.
const MAX_TIP_AGE: i64 = 8 * 60 * 60;

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

/// A transaction made, not yet recorded.
struct Made {
    tx: Transaction,
    changes: Vec<Change>,
    reason: FeeReason,
}

fn insufficient(message: impl Into<String>) -> Error {
    Error::refused(code::WALLET_INSUFFICIENT_FUNDS, message)
}

impl Wallet {
    /// Pays: selects coins, signs, records and broadcasts.
    pub(crate) fn pay(&self, payment: &Payment) -> Result<(Txid, FeeReason)> {
        let mut state = self.state();
        state.ensure_unlocked()?;
        // Coins may be spent in blocks that the wallet has not seen.
        state.ensure_following()?;
        if state.has_flag(flags::DISABLE_PRIVATE_KEYS) {
            return Err(Error::wallet("Error: Private keys are disabled for this wallet"));
        }
        let made = self.make(&state, payment)?;
        let txid = made.tx.compute_txid();
        let mut entry = WalletTx::new(made.tx.clone(), TxState::Inactive { abandoned: false });
        entry.time_received = u32::try_from(common::clock::now()).unwrap_or(0);
        entry.time_smart = entry.time_received;
        entry.position = state.next_position;
        payment.texts.iter().for_each(|(name, text)| entry.set_text(name, text));
        let mut changes = made.changes;
        changes.push(Change::NextPosition(entry.position + 1));
        changes.push(Change::Tx(Box::new(entry)));
        changes.extend(state.spent_marks(&made.tx));
        state.commit(changes)?;
        self.log(&format!("CommitTransaction: {txid}"));
        self.publish(state);
        if self.options.broadcast {
            // The payment is made; saying otherwise would invite a second one. It is offered again at the next start.
            if let Err(error) = self.offer(made.tx) {
                warn!("[{}] transaction {txid} is recorded but not broadcast: {error}", self.name);
            }
        }
        Ok((txid, made.reason))
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

    fn make(&self, state: &State, payment: &Payment) -> Result<Made> {
        let recipients = &payment.recipients;
        if recipients.is_empty() {
            return Err(insufficient("Transaction must have at least one recipient"));
        }
        let plan = fees::plan(&*self.chain, &self.options, &payment.fee)?;
        check_rate(&plan, payment, self.options.min_fee)?;
        if recipients.iter().any(|to| is_dust(&output(to.amount, to.script.clone()), plan.dust)) {
            return Err(insufficient("Transaction amount too small"));
        }
        // A change address is reserved now and kept only if there is change. Without one, no change can be made.
        let change_type = self.change_type(state, recipients);
        let reserved = state.next_script(change_type, true, self.options.keypool);
        let change_script = reserved.as_ref().map(|(script, _)| script.clone()).unwrap_or_default();
        let change_spend =
            reserved.as_ref().ok().and_then(|(script, _)| state.change_weight(script, change_type)).unwrap_or(364);
        let change_output_weight = output(Amount::ZERO, change_script.clone()).weight().to_wu();
        let spend_fee = plan.discard.fee(change_spend.div_ceil(4));
        let dust = dust_threshold(&output(Amount::ZERO, change_script.clone()), plan.discard);
        let subtract = recipients.iter().filter(|to| to.subtract_fee).count() as u64;
        let sum: Amount = recipients.iter().map(|to| to.amount).sum();
        let output_weight: u64 =
            recipients.iter().map(|to| output(to.amount, to.script.clone()).weight().to_wu()).sum();
        let goal = Goal {
            value: sum.to_sat(),
            output_weight,
            outputs: recipients.len(),
            rate: if subtract > 0 { Rate::from_sat_per_kvb(0) } else { plan.rate },
            long_term: self.options.consolidate_fee,
            change_output_weight,
            change_spend_weight: change_spend,
            min_change: (spend_fee + 1).max(dust),
        };
        if goal.value == 0 && goal.rate.is_zero() {
            return Err(insufficient(
                "Transaction requires one destination of non-zero value, a non-zero feerate, or a pre-selected input",
            ));
        }
        let inputs = self.inputs(state, payment)?;
        let group = self.options.avoid_partial_spends || (payment.avoid_reuse && state.has_flag(flags::AVOID_REUSE));
        let chosen = select(&inputs, &goal, group).ok_or_else(|| shortfall(&inputs, &goal, sum))?;
        let weights: Vec<InputWeight> = chosen.iter().map(|input| input.weight).collect();
        let selected: Amount = chosen.iter().map(|input| input.coin.output.value).sum();
        let fee = |with_change: bool| {
            let (more, outputs) = if with_change { (change_output_weight, 1) } else { (0, 0) };
            plan.rate.fee(transaction_vsize(&weights, output_weight + more, recipients.len() + outputs))
        };
        // Where recipients pay the fee, change pays only for itself.
        let change_cost = if subtract > 0 { plan.rate.fee(change_output_weight / 4) } else { fee(true) };
        let change = selected.to_sat().checked_sub(sum.to_sat() + change_cost).filter(|left| *left >= goal.min_change);
        let mut outputs: Vec<TxOut> = recipients.iter().map(|to| output(to.amount, to.script.clone())).collect();
        if subtract > 0 {
            let paid = selected.to_sat() - sum.to_sat() - change.unwrap_or(0);
            let owed = i128::from(fee(change.is_some())) - i128::from(paid);
            take_fee(&mut outputs, recipients, owed, subtract, plan.dust)?;
        }
        let mut changes = Vec::new();
        if let Some(change) = change {
            let (script, reserved) = reserved.map_err(|error| {
                insufficient(format!("Transaction needs a change address, but we can't generate it. {error}"))
            })?;
            let at = rand::thread_rng().gen_range(0..=outputs.len());
            outputs.insert(at, output(Amount::from_sat(change), script));
            changes = reserved;
        }
        let tx = self.assemble(state, payment, &chosen, outputs)?;
        let fee = selected - tx.output.iter().map(|output| output.value).sum::<Amount>();
        let prevouts: Vec<TxOut> = chosen.iter().map(|input| input.coin.output.clone()).collect();
        let tx = state.sign(&tx, &prevouts).ok_or_else(|| insufficient("Signing transaction failed"))?;
        if tx.weight().to_wu() > MAX_STANDARD_WEIGHT {
            return Err(insufficient("Transaction too large"));
        }
        if fee.to_sat() > self.options.max_fee {
            return Err(insufficient("Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)"));
        }
        Ok(Made { tx, changes, reason: plan.reason })
    }

    /// Coins to choose from, with the weights of their inputs; none that the mempool would refuse to build on.
    fn inputs(&self, state: &State, payment: &Payment) -> Result<Vec<Input>> {
        let filter = CoinFilter { used_too: !payment.avoid_reuse, ..CoinFilter::default() };
        let mut coins: Vec<Coin> = state.coins(&filter, self.options.spend_unconfirmed_change);
        if self.options.reject_long_chains {
            let policy = self.chain.fee_policy()?;
            let unconfirmed: Vec<Txid> =
                coins.iter().filter(|coin| coin.depth == 0).map(|coin| coin.outpoint.txid).collect();
            if !unconfirmed.is_empty() {
                let known = self.chain.mempool_ancestry(unconfirmed.clone())?;
                let too_long: Vec<Txid> = unconfirmed
                    .into_iter()
                    .zip(known)
                    .filter(|(_, ancestry)| {
                        ancestry.as_ref().is_some_and(|known| {
                            known.ancestors >= u64::from(policy.ancestor_limit)
                                || known.descendants >= u64::from(policy.descendant_limit)
                        })
                    })
                    .map(|(txid, _)| txid)
                    .collect();
                coins.retain(|coin| !too_long.contains(&coin.outpoint.txid));
            }
        }
        let weighed = coins.into_iter().filter_map(|coin| {
            let weight = InputWeight::of(&state.concrete(&coin.output.script_pubkey))?;
            Some(Input { coin, weight })
        });
        Ok(weighed.collect())
    }

    /// Kind of change: as configured, else like the recipient's address, so that change does not stand out.
    fn change_type(&self, state: &State, recipients: &[Recipient]) -> OutputType {
        if let Some(kind) = self.options.change_type {
            return kind;
        }
        if self.options.address_type == OutputType::Legacy {
            return OutputType::Legacy;
        }
        let pays = |test: fn(&ScriptBuf) -> bool| recipients.iter().any(|to| test(&to.script));
        let has = |kind| state.active_manager(kind, true).is_some();
        let like_recipient = [
            (OutputType::Bech32m, pays(|script| script.is_p2tr())),
            (OutputType::Bech32, pays(|script| script.is_p2wpkh())),
            (OutputType::P2shSegwit, pays(|script| script.is_p2sh())),
            (OutputType::Legacy, pays(|script| script.is_p2pkh())),
        ];
        like_recipient
            .into_iter()
            .find_map(|(kind, paid)| (paid && has(kind)).then_some(kind))
            .or_else(|| [OutputType::Bech32m, OutputType::Bech32].into_iter().find(|kind| has(*kind)))
            .unwrap_or(self.options.address_type)
    }

    fn assemble(&self, state: &State, payment: &Payment, chosen: &[Input], output: Vec<TxOut>) -> Result<Transaction> {
        let replaceable = payment.fee.replaceable.unwrap_or(payment.fee.rate.is_some() || self.options.signal_rbf);
        let sequence = if replaceable { Sequence::ENABLE_RBF_NO_LOCKTIME } else { Sequence::ENABLE_LOCKTIME_NO_RBF };
        let input = |outpoint: OutPoint| TxIn {
            previous_output: outpoint,
            script_sig: ScriptBuf::new(),
            sequence,
            witness: Witness::new(),
        };
        Ok(Transaction {
            version: Version::TWO,
            lock_time: self.lock_time(state)?,
            input: chosen.iter().map(|chosen| input(chosen.coin.outpoint)).collect(),
            output,
        })
    }

    /// A lock time at the tip keeps miners from gaining by replacing it; one further back now and then hides
    /// transactions that were delayed.
    fn lock_time(&self, state: &State) -> Result<LockTime> {
        let status = self.chain.status()?;
        let current = !status.initial_block_download && status.tip.time >= common::clock::now() - MAX_TIP_AGE;
        let mut height = if current { state.tip.map_or(0, |tip| tip.height) } else { 0 };
        let mut rng = rand::thread_rng();
        if current && rng.gen_range(0..10) == 0 {
            height = height.saturating_sub(rng.gen_range(0..100));
        }
        Ok(LockTime::from_height(height).unwrap_or(LockTime::ZERO))
    }
}

impl State {
    /// Weight of an input that spends change to a script that may not be in the range yet.
    fn change_weight(&self, script: &ScriptBuf, kind: OutputType) -> Option<u64> {
        InputWeight::of(&self.concrete(script)).map(|input| input.weight.to_wu()).or(Some(match kind {
            OutputType::Legacy => 588,
            OutputType::P2shSegwit => 364,
            OutputType::Bech32 => 271,
            OutputType::Bech32m => 230,
        }))
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

fn output(value: Amount, script_pubkey: ScriptBuf) -> TxOut {
    TxOut { value, script_pubkey }
}

/// Refuses rates below the minimum and a missing estimate.
fn check_rate(plan: &FeePlan, payment: &Payment, min_fee: Rate) -> Result<()> {
    if let Some(wanted) = payment.fee.rate.filter(|wanted| plan.rate > *wanted) {
        let mut message =
            format!("Fee rate ({}) is lower than the minimum fee rate setting ({}).", wanted.text(), plan.rate.text());
        if plan.reason == FeeReason::Required {
            message += &format!(
                "\nConsider modifying -mintxfee ({}) or -minrelaytxfee ({}).",
                min_fee.text(),
                plan.relay.text()
            );
        }
        return Err(insufficient(message));
    }
    if plan.reason == FeeReason::Fallback && plan.rate.is_zero() {
        return Err(insufficient(
            "Fee estimation failed. Fallbackfee is disabled. Wait a few blocks or enable -fallbackfee.",
        ));
    }
    Ok(())
}

/// Says why the coins are not enough.
fn shortfall(inputs: &[Input], goal: &Goal, sum: Amount) -> Error {
    let available: Amount = inputs.iter().map(|input| input.coin.output.value).sum();
    let fee = goal.rate.fee(10 + goal.output_weight / 4);
    let effective: i128 = inputs
        .iter()
        .map(|input| {
            let cost = goal.rate.fee(input.weight.weight.to_vbytes_ceil());
            i128::from(input.coin.output.value.to_sat()) - i128::from(cost)
        })
        .filter(|value| *value > 0)
        .sum();
    if available >= sum && effective < i128::from(goal.value) + i128::from(fee) {
        let fee = Amount::from_sat(fee).to_btc();
        return insufficient(format!("The total exceeds your balance when the {fee:.8} transaction fee is included."));
    }
    insufficient("Insufficient funds")
}

/// Takes `owed` from the outputs of the recipients that pay the fee; the first pays what does not divide.
fn take_fee(outputs: &mut [TxOut], recipients: &[Recipient], owed: i128, payers: u64, dust: Rate) -> Result<()> {
    let (share, rest) = (owed / i128::from(payers), owed % i128::from(payers));
    let mut first = true;
    for (output, _) in outputs.iter_mut().zip(recipients).filter(|(_, to)| to.subtract_fee) {
        let part = share + if std::mem::take(&mut first) { rest } else { 0 };
        let left = i128::from(output.value.to_sat()) - part;
        output.value = u64::try_from(left)
            .map(Amount::from_sat)
            .map_err(|_| insufficient("The transaction amount is too small to pay the fee"))?;
        if is_dust(output, dust) {
            return Err(insufficient("The transaction amount is too small to send after the fee has been deducted"));
        }
    }
    Ok(())
}

/// Value below which spending an output costs more than it is worth at `rate`.
fn dust_threshold(output: &TxOut, rate: Rate) -> u64 {
    let script = &output.script_pubkey;
    if script.is_op_return() {
        return 0;
    }
    // Outpoint, sequence, script length and a signature with its key, for a quarter of the weight in a witness.
    let spend = if script.is_witness_program() { 32 + 4 + 1 + 107 / 4 + 4 } else { 32 + 4 + 1 + 107 + 4 };
    rate.fee(output.size() as u64 + spend)
}

fn is_dust(output: &TxOut, rate: Rate) -> bool {
    output.value.to_sat() < dust_threshold(output, rate)
}

#[cfg(test)]
mod tests {
    use bitcoin::hashes::Hash;

    use super::*;

    #[test]
    fn dust_thresholds_are_cores() {
        let check = |script: ScriptBuf, expected: u64| {
            assert_eq!(dust_threshold(&output(Amount::ZERO, script), Rate::from_sat_per_kvb(3000)), expected);
        };
        check(ScriptBuf::new_p2pkh(&bitcoin::PubkeyHash::all_zeros()), 546);
        check(ScriptBuf::new_p2sh(&bitcoin::ScriptHash::all_zeros()), 540);
        check(ScriptBuf::new_p2wpkh(&bitcoin::WPubkeyHash::all_zeros()), 294);
        check(ScriptBuf::new_p2wsh(&bitcoin::WScriptHash::all_zeros()), 330);
        check(ScriptBuf::new_op_return([1]), 0);
    }
}
