//! Deadlines for all that a piece of code calls, whatever the methods are.
//!
//! Clients of interfaces are traits without a time limit in every method; who needs one puts it around the calls. It
//! belongs to the thread, as everything about a blocking call does.

use std::cell::Cell;
use std::time::{Duration, Instant};

thread_local! {
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Runs `work`; what it calls in other processes from this thread fails with [`crate::Error::TimedOut`] once `limit` is
/// over. Inside of another limit, the shorter one counts.
pub fn within<T>(limit: Duration, work: impl FnOnce() -> T) -> T {
    /// Sets the former deadline again, also when the work panics.
    struct Restore(Option<Instant>);
    impl Drop for Restore {
        fn drop(&mut self) {
            DEADLINE.set(self.0);
        }
    }
    let _restore = Restore(DEADLINE.get());
    DEADLINE.set(of_call(Some(limit)));
    work()
}

/// Returns when what this thread does has to be done, for what waits by itself inside of [`within`].
pub fn deadline() -> Option<Instant> {
    // While a thread ends there may be no cell any more.
    DEADLINE.try_with(Cell::get).ok().flatten()
}

/// Returns the deadline of a call that is made now and has this limit of its own.
pub(crate) fn of_call(limit: Option<Duration>) -> Option<Instant> {
    // A limit too long to be a time is none.
    let own = limit.and_then(|limit| Instant::now().checked_add(limit));
    [own, deadline()].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_limit_counts_and_ends_with_its_work() {
        let (short, long) = (Duration::from_secs(10), Duration::from_secs(1000));
        let soon =
            |deadline: Option<Instant>| deadline.is_some_and(|at| at < Instant::now() + Duration::from_secs(100));
        assert_eq!(of_call(None), None);
        assert_eq!(of_call(Some(Duration::MAX)), None);
        within(long, || {
            assert!(of_call(None).is_some() && !soon(of_call(None)));
            assert!(soon(of_call(Some(short))));
            within(short, || assert!(soon(of_call(None)) && soon(of_call(Some(long)))));
            within(Duration::MAX, || assert!(of_call(None).is_some()));
            assert!(!soon(of_call(None)));
        });
        let _ = std::panic::catch_unwind(|| within(short, || panic!("on purpose")));
        assert_eq!(of_call(None), None);
    }
}
