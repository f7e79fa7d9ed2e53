//! Rounds the fee rate that is told to peers, so that it does not give away which node this is.

use rand::Rng;

/// Largest rate that has a step of its own.
const MAX_RATE: f64 = 1e7;
/// Ratio of one step to the one below.
const SPACING: f64 = 1.1;

/// Steps that rates are rounded to.
#[derive(Debug)]
pub(crate) struct FeeRounder {
    steps: Vec<i64>,
}

impl FeeRounder {
    /// Makes the steps; `min_rate` is the least rate that counts, in satoshi per 1000 virtual bytes.
    #[allow(clippy::cast_possible_truncation, reason = "the steps are far below the limit")]
    pub(crate) fn new(min_rate: u32) -> Self {
        let mut steps = vec![0];
        let mut step = f64::from(min_rate / 2).max(1.0);
        while step <= MAX_RATE {
            steps.push(step as i64);
            step *= SPACING;
        }
        FeeRounder { steps }
    }

    /// Rounds to one of the two steps around `rate`, mostly to the lower.
    pub(crate) fn round(&self, rate: i64) -> i64 {
        self.rounded(rate, rand::thread_rng().gen_range(0..3) != 0)
    }

    /// Returns the highest step, which asks for no transactions.
    pub(crate) fn highest(&self) -> i64 {
        self.steps.last().copied().unwrap_or(0)
    }

    fn rounded(&self, rate: i64, down: bool) -> i64 {
        let above = self.steps.partition_point(|step| *step < rate);
        let at = if above == self.steps.len() || (above > 0 && down) { above - 1 } else { above };
        self.steps[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_go_to_the_steps_around_them() {
        let rounder = FeeRounder::new(100);
        let check = |rate: i64, down: bool, expected: i64| assert_eq!(rounder.rounded(rate, down), expected, "{rate}");
        check(0, true, 0);
        check(1, true, 0);
        check(1, false, 50);
        check(50, false, 50);
        check(52, true, 50);
        check(52, false, 55);
        check(i64::MAX, false, rounder.highest());
        check(i64::MAX, true, rounder.highest());
        assert_eq!(rounder.highest(), 9_936_506);
    }
}
