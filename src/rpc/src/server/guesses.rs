//! Bounds how fast passwords can be guessed, over all connections together.
//!
//! A password is looked at when its request has a turn. A wrong one keeps the turn for as long as its answer is delayed,
//! also when the client does not wait for that; a right one gives it back at once. Requests wait for a turn in the order
//! in which they came, so a right password waits for those before it and no longer than the bound says: [`TURNS`] are
//! wrong in each delay, and not more than [`MOST_WAITING`] wait.
//!
//! Passwords that nobody can guess, and users whose connection has brought the right password before, need no turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Wrong passwords whose answers are delayed at a time. With a delay of 250 ms that makes 40 guesses a second.
pub(super) const TURNS: usize = 10;

/// Requests that wait for a turn at a time; with the delay of 250 ms none waits longer than 5 seconds.
pub(super) const MOST_WAITING: usize = 200;

/// The turns.
pub(super) struct Guesses {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    delay: Duration,
}

/// Lets a password be looked at.
pub(super) struct Turn {
    permit: OwnedSemaphorePermit,
    delay: Duration,
}

impl Guesses {
    /// `delay` is how long the answer to a wrong password takes.
    pub(super) fn new(delay: Duration) -> Self {
        Guesses { turns: Arc::new(Semaphore::new(TURNS)), waiting: AtomicUsize::new(0), delay }
    }

    /// Waits for a turn; `None` if too many wait already.
    pub(super) async fn turn(&self) -> Option<Turn> {
        let turn = |permit| Turn { permit, delay: self.delay };
        if let Ok(permit) = self.turns.clone().try_acquire_owned() {
            return Some(turn(permit));
        }
        let _waiting = Waiting::enter(&self.waiting)?;
        // An error would mean that the semaphore is closed, which it never is.
        self.turns.clone().acquire_owned().await.ok().map(turn)
    }

    /// Waits as long as the answer to a wrong password takes, for one that could not have been right.
    pub(super) async fn delay(&self) {
        tokio::time::sleep(self.delay).await;
    }
}

impl Turn {
    /// Waits as long as the answer to a wrong password takes, and keeps the turn meanwhile.
    pub(super) async fn wrong(self) {
        let Turn { permit, delay } = self;
        let kept = tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            drop(permit);
        });
        // An error would mean that it panicked.
        let _ = kept.await;
    }
}

/// Counts a request that waits, until dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Option<Self> {
        let enter = |waiting| (waiting < MOST_WAITING).then_some(waiting + 1);
        count.fetch_update(Ordering::AcqRel, Ordering::Acquire, enter).ok().map(|_| Waiting(count))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test);
    }

    #[test]
    fn guesses_are_bounded_whoever_waits_for_answers() {
        run(async {
            let delay = Duration::from_millis(20);
            let (guesses, begin) = (Guesses::new(delay), Instant::now());
            for _ in 0..10 * TURNS {
                let answer = tokio::spawn(guesses.turn().await.unwrap().wrong());
                tokio::task::yield_now().await;
                // The client goes away at once.
                answer.abort();
            }
            assert!(begin.elapsed() >= 9 * delay, "{:?}", begin.elapsed());
        });
    }

    #[test]
    fn right_passwords_hold_up_nobody() {
        run(async {
            let guesses = Guesses::new(Duration::from_secs(3600));
            for _ in 0..10 * TURNS {
                drop(guesses.turn().await.unwrap());
            }
        });
    }

    #[test]
    fn not_more_wait_than_are_served_in_bearable_time() {
        run(async {
            let guesses = Arc::new(Guesses::new(Duration::from_secs(3600)));
            for _ in 0..TURNS + MOST_WAITING {
                let guesses = guesses.clone();
                tokio::spawn(async move { guesses.turn().await.unwrap().wrong().await });
            }
            while guesses.waiting.load(Ordering::Acquire) < MOST_WAITING {
                tokio::task::yield_now().await;
            }
            assert!(guesses.turn().await.is_none());
        });
    }
}
