//! Choosing the coins of a payment, by bdk_coin_select: branch and bound for the lowest fee, then largest first.
//!
//! **Invariant:** confirmed coins are preferred to unconfirmed change, and a coin that costs more to spend than it is
//! worth is never chosen.

use std::collections::HashMap;

use bdk_coin_select::metrics::LowestFee;
use bdk_coin_select::{Candidate, ChangePolicy, CoinSelector, DrainWeights, FeeRate, Target, TargetFee, TargetOutputs};
use bitcoin::ScriptBuf;
use rand::seq::SliceRandom;

use super::coins::{Coin, InputWeight};
use crate::fees::Rate;

/// Tries before branch and bound gives up; enough for any wallet without hundreds of coins, quick for those with.
const MAX_ROUNDS: usize = 20_000;

/// A coin with the weight of its input.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    /// The coin.
    pub(crate) coin: Coin,
    /// Weight of its input.
    pub(crate) weight: InputWeight,
}

/// What the coins have to pay for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal {
    /// Sum of the payments.
    pub(crate) value: u64,
    /// Weight of their outputs.
    pub(crate) output_weight: u64,
    /// Number of outputs.
    pub(crate) outputs: usize,
    /// Fee rate; zero if the recipients pay the fee.
    pub(crate) rate: Rate,
    /// Rate at which coins can be spent some other time.
    pub(crate) long_term: Rate,
    /// Weight of a change output.
    pub(crate) change_output_weight: u64,
    /// Weight of spending it later.
    pub(crate) change_spend_weight: u64,
    /// Less is not worth a change output.
    pub(crate) min_change: u64,
}

fn bdk_rate(rate: Rate) -> FeeRate {
    FeeRate::from_sat_per_vb(rate.sat_per_kvb() as f32 / 1000.0)
}

/// Chooses coins. With `group`, coins of a script are spent together. `None` if all of them are not enough.
pub(crate) fn select(inputs: &[Input], goal: &Goal, group: bool) -> Option<Vec<Input>> {
    let confirmed: Vec<Input> = inputs.iter().filter(|input| input.coin.depth > 0).cloned().collect();
    let settled: Vec<Input> =
        confirmed.iter().filter(|input| input.coin.depth >= if input.coin.from_me { 1 } else { 6 }).cloned().collect();
    [&settled, &confirmed, inputs].into_iter().find_map(|tier| select_among(tier, goal, group))
}

fn select_among(inputs: &[Input], goal: &Goal, group: bool) -> Option<Vec<Input>> {
    let mut groups: Vec<Vec<&Input>> = if group {
        let mut by_script: HashMap<&ScriptBuf, Vec<&Input>> = HashMap::new();
        inputs.iter().for_each(|input| by_script.entry(&input.coin.output.script_pubkey).or_default().push(input));
        by_script.into_values().collect()
    } else {
        inputs.iter().map(|input| vec![input]).collect()
    };
    let mut rng = rand::thread_rng();
    groups.shuffle(&mut rng);
    let candidates: Vec<Candidate> = groups.iter().map(|group| candidate(group)).collect();
    let rate = bdk_rate(goal.rate);
    let mut selector = CoinSelector::new(&candidates);
    for (number, candidate) in candidates.iter().enumerate() {
        if candidate.effective_value(rate) <= 0.0 {
            selector.ban(number);
        }
    }
    let outputs = TargetOutputs { value_sum: goal.value, weight_sum: goal.output_weight, n_outputs: goal.outputs };
    let target = Target { fee: TargetFee::from_feerate(rate), outputs };
    let drain =
        DrainWeights { output_weight: goal.change_output_weight, spend_weight: goal.change_spend_weight, n_outputs: 1 };
    let metric = LowestFee {
        target,
        long_term_feerate: bdk_rate(goal.long_term),
        change_policy: ChangePolicy::min_value(drain, goal.min_change),
    };
    let mut best = selector.clone();
    if best.run_bnb(metric, MAX_ROUNDS).is_err() {
        best = selector;
        best.sort_candidates_by_descending_value_pwu();
        best.select_until_target_met(target).ok()?;
    }
    // The library counts in floating point; what it says is enough is counted again exactly.
    let mut chosen: Vec<usize> = best.selected_indices().iter().copied().collect();
    let mut spare: Vec<usize> =
        (0..groups.len()).filter(|number| !chosen.contains(number) && !best.banned().contains(number)).collect();
    spare.sort_by_key(|number| candidates[*number].value);
    while !enough(chosen.iter().flat_map(|number| &groups[*number]).copied(), goal) {
        chosen.push(spare.pop()?);
    }
    let mut chosen: Vec<Input> =
        chosen.into_iter().flat_map(|number| groups[number].iter().copied().cloned()).collect();
    chosen.shuffle(&mut rng);
    Some(chosen)
}

fn candidate(group: &[&Input]) -> Candidate {
    Candidate {
        value: group.iter().map(|input| input.coin.output.value.to_sat()).sum(),
        weight: group.iter().map(|input| input.weight.weight.to_wu()).sum(),
        input_count: group.len(),
        is_segwit: group.iter().any(|input| input.weight.segwit),
    }
}

fn enough<'a>(inputs: impl Iterator<Item = &'a Input> + Clone, goal: &Goal) -> bool {
    let value: u64 = inputs.clone().map(|input| input.coin.output.value.to_sat()).sum();
    let weights: Vec<InputWeight> = inputs.map(|input| input.weight).collect();
    let vsize = transaction_vsize(&weights, goal.output_weight, goal.outputs);
    !weights.is_empty() && value >= goal.value.saturating_add(goal.rate.fee(vsize))
}

/// Virtual size of a signed transaction.
pub(crate) fn transaction_vsize(inputs: &[InputWeight], output_weight: u64, outputs: usize) -> u64 {
    let compact = |count: usize| match count {
        0..=0xfc => 1,
        0xfd..=0xffff => 3,
        _ => 5,
    };
    let segwit = inputs.iter().any(|input| input.segwit);
    let own: u64 = inputs.iter().map(|input| input.weight.to_wu() + u64::from(segwit && !input.segwit)).sum();
    let fixed = (4 + 4 + compact(inputs.len()) + compact(outputs)) * 4 + if segwit { 2 } else { 0 };
    (fixed + own + output_weight).div_ceil(4)
}
