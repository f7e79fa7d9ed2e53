//! Choosing the coins of a payment as Bitcoin Core does: which coins may be used at all, in which order of preference,
//! by four methods, of whose results the one with the least waste is taken.
//!
//! Waste is what the inputs cost now more than they would some other time, plus the cost of change or, without change,
//! what is left over. Nothing here needs a lock, and every search asks now and then whether it shall stop.
//!
//! **Invariant:** what is chosen pays for the target at the rate of the payment, and is not too heavy to be relayed.

use std::collections::{BTreeMap, HashMap};

use bitcoin::{ScriptBuf, Txid};
use rand::Rng;
use rand::seq::SliceRandom;

use crate::descriptor::OutputType;
use crate::error::Error;
use crate::fees::Rate;
use crate::wallet::coins::{Coin, InputWeight};

mod random;
mod search;
#[cfg(test)]
mod tests;

/// Least change aimed at, satoshi.
const CHANGE_LOWER: i64 = 50_000;
/// Most change aimed at, satoshi.
const CHANGE_UPPER: i64 = 1_000_000;
/// Coins in a group.
const GROUP_SIZE: usize = 100;
/// Weight units in a virtual byte.
const SCALE: i64 = 4;
/// Confirmations that coins from others had better have.
const SETTLED: i32 = 6;

/// A coin that may be chosen.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// The coin.
    pub(crate) coin: Coin,
    /// Weight of its input.
    pub(crate) weight: InputWeight,
    /// Kind of its script.
    pub(crate) kind: Option<OutputType>,
    /// Transactions in the mempool that it depends on, its own included.
    pub(crate) ancestors: u64,
    /// Transactions in the mempool that are connected with its own, itself included.
    pub(crate) cluster: u64,
    /// What lifts the transactions that it depends on to the payment's rate, satoshi.
    pub(crate) bump_fee: i64,
}

impl Candidate {
    fn value(&self) -> i64 {
        self.coin.output.value.to_sat() as i64
    }

    fn fee(&self, rate: Rate) -> i64 {
        signed(rate.fee(self.weight.vsize())) + self.bump_fee
    }

    /// Value less what spending it costs, satoshi.
    pub(crate) fn effective_value(&self, rate: Rate) -> i64 {
        self.value() - self.fee(rate)
    }
}

/// What the coins have to pay for, in satoshi and weight units.
#[derive(Debug, Clone)]
pub(crate) struct Goal {
    /// The payments, and the fee of all that is neither input nor change unless the recipients pay it.
    pub(crate) target: i64,
    /// Fee rate.
    pub(crate) rate: Rate,
    /// Rate at which coins can be spent some other time.
    pub(crate) long_term: Rate,
    /// The recipients pay the fee.
    pub(crate) subtract_fee: bool,
    /// Fee of a change output.
    pub(crate) change_fee: i64,
    /// That, and the fee of spending it.
    pub(crate) cost_of_change: i64,
    /// Change that is aimed at where there is change.
    pub(crate) change_target: i64,
    /// Less is not worth a change output.
    pub(crate) min_change: i64,
    /// Most that the inputs may weigh in a transaction without change.
    pub(crate) max_weight: i64,
    /// Weight of a change output.
    pub(crate) change_weight: i64,
    /// Coins of a script are spent together.
    pub(crate) group: bool,
}

/// Which unconfirmed coins may be used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unconfirmed {
    /// Those that the wallet made.
    pub(crate) change: bool,
    /// Even those that the mempool may refuse to build on.
    pub(crate) long_chains: bool,
    /// Most ancestors of a transaction in the mempool, itself included.
    pub(crate) max_ancestors: u64,
    /// Most transactions in a cluster.
    pub(crate) max_cluster: u64,
}

/// How coins were chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// Branch and bound: without change.
    BranchAndBound,
    /// The lightest with change.
    CoinGrinder,
    /// Close to the target.
    Knapsack,
    /// By lot.
    SingleRandomDraw,
}

impl Method {
    /// Name in the log, Bitcoin Core's.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Method::BranchAndBound => "bnb",
            Method::CoinGrinder => "cg",
            Method::Knapsack => "knapsack",
            Method::SingleRandomDraw => "srd",
        }
    }
}

/// Chosen coins.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    /// Their places in the list of candidates, in random order.
    pub(crate) coins: Vec<usize>,
    /// How they were chosen.
    pub(crate) method: Method,
    /// The lower, the better.
    pub(crate) waste: i64,
    /// What lifts the transactions they depend on to the payment's rate, satoshi.
    pub(crate) bump_fee: i64,
    /// Change; zero for none.
    pub(crate) change: i64,
}

/// Why no coins were chosen.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No set of coins will do.
    None,
    /// For this reason; the text is Bitcoin Core's.
    Because(&'static str),
    /// The search was ended, or the node did not answer.
    Ended(Error),
}

impl Failure {
    const TOO_HEAVY: Failure = Failure::Because(
        "The inputs size exceeds the maximum weight. Please try sending a smaller amount or manually consolidating \
         your wallet's UTXOs",
    );
}

impl Failure {
    /// Of two failures, the first that gives a reason; an error if the search was ended.
    fn or(self, other: Failure) -> Result<Failure, Failure> {
        match (self, other) {
            (_, ended @ Failure::Ended(_)) => Err(ended),
            (Failure::None, other) => Ok(other),
            (first, _) => Ok(first),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Ended(error)
    }
}

/// What selection needs of its surroundings.
pub(crate) trait Surroundings {
    /// Refuses if the search shall end.
    fn go_on(&self) -> Result<(), Error>;

    /// What lifts the transactions that these depend on, together, to the payment's rate, satoshi.
    fn bump_fee(&self, txids: Vec<Txid>) -> Result<i64, Error>;
}

type Stop<'a> = &'a dyn Fn() -> Result<(), Error>;

/// A group in a search.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Its number.
    group: usize,
    /// What it adds to the payment.
    amount: i64,
    weight: i64,
    /// Its fee now less its fee some other time.
    waste: i64,
}

/// Numbers of groups.
type Found = Vec<usize>;

/// Coins that are spent together.
#[derive(Debug, Clone)]
struct Group {
    coins: Vec<usize>,
    entry: Entry,
    kind: Option<OutputType>,
    depth: i32,
    from_me: bool,
    ancestors: u64,
    cluster: u64,
    /// More coins of its script are in other groups, and it is the one that may grow.
    partial: bool,
}

impl Group {
    fn new(kind: Option<OutputType>) -> Self {
        let entry = Entry { group: 0, amount: 0, weight: 0, waste: 0 };
        Group {
            coins: Vec::new(),
            entry,
            kind,
            depth: i32::MAX,
            from_me: true,
            ancestors: 0,
            cluster: 0,
            partial: false,
        }
    }

    fn add(&mut self, number: usize, candidate: &Candidate, goal: &Goal) {
        let fee = candidate.fee(goal.rate);
        self.coins.push(number);
        self.entry.amount += candidate.value() - if goal.subtract_fee { 0 } else { fee };
        self.entry.weight += signed(candidate.weight.vsize()) * SCALE;
        self.entry.waste += fee - signed(goal.long_term.fee(candidate.weight.vsize()));
        self.depth = self.depth.min(candidate.coin.depth);
        self.from_me &= candidate.coin.from_me;
        // Ancestors that coins share count for each; of clusters the largest counts.
        self.ancestors += candidate.ancestors;
        self.cluster = self.cluster.max(candidate.cluster);
    }
}

/// Which groups may be used, stricter ones first.
#[derive(Debug, Clone, Copy)]
struct Tier {
    depth_of_ours: i32,
    depth_of_others: i32,
    max_ancestors: u64,
    max_cluster: u64,
    partial: bool,
    /// Coins of several kinds together, if no kind alone is enough.
    mixed: bool,
}

impl Tier {
    fn admits(&self, group: &Group) -> bool {
        group.depth >= if group.from_me { self.depth_of_ours } else { self.depth_of_others }
            && group.ancestors <= self.max_ancestors
            && group.cluster <= self.max_cluster
            && (self.partial || !group.partial)
    }

    fn all(unconfirmed: &Unconfirmed) -> Vec<Tier> {
        let (ancestors, cluster) = (unconfirmed.max_ancestors.max(1), unconfirmed.max_cluster.max(1));
        let confirmed = |depth_of_others, mixed| Tier {
            depth_of_ours: 1,
            depth_of_others,
            max_ancestors: 0,
            max_cluster: 0,
            partial: false,
            mixed,
        };
        let mut tiers = vec![confirmed(SETTLED, false), confirmed(1, true)];
        if unconfirmed.change {
            let young = |max_ancestors, max_cluster, partial| Tier {
                depth_of_ours: 0,
                depth_of_others: 1,
                max_ancestors,
                max_cluster,
                partial,
                mixed: true,
            };
            tiers.push(young(2, 2, false));
            tiers.push(young((ancestors / 3).min(4), (cluster / 3).min(4), false));
            tiers.push(young(ancestors / 2, cluster / 2, false));
            tiers.push(young(ancestors - 1, cluster - 1, true));
            if unconfirmed.long_chains {
                tiers.push(young(u64::MAX, u64::MAX, true));
            }
        }
        tiers
    }
}

/// Change to aim at for payments of this size, as Bitcoin Core: random, so that change is not told by its size.
pub(crate) fn change_target(payment: i64, change_fee: i64, rng: &mut impl Rng) -> i64 {
    if payment <= CHANGE_LOWER / 2 {
        return change_fee + CHANGE_LOWER;
    }
    let upper = payment.saturating_mul(2).min(CHANGE_UPPER);
    change_fee + rng.gen_range(CHANGE_LOWER..upper)
}

/// Chooses coins for a payment.
pub(crate) fn select(
    candidates: &[Candidate],
    goal: &Goal,
    unconfirmed: &Unconfirmed,
    surroundings: &dyn Surroundings,
    rng: &mut impl Rng,
) -> Result<Chosen, Failure> {
    let effective = candidates.iter().map(|candidate| {
        let value = if goal.subtract_fee { candidate.value() } else { candidate.effective_value(goal.rate) };
        value.max(0)
    });
    if effective.sum::<i64>() < goal.target {
        return Err(Failure::None);
    }
    let tiers = Tier::all(unconfirmed);
    let (mixed, positive) = groups(candidates, goal, rng);
    // What no tier admits.
    let mut admitted = 0_i64;
    let mut too_long = 0_i64;
    for group in &mixed {
        if tiers.iter().any(|tier| tier.admits(group)) {
            admitted += group.coins.iter().map(|number| candidates[*number].value()).sum::<i64>();
        } else if group.ancestors >= unconfirmed.max_ancestors || group.cluster >= unconfirmed.max_cluster {
            too_long += group.entry.amount;
        }
    }
    if admitted < goal.target {
        return Err(if admitted + too_long > goal.target {
            Failure::Because(
                "Unconfirmed UTXOs are available, but spending them creates a chain of transactions that will be \
                 rejected by the mempool",
            )
        } else {
            Failure::None
        });
    }
    let mut reason = Failure::None;
    for tier in &tiers {
        let pool = Pool { candidates, goal, surroundings, mixed: &mixed, positive: positive.as_deref() };
        match pool.attempt(tier, rng) {
            Ok(mut chosen) => {
                chosen.coins.shuffle(rng);
                return Ok(chosen);
            }
            Err(failure) => reason = reason.or(failure)?,
        }
    }
    Err(reason)
}

/// Makes groups, of all candidates and of those that are worth more than they cost; `None` for the latter if those are
/// the groups with a positive amount.
fn groups(candidates: &[Candidate], goal: &Goal, rng: &mut impl Rng) -> (Vec<Group>, Option<Vec<Group>>) {
    let finish = |mut groups: Vec<Group>| {
        groups.iter_mut().enumerate().for_each(|(number, group)| group.entry.group = number);
        groups
    };
    if !goal.group {
        let one = |(number, candidate): (usize, &Candidate)| {
            let mut group = Group::new(candidate.kind);
            group.add(number, candidate, goal);
            group
        };
        return (finish(candidates.iter().enumerate().map(one).collect()), None);
    }
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    if order.len() > GROUP_SIZE {
        // Which coins of a script come together is nobody's business.
        order.shuffle(rng);
    }
    let by_script = |wanted: &dyn Fn(&Candidate) -> bool| {
        let mut scripts: HashMap<&ScriptBuf, Vec<Group>> = HashMap::new();
        for number in order.iter().copied().filter(|number| wanted(&candidates[*number])) {
            let candidate = &candidates[number];
            let groups = scripts.entry(&candidate.coin.output.script_pubkey).or_default();
            if groups.last().is_none_or(|group| group.coins.len() >= GROUP_SIZE) {
                groups.push(Group::new(candidate.kind));
            }
            if let Some(group) = groups.last_mut() {
                group.add(number, candidate, goal);
            }
        }
        let several = scripts.into_values().flat_map(|mut groups| {
            let partial = groups.len() > 1;
            if let Some(last) = groups.last_mut() {
                last.partial = partial;
            }
            groups
        });
        finish(several.collect())
    };
    (by_script(&|_| true), Some(by_script(&|candidate| candidate.effective_value(goal.rate) > 0)))
}

/// What coins are chosen from.
struct Pool<'a> {
    candidates: &'a [Candidate],
    goal: &'a Goal,
    surroundings: &'a dyn Surroundings,
    mixed: &'a [Group],
    positive: Option<&'a [Group]>,
}

/// Groups that a tier admits.
#[derive(Default, Clone)]
struct Admitted {
    mixed: Vec<Entry>,
    positive: Vec<Entry>,
}

impl Pool<'_> {
    /// Chooses among the groups of a tier: of one kind if possible, so that the kinds are not seen to belong together.
    fn attempt(&self, tier: &Tier, rng: &mut impl Rng) -> Result<Chosen, Failure> {
        let mut kinds: BTreeMap<Option<OutputType>, Admitted> = BTreeMap::new();
        for group in self.mixed.iter().filter(|group| tier.admits(group)) {
            let admitted = kinds.entry(group.kind).or_default();
            admitted.mixed.push(group.entry);
            if self.positive.is_none() && group.entry.amount > 0 {
                admitted.positive.push(group.entry);
            }
        }
        for group in self.positive.into_iter().flatten().filter(|group| tier.admits(group) && group.entry.amount > 0) {
            kinds.entry(group.kind).or_default().positive.push(group.entry);
        }
        let several = kinds.len() > 1;
        let mut all = Admitted::default();
        let mut best: Option<Chosen> = None;
        for (_, admitted) in kinds {
            if several && tier.mixed {
                all.mixed.extend(&admitted.mixed);
                all.positive.extend(&admitted.positive);
            }
            match self.choose(admitted, rng) {
                Ok(chosen) => best = Some(better(best, chosen)),
                Err(Failure::None) => {}
                Err(failure) => return Err(failure),
            }
        }
        match best {
            Some(best) => Ok(best),
            None if several && tier.mixed => self.choose(all, rng),
            None => Err(Failure::None),
        }
    }

    /// Chooses by every method and takes the result with the least waste.
    fn choose(&self, groups: Admitted, rng: &mut impl Rng) -> Result<Chosen, Failure> {
        let goal = self.goal;
        if goal.max_weight <= 0 {
            return Err(Failure::Because("Maximum transaction weight is less than transaction weight without inputs"));
        }
        let stop = || self.surroundings.go_on();
        let mut best: Option<Chosen> = None;
        let mut reason = Failure::None;
        let mut take = |method: Method, found: Result<Found, Failure>| -> Result<bool, Failure> {
            match found {
                Ok(found) => {
                    // The groups that this method was given.
                    let positive = self.positive.filter(|_| method != Method::Knapsack);
                    let groups = positive.unwrap_or(self.mixed);
                    let coins = found.iter().flat_map(|number| &groups[*number].coins).copied().collect();
                    best = Some(better(best.take(), self.weigh_up(method, coins)?));
                }
                Err(failure) => reason = std::mem::replace(&mut reason, Failure::None).or(failure)?,
            }
            Ok(best.is_some())
        };
        let mut found = false;
        // Where recipients pay the fee, what is left over would be theirs: there is no payment without change to look for.
        if !goal.subtract_fee {
            found = take(Method::BranchAndBound, search::branch_and_bound(groups.positive.clone(), goal, &stop))?;
        }
        let max_weight = goal.max_weight - goal.change_weight;
        if max_weight < 0 && !found {
            return Err(Failure::Because("Maximum transaction weight is too low, can not accommodate change output"));
        }
        // Only this method spends coins that cost more than they are worth, as it always did.
        take(Method::Knapsack, random::knapsack(groups.mixed, goal, max_weight, rng, &stop))?;
        if goal.rate.sat_per_kvb() > 3 * goal.long_term.sat_per_kvb() {
            take(Method::CoinGrinder, search::coin_grinder(groups.positive.clone(), goal, max_weight, &stop))?;
        }
        take(Method::SingleRandomDraw, random::single_random_draw(groups.positive, goal, max_weight, rng))?;
        best.ok_or(reason)
    }

    /// Computes waste and change of coins.
    fn weigh_up(&self, method: Method, coins: Vec<usize>) -> Result<Chosen, Failure> {
        let goal = self.goal;
        let (mut value, mut effective, mut waste, mut bump_fee) = (0, 0, 0, 0);
        let mut unconfirmed = Vec::new();
        for candidate in coins.iter().map(|number| &self.candidates[*number]) {
            let fee = candidate.fee(goal.rate);
            value += candidate.value();
            effective += candidate.value() - fee;
            waste += fee - signed(goal.long_term.fee(candidate.weight.vsize()));
            bump_fee += candidate.bump_fee;
            if candidate.coin.depth <= 0 && candidate.bump_fee > 0 {
                unconfirmed.push(candidate.coin.outpoint.txid);
            }
        }
        if unconfirmed.len() > 1 {
            // What several coins depend on is paid for once.
            let discount = (bump_fee - self.surroundings.bump_fee(unconfirmed)?).max(0);
            bump_fee -= discount;
            effective += discount;
            waste -= discount;
        }
        let over = if goal.subtract_fee { value - goal.target } else { effective - goal.target };
        let change = over - if goal.subtract_fee { 0 } else { goal.change_fee };
        let change = if change < goal.min_change { 0 } else { change };
        waste += if change > 0 { goal.cost_of_change } else { over };
        Ok(Chosen { coins, method, waste, bump_fee, change })
    }
}

/// The one with less waste, or with more inputs.
fn better(best: Option<Chosen>, other: Chosen) -> Chosen {
    match best {
        Some(best) if (best.waste, other.coins.len()) <= (other.waste, best.coins.len()) => best,
        _ => other,
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX / 4)
}
