//! Drafting a payment: which coins it spends, which outputs it makes, what it pays. No lock is held meanwhile: a wallet
//! of many coins answers while it thinks.
//!
//! **Invariant:** amounts and rates are exact integers, and a draft pays at least its fee rate.

use std::collections::BTreeSet;

use bitcoin::absolute::LockTime;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness};
use rand::Rng;
use rpc::code;

use super::Wallet;
use super::coins::{CoinFilter, InputWeight};
use super::spend::{Payment, Recipient};
use crate::descriptor::OutputType;
use crate::error::{Error, Result};
use crate::fees::{self, FeePlan, FeeReason, Rate};
use crate::selection::{self, Candidate, Chosen, Failure, Goal, Surroundings, Unconfirmed};
use crate::state::{State, flags};

/// Weight of the largest transaction that nodes relay.
pub(super) const MAX_STANDARD_WEIGHT: u64 = 400_000;
/// A tip older than this says nothing about where the chain is, seconds.
const MAX_TIP_AGE: i64 = 8 * 60 * 60;
/// Virtual size of a nested segwit input: what spending change is taken to cost where it is not known.
const UNKNOWN_SPEND: u64 = 91;

/// A payment thought out, not yet signed.
pub(super) struct Draft {
    /// Spent coins.
    pub(super) coins: Vec<Candidate>,
    /// The transaction without signatures.
    pub(super) tx: Transaction,
    /// Which output is change.
    pub(super) change_at: Option<usize>,
    /// Kind of the change output.
    pub(super) change_type: OutputType,
    /// What it pays, satoshi.
    pub(super) fee: u64,
    /// Why it pays this rate.
    pub(super) reason: FeeReason,
    /// How it was made, for the log.
    pub(super) chosen: Chosen,
}

/// What a draft starts from.
struct Scene<'a> {
    payment: &'a Payment,
    plan: FeePlan,
    candidates: Vec<Candidate>,
    unconfirmed: Unconfirmed,
    change_type: OutputType,
    /// Script of the change, or of its length.
    change_script: ScriptBuf,
    /// Why there can be no change.
    no_change: Option<Error>,
    /// Virtual size of an input that spends the change.
    change_spend: u64,
    lock_time: LockTime,
}

pub(super) fn insufficient(message: impl Into<String>) -> Error {
    Error::refused(code::WALLET_INSUFFICIENT_FUNDS, message)
}

impl Wallet {
    /// Drafts a payment; with coins of a script spent together if that costs no more than `-maxapsfee`.
    pub(super) fn draft(&self, payment: &Payment) -> Result<Draft> {
        let mut scene = self.survey(payment)?;
        let group = {
            let apart = payment.avoid_reuse && self.state().has_flag(flags::AVOID_REUSE);
            self.options.avoid_partial_spends || apart
        };
        let draft = self.draft_with(&mut scene, group)?;
        let Some(allowed) = self.options.max_aps_fee.filter(|_| draft.fee > 0 && !group) else { return Ok(draft) };
        match self.draft_with(&mut scene, true) {
            Ok(grouped) => {
                let better = grouped.fee <= draft.fee.saturating_add(allowed);
                self.log(&format!(
                    "Fee non-grouped = {}, grouped = {}, using {}",
                    draft.fee,
                    grouped.fee,
                    if better { "grouped" } else { "non-grouped" }
                ));
                Ok(if better { grouped } else { draft })
            }
            Err(Error::Refused { .. }) => Ok(draft),
            Err(error) => Err(error),
        }
    }

    /// Asks node and wallet for everything that a draft needs.
    fn survey<'a>(&self, payment: &'a Payment) -> Result<Scene<'a>> {
        let recipients = &payment.recipients;
        if recipients.is_empty() {
            return Err(insufficient("Transaction must have at least one recipient"));
        }
        let policy = self.chain.fee_policy()?;
        let dust = Rate::from(policy.dust);
        if recipients.iter().any(|to| is_dust(&output(to.amount, to.script.clone()), dust)) {
            return Err(insufficient("Transaction amount too small"));
        }
        let plan = fees::plan(&*self.chain, &policy, &self.options, &payment.fee)?;
        check_rate(&plan, payment, self.options.min_fee)?;
        let status = self.chain.status()?;
        let current = !status.initial_block_download && status.tip.time >= common::clock::now() - MAX_TIP_AGE;
        let filter = CoinFilter { used_too: !payment.avoid_reuse, ..CoinFilter::default() };
        let mut scene = {
            let state = self.state();
            let change_type = self.change_type(&state, recipients);
            // Without a script for change, no change can be made; there may be need for none.
            let (change_script, no_change) = match state.next_script(change_type, true, self.options.keypool) {
                Ok((script, _)) => (script, None),
                Err(error) => (ScriptBuf::new(), Some(error)),
            };
            let tip = state.tip.map_or(0, |tip| tip.height);
            Scene {
                payment,
                plan,
                candidates: state.candidates(&filter, self.options.spend_unconfirmed_change),
                unconfirmed: Unconfirmed {
                    change: self.options.spend_unconfirmed_change,
                    long_chains: !self.options.reject_long_chains,
                    max_ancestors: policy.ancestor_limit.into(),
                    max_cluster: policy.descendant_limit.into(),
                },
                change_type,
                change_spend: state.change_spend(&change_script, change_type),
                change_script,
                no_change,
                lock_time: lock_time(if current { tip } else { 0 }),
            }
        };
        self.ask_mempool(&mut scene)?;
        Ok(scene)
    }

    /// Finds out what unconfirmed coins depend on.
    fn ask_mempool(&self, scene: &mut Scene<'_>) -> Result<()> {
        let unconfirmed = scene.candidates.iter().filter(|candidate| candidate.coin.depth == 0);
        let txids: BTreeSet<Txid> = unconfirmed.map(|candidate| candidate.coin.outpoint.txid).collect();
        if txids.is_empty() {
            return Ok(());
        }
        let txids: Vec<Txid> = txids.into_iter().collect();
        let ancestry = self.chain.mempool_ancestry(txids.clone())?;
        let fees = self.chain.bump_fees(txids.clone(), scene.plan.rate.sat_per_kvb())?;
        for candidate in scene.candidates.iter_mut().filter(|candidate| candidate.coin.depth == 0) {
            let Ok(at) = txids.binary_search(&candidate.coin.outpoint.txid) else { continue };
            if let Some(Some(known)) = ancestry.get(at) {
                (candidate.ancestors, candidate.cluster) = (known.ancestors, known.cluster);
            }
            candidate.bump_fee = fees.each.get(at).map_or(0, |fee| signed(fee.to_sat()));
        }
        Ok(())
    }

    fn draft_with(&self, scene: &mut Scene<'_>, group: bool) -> Result<Draft> {
        let mut goal = scene.goal(group)?;
        // What is counted for inputs covers all that grows with their number; should it not, the missing part is added.
        for _ in 0..3 {
            let chosen = scene.choose(self, &goal)?;
            let rate = scene.plan.rate;
            let coins: Vec<Candidate> =
                chosen.coins.iter().filter_map(|number| scene.candidates.get(*number)).cloned().collect();
            let recipients = &scene.payment.recipients;
            let mut outputs: Vec<TxOut> = recipients.iter().map(|to| output(to.amount, to.script.clone())).collect();
            let mut change_at = None;
            if chosen.change > 0 {
                if let Some(error) = scene.no_change.take() {
                    return Err(insufficient(format!(
                        "Transaction needs a change address, but we can't generate it. {error}"
                    )));
                }
                let at = rand::thread_rng().gen_range(0..=outputs.len());
                outputs.insert(at, output(Amount::from_sat(chosen.change as u64), scene.change_script.clone()));
                change_at = Some(at);
            }
            let weights: Vec<InputWeight> = coins.iter().map(|coin| coin.weight).collect();
            let output_weight = outputs.iter().map(|output| output.weight().to_wu()).sum();
            let vsize = transaction_vsize(&weights, output_weight, outputs.len());
            let needed = signed(rate.fee(vsize)) + chosen.bump_fee;
            let selected: Amount = coins.iter().map(|coin| coin.coin.output.value).sum();
            let paid = |outputs: &[TxOut]| {
                signed(selected.to_sat()) - signed(outputs.iter().map(|output| output.value.to_sat()).sum())
            };
            let more = paid(&outputs) - needed;
            if let Some(at) = change_at.filter(|_| more > 0) {
                outputs[at].value += Amount::from_sat(more as u64);
            }
            if goal.subtract_fee {
                let owed = needed - paid(&outputs);
                take_fee(&mut outputs, change_at, recipients, owed, scene.plan.dust)?;
            } else if more < 0 {
                goal.target -= more;
                continue;
            }
            let fee = u64::try_from(paid(&outputs)).unwrap_or(0);
            if fee > self.options.max_fee {
                return Err(insufficient("Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)"));
            }
            return Ok(Draft {
                tx: scene.transaction(&coins, outputs, self.options.signal_rbf),
                coins,
                change_at,
                change_type: scene.change_type,
                fee,
                reason: scene.plan.reason,
                chosen,
            });
        }
        Err(Error::wallet("the fee of the payment cannot be worked out"))
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
}

impl Scene<'_> {
    fn sum(&self) -> Amount {
        self.payment.recipients.iter().map(|to| to.amount).sum()
    }

    /// Everything but inputs and change.
    fn fixed_vsize(&self) -> u64 {
        let recipients = &self.payment.recipients;
        let outputs: usize = recipients.iter().map(|to| output(to.amount, to.script.clone()).size()).sum();
        10 + compact_size(recipients.len()) + outputs as u64
    }

    fn goal(&self, group: bool) -> Result<Goal> {
        let (plan, recipients) = (&self.plan, &self.payment.recipients);
        let subtract_fee = recipients.iter().any(|to| to.subtract_fee);
        let change = output(Amount::ZERO, self.change_script.clone());
        let change_fee = signed(plan.rate.fee(change.size() as u64));
        let spend_fee = signed(plan.discard.fee(self.change_spend));
        let sum = signed(self.sum().to_sat());
        let fixed = self.fixed_vsize();
        let goal = Goal {
            target: sum + if subtract_fee { 0 } else { signed(plan.rate.fee(fixed)) },
            rate: plan.rate,
            long_term: plan.long_term,
            subtract_fee,
            change_fee,
            cost_of_change: spend_fee + change_fee,
            change_target: selection::change_target(
                sum / signed(recipients.len() as u64),
                change_fee,
                &mut rand::thread_rng(),
            ),
            min_change: (spend_fee + 1).max(signed(dust_threshold(&change, plan.discard))),
            max_weight: signed(MAX_STANDARD_WEIGHT) - signed(fixed * 4),
            change_weight: signed(change.size() as u64 * 4),
            group,
        };
        if goal.target == 0 {
            return Err(insufficient(
                "Transaction requires one destination of non-zero value, a non-zero feerate, or a pre-selected input",
            ));
        }
        Ok(goal)
    }

    fn choose(&self, wallet: &Wallet, goal: &Goal) -> Result<Chosen> {
        let surroundings = Around { wallet, rate: self.plan.rate };
        let mut rng = rand::thread_rng();
        selection::select(&self.candidates, goal, &self.unconfirmed, &surroundings, &mut rng).map_err(|failure| {
            match failure {
                Failure::Because(reason) => insufficient(reason),
                Failure::Ended(error) => error,
                Failure::None => self.shortfall(goal),
            }
        })
    }

    /// Says why the coins are not enough.
    fn shortfall(&self, goal: &Goal) -> Error {
        let available: Amount = self.candidates.iter().map(|candidate| candidate.coin.output.value).sum();
        let effective: i64 = self
            .candidates
            .iter()
            .map(|candidate| candidate.effective_value(goal.rate))
            .filter(|value| *value > 0)
            .sum();
        if !goal.subtract_fee && available >= self.sum() && effective < goal.target {
            let fee = fees::money(Amount::from_sat(self.plan.rate.fee(self.fixed_vsize())));
            return insufficient(format!("The total exceeds your balance when the {fee} transaction fee is included."));
        }
        insufficient("Insufficient funds")
    }

    fn transaction(&self, coins: &[Candidate], output: Vec<TxOut>, signal: bool) -> Transaction {
        let fee = &self.payment.fee;
        let replaceable = fee.replaceable.unwrap_or(fee.rate.is_some() || signal);
        let sequence = if replaceable { Sequence::ENABLE_RBF_NO_LOCKTIME } else { Sequence::ENABLE_LOCKTIME_NO_RBF };
        let input = |outpoint: OutPoint| TxIn {
            previous_output: outpoint,
            script_sig: ScriptBuf::new(),
            sequence,
            witness: Witness::new(),
        };
        Transaction {
            version: Version::TWO,
            lock_time: self.lock_time,
            input: coins.iter().map(|coin| input(coin.coin.outpoint)).collect(),
            output,
        }
    }
}

/// A wallet that coins are selected for.
struct Around<'a> {
    wallet: &'a Wallet,
    rate: Rate,
}

impl Surroundings for Around<'_> {
    fn go_on(&self) -> Result<()> {
        self.wallet.ensure_open()
    }

    fn bump_fee(&self, txids: Vec<Txid>) -> Result<i64> {
        let fees = self.wallet.chain.bump_fees(txids, self.rate.sat_per_kvb())?;
        Ok(signed(fees.together.to_sat()))
    }
}

impl State {
    /// Virtual size of an input that spends change to a script that may not be in the range yet.
    fn change_spend(&self, script: &ScriptBuf, kind: OutputType) -> u64 {
        if script.is_empty() {
            return UNKNOWN_SPEND;
        }
        InputWeight::of(&self.concrete(script)).map_or(
            match kind {
                OutputType::Legacy => 148,
                OutputType::P2shSegwit => UNKNOWN_SPEND,
                OutputType::Bech32 => 68,
                OutputType::Bech32m => 58,
            },
            |weight| weight.vsize(),
        )
    }
}

fn output(value: Amount, script_pubkey: ScriptBuf) -> TxOut {
    TxOut { value, script_pubkey }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX / 4)
}

/// A lock time at the tip keeps miners from gaining by replacing it; one further back now and then hides transactions
/// that were delayed. `height` is zero where the wallet does not know the tip.
fn lock_time(height: u32) -> LockTime {
    let mut rng = rand::thread_rng();
    let back = if height > 0 && rng.gen_range(0..10) == 0 { rng.gen_range(0..100) } else { 0 };
    LockTime::from_height(height.saturating_sub(back)).unwrap_or(LockTime::ZERO)
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

/// Takes `owed` satoshi from the outputs of the recipients that pay the fee; the first pays what does not divide.
fn take_fee(
    outputs: &mut [TxOut],
    change_at: Option<usize>,
    recipients: &[Recipient],
    owed: i64,
    dust: Rate,
) -> Result<()> {
    let payers = signed(recipients.iter().filter(|to| to.subtract_fee).count() as u64);
    let (share, mut rest) = (owed / payers, owed % payers);
    let to_recipients = outputs.iter_mut().enumerate().filter(|(at, _)| Some(*at) != change_at);
    for ((_, output), _) in to_recipients.zip(recipients).filter(|(_, to)| to.subtract_fee) {
        let left = signed(output.value.to_sat()) - share - std::mem::take(&mut rest);
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

/// Bytes that a count takes.
fn compact_size(count: usize) -> u64 {
    match count {
        0..=0xfc => 1,
        0xfd..=0xffff => 3,
        _ => 5,
    }
}

/// Virtual size of a signed transaction.
fn transaction_vsize(inputs: &[InputWeight], output_weight: u64, outputs: usize) -> u64 {
    let segwit = inputs.iter().any(|input| input.segwit);
    let own: u64 = inputs.iter().map(|input| input.weight.to_wu() + u64::from(segwit && !input.segwit)).sum();
    let fixed = (4 + 4 + compact_size(inputs.len()) + compact_size(outputs)) * 4 + if segwit { 2 } else { 0 };
    (fixed + own + output_weight).div_ceil(4)
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

    #[test]
    fn the_recipients_share_the_fee_and_change_pays_none() {
        let recipient = |subtract_fee| Recipient { script: ScriptBuf::new(), amount: Amount::ZERO, subtract_fee };
        let recipients = [recipient(true), recipient(false), recipient(true)];
        let made = |values: &[u64]| -> Vec<TxOut> {
            values.iter().map(|value| output(Amount::from_sat(*value), ScriptBuf::new())).collect()
        };
        let none = Rate::from_sat_per_kvb(0);
        let mut outputs = made(&[1000, 77, 2000, 3000]);
        take_fee(&mut outputs, Some(1), &recipients, 101, none).unwrap();
        assert_eq!(outputs, made(&[949, 77, 2000, 2950]));
        // What is over is theirs.
        take_fee(&mut outputs, Some(1), &recipients, -10, none).unwrap();
        assert_eq!(outputs, made(&[954, 77, 2000, 2955]));
        let error = take_fee(&mut outputs, Some(1), &recipients, 10_000, none).unwrap_err();
        assert_eq!(error.to_string(), "The transaction amount is too small to pay the fee");
        let error = take_fee(&mut outputs, Some(1), &recipients, 1800, Rate::from_sat_per_kvb(3000)).unwrap_err();
        assert_eq!(error.to_string(), "The transaction amount is too small to send after the fee has been deducted");
    }
}
