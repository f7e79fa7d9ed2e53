//! Waiting on behalf of a client: for a tip, for time, and for nothing once the call is given up or client or node are
//! gone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Session;
use crate::NodeContext;
use crate::tip::Tip;

/// How often a wait looks whether node and client are still there and want it; also how often a template is compared with a
/// better one. Giving up does not end a wait at once, as Bitcoin Core's clients expect its end in the log after their own.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// What ends the waits of one object.
pub(super) struct Waits<'a> {
    pub(super) context: &'a NodeContext,
    pub(super) session: &'a Session,
    /// Ends one wait, and is taken back by it.
    pub(super) interrupted: &'a AtomicBool,
}

impl Waits<'_> {
    /// Waits until there is a tip and `done` accepts it, or the deadline passes with there being one, and returns it.
    /// `None` if the wait was interrupted or is of no use any more.
    pub(super) fn tip(&self, deadline: Option<Instant>, mut done: impl FnMut(&Tip) -> bool) -> Option<Tip> {
        // What the client knows already must not count as news because the event is still on its way. An error means
        // that the engine is closed.
        self.context.kernel.sync_events().ok()?;
        loop {
            let tick = Instant::now() + TICK;
            let until = deadline.map_or(tick, |deadline| deadline.min(tick));
            let tip = self.context.tip_watch().wait_or_wake(Some(until), |tip| {
                self.interrupted.load(Ordering::Acquire) || tip.is_some_and(&mut done)
            });
            if self.interrupted.swap(false, Ordering::AcqRel)
                || self.session.is_over()
                || self.context.shutdown.is_requested()
                || interfaces::caller_has_given_up()
            {
                return None;
            }
            let late = deadline.is_some_and(|deadline| deadline <= Instant::now());
            if let Some(tip) = tip
                && (late || done(&tip))
            {
                return Some(tip);
            }
        }
    }

    /// Ends the wait that goes on now, or the next.
    pub(super) fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Release);
        self.context.tip_watch().wake();
    }
}

/// Returns when so many milliseconds from now have passed; `None` if that is never. What is less than nothing, or no
/// number, is no time.
pub(super) fn deadline(milliseconds: f64) -> Option<Instant> {
    let limit = Duration::try_from_secs_f64(milliseconds.max(0.0) / 1000.0).ok()?;
    Instant::now().checked_add(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines() {
        let check = |milliseconds: f64, expected: Option<u64>| {
            let now = Instant::now();
            let left = deadline(milliseconds).map(|deadline| deadline.duration_since(now).as_secs());
            assert_eq!(left, expected, "{milliseconds}");
        };
        check(0.0, Some(0));
        check(-5.0, Some(0));
        check(f64::NAN, Some(0));
        check(f64::NEG_INFINITY, Some(0));
        check(90_500.0, Some(90));
        check(f64::MAX, None);
        check(f64::INFINITY, None);
    }
}
