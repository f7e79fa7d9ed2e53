//! Lets threads wait for the tip of the active chain to change (`waitfornewblock` and its family). It is apart from
//! event delivery because a waiter must not hold up the delivery, and must be woken by the end of the program.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Wake;
use std::time::{Duration, Instant};

use bitcoin::BlockHash;

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
pub struct TipWatch(Arc<Watch>);

#[derive(Debug, Default)]
struct Watch {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    tip: Option<Tip>,
    closed: bool,
}

impl Watch {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has all waiters ask again whether they are done.
impl Wake for Watch {
    fn wake(self: Arc<Self>) {
        let _state = self.state();
        self.changed.notify_all();
    }
}

impl TipWatch {
    /// Records a new tip and wakes all waiters.
    pub(crate) fn set(&self, tip: Tip) {
        self.0.state().tip = Some(tip);
        self.0.changed.notify_all();
    }

    /// Wakes all waiters for good: the program ends.
    pub(crate) fn close(&self) {
        self.0.state().closed = true;
        self.0.changed.notify_all();
    }

    /// Returns the tip, `None` before the genesis block was connected.
    pub fn tip(&self) -> Option<Tip> {
        self.0.state().tip
    }

    /// Has all waiters ask again whether they are done.
    pub(crate) fn wake(&self) {
        self.0.clone().wake();
    }

    /// Like [`Self::wait_until`], for waits that end for other reasons, too: `done` is also asked while there is no tip,
    /// and after each [`Self::wake`].
    pub(crate) fn wait_or_wake(
        &self,
        deadline: Option<Instant>,
        mut done: impl FnMut(Option<&Tip>) -> bool,
    ) -> Option<Tip> {
        let mut state = self.0.state();
        while !state.closed && !done(state.tip.as_ref()) {
            state = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => break,
                Some(left) => self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        state.tip
    }

    /// Waits until `done` accepts the tip, the deadline passes, the program ends or the caller gives up, and returns the tip
    /// then.
    pub fn wait_until(&self, deadline: Option<Instant>, mut done: impl FnMut(&Tip) -> bool) -> Option<Tip> {
        interfaces::wake_when_given_up(|| self.0.clone().into());
        self.wait_or_wake(deadline, |tip| tip.is_some_and(&mut done) || interfaces::caller_has_given_up())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::channel;

    use bitcoin::hashes::Hash;
    use interfaces::Caller;

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
    #[test]
    fn a_wait_ends_with_whoever_waits_for_it() {
        let (sender, wakers) = channel();
        let gone = Arc::new(AtomicBool::new(false));
        let caller: Caller = Arc::new({
            let gone = gone.clone();
            move |waker| {
                waker.into_iter().for_each(|waker| sender.send(waker).expect("the test is there"));
                gone.load(Ordering::Relaxed)
            }
        });
        let waiter =
            std::thread::spawn(|| interfaces::serve_caller(caller, || TipWatch::default().wait_until(None, |_| false)));
        let waker = wakers.recv().expect("it waits");
        gone.store(true, Ordering::Relaxed);
        waker.wake();
        assert_eq!(waiter.join().expect("waiter"), None);
    }
}
