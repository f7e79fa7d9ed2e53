//! How long a thread waits for a connection: where the system waits and not a call, which sees to that itself.
//!
//! **Invariant:** connecting ends, whatever the other side does.

use std::time::{Duration, Instant};

use multiprocess::CancelToken;
use rustix::io::Errno;

/// How long connecting may take for a thread that has no limit of its own.
const LIMIT: Duration = Duration::from_secs(30);

/// Pause between looks at the token.
const LOOK: Duration = Duration::from_millis(100);

/// The limits of a thread that connects: those of [`multiprocess::within`] and [`CancelToken::run`].
pub(crate) struct Patience {
    deadline: Instant,
    token: Option<CancelToken>,
}

impl Patience {
    /// Returns that of this thread.
    pub(crate) fn of_thread() -> Self {
        let deadline = multiprocess::deadline().unwrap_or_else(|| Instant::now() + LIMIT);
        Patience { deadline, token: CancelToken::current() }
    }

    /// Returns the same with another limit, if that is shorter.
    pub(crate) fn at_most(&self, limit: Duration) -> Self {
        Patience { deadline: self.deadline.min(Instant::now() + limit), token: self.token.clone() }
    }

    /// Returns when it ends.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Returns how long to wait until the next [`Self::check`]; more than nothing.
    pub(crate) fn pause(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now()).clamp(Duration::from_millis(1), LOOK)
    }

    /// Says whether it has ended.
    pub(crate) fn check(&self) -> Result<(), Errno> {
        if self.token.as_ref().is_some_and(CancelToken::is_cancelled) {
            return Err(Errno::CANCELED);
        }
        if Instant::now() >= self.deadline { Err(Errno::TIMEDOUT) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_without_a_limit_has_one() {
        let left = || Patience::of_thread().deadline().saturating_duration_since(Instant::now());
        assert!(left() <= LIMIT);
        // One of its own counts instead, also a longer one.
        let hour = Duration::from_secs(3600);
        assert!(multiprocess::within(hour, left) > LIMIT);
        assert!(
            multiprocess::within(hour, || Patience::of_thread().at_most(LIMIT).deadline()) <= Instant::now() + LIMIT
        );
        assert_eq!(multiprocess::within(Duration::ZERO, || Patience::of_thread().check()), Err(Errno::TIMEDOUT));
        let token = CancelToken::new();
        let patience = token.run(Patience::of_thread);
        assert_eq!(patience.check(), Ok(()));
        token.cancel();
        assert_eq!(patience.check(), Err(Errno::CANCELED));
    }
}
