//! Lets threads wait for the tip of the active chain to change (`waitfornewblock` and its family). It is apart from
//! event delivery because a waiter must not hold up the delivery, and must be woken by the end of the program.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bitcoin::BlockHash;

/// How often a wait looks whether anybody still waits for its answer.
const TICK: Duration = Duration::from_secs(1);

/// A block at the tip of the active chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// Hash of the tip.
    pub hash: BlockHash,
    /// Height of the tip.
    pub height: u32,
}

/// The current tip, and those who wait for the next.
#[derive(Debug, Default)]
pub struct TipWatch {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    tip: Option<Tip>,
    closed: bool,
}

impl TipWatch {
    /// Records a new tip and wakes all waiters.
    pub(crate) fn set(&self, tip: Tip) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).tip = Some(tip);
        self.changed.notify_all();
    }

    /// Wakes all waiters for good: the program ends.
    pub(crate) fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_all();
    }

    /// Returns the tip, `None` before the genesis block was connected.
    pub fn tip(&self) -> Option<Tip> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).tip
    }

    /// Has all waiters ask again whether they are done.
    pub(crate) fn wake(&self) {
        let _state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.changed.notify_all();
    }

    /// Like [`Self::wait_until`], for waits that end for other reasons, too: `done` is also asked while there is no tip,
    /// and after each [`Self::wake`].
    pub(crate) fn wait_or_wake(&self, deadline: Instant, mut done: impl FnMut(Option<&Tip>) -> bool) -> Option<Tip> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !state.closed && !done(state.tip.as_ref()) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.tip
    }

    /// Waits until `done` accepts the tip, the deadline passes, the program ends or the caller gives up, and returns the tip
    /// then.
    pub fn wait_until(&self, deadline: Option<Instant>, mut done: impl FnMut(&Tip) -> bool) -> Option<Tip> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if state.closed || state.tip.as_ref().is_some_and(&mut done) || interfaces::caller_has_given_up() {
                return state.tip;
            }
            let left = deadline.map_or(TICK, |deadline| deadline.saturating_duration_since(Instant::now()).min(TICK));
            if left.is_zero() {
                return state.tip;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bitcoin::hashes::Hash;

    use super::*;

    fn tip(n: u8) -> Tip {
        Tip { hash: BlockHash::from_byte_array([n; 32]), height: n.into() }
    }

    #[test]
    fn waiters_wake_on_change_deadline_and_close() {
        let watch = Arc::new(TipWatch::default());
        assert_eq!(watch.wait_until(Some(Instant::now()), |_| true), None);
        watch.set(tip(1));
        assert_eq!(watch.wait_until(Some(Instant::now()), |t| t.height > 1), Some(tip(1)));
        let waiter = std::thread::spawn({
            let watch = watch.clone();
            move || watch.wait_until(None, |t| t.height >= 2)
        });
        watch.set(tip(2));
        assert_eq!(waiter.join().expect("waiter"), Some(tip(2)));
        watch.close();
        assert_eq!(watch.wait_until(None, |_| false), Some(tip(2)));
    }
}
