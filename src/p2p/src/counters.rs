//! Bytes of all connections, and the limit on what is sent in a day (`-maxuploadtarget`). Past the limit less is served;
//! what keeps the network together is sent all the same.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::stats::UploadTarget;
use crate::time;

/// Seconds over which what is sent is counted.
pub const TIMEFRAME: i64 = 24 * 60 * 60;
/// Seconds in which a block is to be expected, and the bytes one may have: so much is kept for new blocks.
const BLOCK: (i64, u64) = (600, 4_000_000);

/// What came and what went.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    sent: AtomicU64,
    received: AtomicU64,
    /// Most bytes to be sent in a timeframe; 0 for any number.
    target: u64,
    cycle: Mutex<Cycle>,
}

/// The timeframe that is counted.
#[derive(Debug, Default)]
struct Cycle {
    /// Unix seconds; 0 before anything was sent.
    start: i64,
    sent: u64,
}

impl Counters {
    /// Begins at zero.
    pub(crate) fn new(target: u64) -> Self {
        Counters { target, ..Counters::default() }
    }

    /// Counts what came.
    pub(crate) fn add_received(&self, count: u64) {
        self.received.fetch_add(count, Ordering::Relaxed);
    }

    /// Counts what went.
    pub(crate) fn add_sent(&self, count: u64) {
        self.sent.fetch_add(count, Ordering::Relaxed);
        if self.target == 0 {
            return;
        }
        let now = time::seconds(time::now());
        let mut cycle = self.cycle();
        if cycle.start + TIMEFRAME < now {
            *cycle = Cycle { start: now, sent: 0 };
        }
        cycle.sent += count;
    }

    /// Returns what came and what went.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.received.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed))
    }

    /// Says how far the limit is.
    pub(crate) fn upload_target(&self) -> UploadTarget {
        let target = self.target;
        if target == 0 {
            let (reached, serves_old_blocks) = (false, true);
            return UploadTarget { target, reached, serves_old_blocks, bytes_left: 0, seconds_left: 0 };
        }
        let cycle = self.cycle();
        let now = time::seconds(time::now());
        let seconds_left = if cycle.start == 0 { TIMEFRAME } else { (cycle.start + TIMEFRAME - now).max(0) };
        // An old block may have to wait until all new ones have their place.
        let kept = (seconds_left / BLOCK.0).unsigned_abs() * BLOCK.1;
        UploadTarget {
            target,
            reached: cycle.sent >= target,
            serves_old_blocks: cycle.sent < target.saturating_sub(kept),
            bytes_left: target.saturating_sub(cycle.sent),
            seconds_left,
        }
    }

    fn cycle(&self) -> MutexGuard<'_, Cycle> {
        self.cycle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_blocks_stop_before_new_ones() {
        let counters = Counters::new(600_000_000);
        let now = || {
            let UploadTarget { reached, serves_old_blocks, bytes_left, .. } = counters.upload_target();
            (reached, serves_old_blocks, bytes_left)
        };
        assert_eq!(now(), (false, true, 600_000_000));
        // A day has 144 blocks of 4,000,000 bytes.
        counters.add_sent(23_999_999);
        assert_eq!(now(), (false, true, 576_000_001));
        counters.add_sent(5_000_000);
        assert_eq!(now(), (false, false, 571_000_001));
        counters.add_sent(600_000_000);
        assert_eq!(now(), (true, false, 0));
        assert_eq!(counters.totals(), (0, 628_999_999));
    }

    #[test]
    fn without_a_limit() {
        let counters = Counters::default();
        counters.add_sent(u64::MAX / 2);
        counters.add_received(7);
        let target = counters.upload_target();
        assert!(!target.reached && target.serves_old_blocks);
        assert_eq!((target.target, target.bytes_left, target.seconds_left), (0, 0, 0));
    }
}
