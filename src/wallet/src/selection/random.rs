//! Choices by chance: the single random draw, and the knapsack solver, which looks for a set close to the target.
//!
//! Methods and limits are Bitcoin Core's (`wallet/coinselection.cpp`).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::Rng;
use rand::seq::SliceRandom;

use super::{CHANGE_LOWER, Entry, Failure, Found, Goal, Stop};

/// Sets that the knapsack solver tries.
const ROUNDS: usize = 1000;

/// Draws groups until they pay for the target and change. Where they get too heavy, the least valuable go again.
pub(super) fn single_random_draw(
    mut pool: Vec<Entry>,
    goal: &Goal,
    max_weight: i64,
    rng: &mut impl Rng,
) -> Result<Found, Failure> {
    let target = goal.target + CHANGE_LOWER + goal.change_fee;
    pool.shuffle(rng);
    let mut chosen = BinaryHeap::new();
    let (mut amount, mut weight, mut too_heavy) = (0, 0, false);
    for entry in pool {
        chosen.push((Reverse(entry.amount), entry.weight, entry.group));
        amount += entry.amount;
        weight += entry.weight;
        while weight > max_weight {
            too_heavy = true;
            let Some((Reverse(least), its_weight, _)) = chosen.pop() else { break };
            amount -= least;
            weight -= its_weight;
        }
        if amount >= target {
            return Ok(chosen.into_iter().map(|(_, _, group)| group).collect());
        }
    }
    Err(if too_heavy { Failure::TOO_HEAVY } else { Failure::None })
}

/// Finds a set that is the target, or comes close to the target and the change aimed at from above; or the smallest
/// group that is enough alone, if that is closer.
pub(super) fn knapsack(
    mut pool: Vec<Entry>,
    goal: &Goal,
    max_weight: i64,
    rng: &mut impl Rng,
    stop: Stop<'_>,
) -> Result<Found, Failure> {
    pool.shuffle(rng);
    let with_change = goal.target + goal.change_target;
    let mut larger: Option<Entry> = None;
    let mut smaller = Vec::new();
    let mut too_heavy = false;
    for entry in pool {
        if entry.weight > max_weight {
            too_heavy = true;
        } else if entry.amount == goal.target {
            return Ok(vec![entry.group]);
        } else if entry.amount < with_change {
            smaller.push(entry);
        } else if larger.is_none_or(|larger| entry.amount < larger.amount) {
            larger = Some(entry);
        }
    }
    let alone = |too_heavy: bool| match larger {
        Some(larger) => Ok(vec![larger.group]),
        None if too_heavy => Err(Failure::TOO_HEAVY),
        None => Err(Failure::None),
    };
    let total: i64 = smaller.iter().map(|entry| entry.amount).sum();
    if total == goal.target {
        if smaller.iter().map(|entry| entry.weight).sum::<i64>() <= max_weight {
            return Ok(smaller.into_iter().map(|entry| entry.group).collect());
        }
        too_heavy = true;
    }
    if total < goal.target {
        return alone(too_heavy);
    }
    smaller.sort_unstable_by_key(|entry| (-entry.amount, entry.waste));
    let mut best = Subset { members: vec![true; smaller.len()], amount: total };
    best.improve(&smaller, goal.target, max_weight, rng, stop)?;
    if best.amount != goal.target && total >= with_change {
        best = Subset { members: vec![true; smaller.len()], amount: total };
        best.improve(&smaller, with_change, max_weight, rng, stop)?;
    }
    let far = best.amount != goal.target && best.amount < with_change;
    if larger.is_some_and(|larger| far || larger.amount <= best.amount) {
        return alone(false);
    }
    let chosen = || smaller.iter().zip(&best.members).filter(|(_, member)| **member).map(|(entry, _)| entry);
    if chosen().map(|entry| entry.weight).sum::<i64>() > max_weight {
        return alone(true);
    }
    Ok(chosen().map(|entry| entry.group).collect())
}

/// Some of the groups.
struct Subset {
    members: Vec<bool>,
    amount: i64,
}

impl Subset {
    /// Looks for a set that is enough and of less amount, by chance: about half of the groups first, then others, and
    /// whenever it is enough, without the last one again.
    fn improve(
        &mut self,
        groups: &[Entry],
        target: i64,
        max_weight: i64,
        rng: &mut impl Rng,
        stop: Stop<'_>,
    ) -> Result<(), Failure> {
        let mut members = vec![false; groups.len()];
        for _ in 0..ROUNDS {
            if self.amount == target {
                break;
            }
            stop()?;
            members.fill(false);
            let (mut amount, mut weight, mut reached) = (0, 0, false);
            for first in [true, false] {
                if reached {
                    break;
                }
                // A random bit each.
                let mut bits = 0_u64;
                for (at, entry) in groups.iter().enumerate() {
                    if at % 64 == 0 && first {
                        bits = rng.next_u64();
                    }
                    let take = if first { bits & 1 == 1 } else { !members[at] };
                    bits >>= 1;
                    if !take {
                        continue;
                    }
                    amount += entry.amount;
                    weight += entry.weight;
                    if amount < target || weight > max_weight {
                        members[at] = true;
                        continue;
                    }
                    reached = true;
                    if amount < self.amount {
                        self.amount = amount;
                        members[at] = true;
                        self.members.copy_from_slice(&members);
                    }
                    members[at] = false;
                    amount -= entry.amount;
                    weight -= entry.weight;
                }
            }
        }
        Ok(())
    }
}
