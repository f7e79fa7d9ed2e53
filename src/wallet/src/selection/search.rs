//! Searches of sets of groups, depth first: branch and bound for a payment without change, and CoinGrinder for the
//! lightest payment with change.
//!
//! Both walk the same tree: groups are sorted by amount, largest first, and each level decides about one of them, first
//! with it, then without. Methods and limits are Bitcoin Core's (`wallet/coinselection.cpp`).

use super::{Entry, Failure, Found, Goal, Stop};

/// Sets that are looked at before a search ends with the best so far.
const MAX_TRIES: usize = 100_000;
/// Sets between two looks at whether the search shall stop.
const STRIDE: usize = 1 << 12;

/// Where to go from a set.
enum Step {
    /// To more groups.
    Deeper,
    /// To the sets without the last group.
    Shift,
    /// To the sets without the last group but one: neither more groups nor leaving out the last one can help.
    Cut,
}

/// A place in the tree: the groups chosen, and sums over them.
struct Walk<'a> {
    pool: &'a [Entry],
    /// Sum of the amounts after each group.
    rest: Vec<i64>,
    chosen: Vec<usize>,
    next: usize,
    amount: i64,
    weight: i64,
    waste: i64,
}

impl<'a> Walk<'a> {
    fn new(pool: &'a [Entry]) -> Self {
        let mut rest = vec![0; pool.len()];
        for at in (1..pool.len()).rev() {
            rest[at - 1] = rest[at] + pool[at].amount;
        }
        Walk { pool, rest, chosen: Vec::new(), next: 0, amount: 0, weight: 0, waste: 0 }
    }

    /// Sum of all amounts.
    fn total(&self) -> i64 {
        self.pool.first().map_or(0, |first| first.amount + self.rest[0])
    }

    fn last(&self) -> usize {
        self.next - 1
    }

    fn include(&mut self) {
        let entry = &self.pool[self.next];
        self.amount += entry.amount;
        self.weight += entry.weight;
        self.waste += entry.waste;
        self.chosen.push(self.next);
        self.next += 1;
    }

    fn leave_out(&mut self) -> Option<usize> {
        let last = self.chosen.pop()?;
        let entry = &self.pool[last];
        self.amount -= entry.amount;
        self.weight -= entry.weight;
        self.waste -= entry.waste;
        Some(last)
    }

    /// Leaves out the last group, and those after it of the same amount: with one of them instead, nothing would be
    /// better. `false` if there is no other set.
    fn shift(&mut self) -> bool {
        while let Some(last) = self.leave_out() {
            let amount = self.pool[last].amount;
            self.next = last + 1;
            while self.pool.get(self.next).is_some_and(|entry| entry.amount == amount) {
                self.next += 1;
            }
            if self.next < self.pool.len() {
                return true;
            }
        }
        false
    }

    /// Visits sets until all were visited or `MAX_TRIES` were.
    fn visit(&mut self, stop: Stop<'_>, mut look: impl FnMut(&Self) -> Step) -> Result<(), Failure> {
        for tries in 1..=MAX_TRIES {
            if tries % STRIDE == 0 {
                stop()?;
            }
            self.include();
            let step = look(self);
            let more = match step {
                Step::Deeper if self.next < self.pool.len() => true,
                Step::Shift if self.next < self.pool.len() => self.shift(),
                _ => {
                    self.leave_out();
                    self.shift()
                }
            };
            if !more {
                break;
            }
        }
        Ok(())
    }
}

fn found(pool: &[Entry], best: Vec<usize>, too_heavy: bool) -> Result<Found, Failure> {
    if best.is_empty() {
        return Err(if too_heavy { Failure::TOO_HEAVY } else { Failure::None });
    }
    Ok(best.into_iter().map(|at| pool[at].group).collect())
}

/// Finds the set with the least waste that pays for the target and leaves less over than change would cost.
pub(super) fn branch_and_bound(mut pool: Vec<Entry>, goal: &Goal, stop: Stop<'_>) -> Result<Found, Failure> {
    pool.sort_unstable_by_key(|entry| (-entry.amount, entry.waste));
    let mut walk = Walk::new(&pool);
    if pool.is_empty() || walk.total() < goal.target {
        return Err(Failure::None);
    }
    // Waste grows with each group where fees are higher now than they will be, and only there.
    let growing = pool[0].waste > 0;
    let (mut best, mut best_waste, mut too_heavy) = (Vec::new(), i64::MAX, false);
    walk.visit(stop, |walk| {
        if walk.amount + walk.rest[walk.last()] < goal.target {
            return Step::Cut;
        }
        if walk.weight > goal.max_weight {
            too_heavy = true;
            return Step::Shift;
        }
        if walk.amount > goal.target + goal.cost_of_change || (growing && walk.waste > best_waste) {
            return Step::Shift;
        }
        if walk.amount < goal.target {
            return Step::Deeper;
        }
        let waste = walk.waste + walk.amount - goal.target;
        if waste <= best_waste {
            best_waste = waste;
            best.clone_from(&walk.chosen);
        }
        Step::Shift
    })?;
    found(&pool, best, too_heavy)
}

/// Finds the lightest set that pays for the target and the change aimed at; of several, the one of the least amount.
pub(super) fn coin_grinder(
    mut pool: Vec<Entry>,
    goal: &Goal,
    max_weight: i64,
    stop: Stop<'_>,
) -> Result<Found, Failure> {
    pool.sort_unstable_by_key(|entry| (-entry.amount, entry.weight));
    let mut walk = Walk::new(&pool);
    let target = goal.target + goal.change_target;
    if pool.is_empty() || walk.total() < target {
        return Err(Failure::None);
    }
    // Least weight of a group after each one.
    let mut lightest = vec![i64::MAX; pool.len()];
    for at in (1..pool.len()).rev() {
        lightest[at - 1] = lightest[at].min(pool[at].weight);
    }
    let (mut best, mut best_weight, mut best_amount, mut too_heavy) = (Vec::new(), max_weight, i64::MAX, false);
    walk.visit(stop, |walk| {
        let last = walk.last();
        let worse = || if pool[last].weight <= lightest[last] { Step::Cut } else { Step::Shift };
        if walk.amount + walk.rest[last] < target {
            return Step::Cut;
        }
        if walk.weight > best_weight {
            too_heavy |= walk.weight > max_weight;
            return worse();
        }
        if walk.amount >= target {
            if walk.weight < best_weight || walk.amount < best_amount {
                (best_weight, best_amount) = (walk.weight, walk.amount);
                best.clone_from(&walk.chosen);
            }
            return Step::Shift;
        }
        // At least so many groups are missing, none larger than the last.
        let missing = (target - walk.amount + pool[last].amount - 1) / pool[last].amount;
        if !best.is_empty() && walk.weight.saturating_add(lightest[last].saturating_mul(missing)) > best_weight {
            return worse();
        }
        Step::Deeper
    })?;
    found(&pool, best, too_heavy)
}
