//! What a wallet does that could not take in news of the chain: it stays where it was, says so, and catches up later.
//!
//! Separate from following ([`super::follow`]), because the way back is that of a wallet that is loaded: from the last block
//! in the file.
//!
//! **Invariant:** a wallet that is behind takes in no further news and does not record that it has seen a later block, so
//! that nothing is left out between the last good block and the one that it catches up with.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use log::{error, info, warn};

use super::Wallet;
use crate::error::{Error, Result};
use crate::state::State;

/// Time before the first attempt to catch up; each later one waits twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest time between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Whether and why a wallet is behind the chain.
#[derive(Debug, Default)]
pub(crate) struct Behind {
    /// Reason; `None` for a wallet that follows. Stays until the wallet has caught up.
    pub(crate) reason: Option<String>,
    /// News are dropped: there is a hole that only catching up can close.
    pub(crate) paused: bool,
    /// A thread is there that tries to catch up.
    retrying: bool,
}

impl State {
    /// Refuses what needs to know the whole chain, such as a payment, while the wallet is behind.
    pub(crate) fn ensure_following(&self) -> Result<()> {
        match &self.behind.reason {
            None => Ok(()),
            Some(reason) => Err(Error::wallet(format!("Error: {}", warning(reason)))),
        }
    }
}

/// The sentence that users are shown.
pub(crate) fn warning(reason: &str) -> String {
    format!("the wallet is behind the chain and tries to catch up: {reason}")
}

impl Wallet {
    /// Stops following until the wallet has caught up, which a thread of its own tries from now on.
    pub(crate) fn fall_behind(self: &Arc<Self>, reason: String) {
        if self.closed.load(Ordering::SeqCst) {
            return;
        }
        let mut state = self.state();
        self.caught_up.store(false, Ordering::SeqCst);
        state.behind.paused = true;
        let first = state.behind.reason.replace(reason.clone()).is_none();
        let retrying = std::mem::replace(&mut state.behind.retrying, true);
        drop(state);
        if first {
            error!("[{}] {}", self.name, warning(&reason));
        }
        if retrying {
            return;
        }
        let wallet = Arc::downgrade(self);
        let catch_up = move || {
            if let Some(wallet) = wallet.upgrade() {
                wallet.warn_of(&reason);
            }
            retry(&wallet);
        };
        if let Err(error) = thread::Builder::new().name("wallet-retry".to_owned()).spawn(catch_up) {
            self.state().behind.retrying = false;
            error!("[{}] cannot start the thread that catches up: {error}", self.name);
        }
    }

    /// Has the node show the user why the wallet is behind. The wallet's own log is not where a user looks first.
    fn warn_of(&self, reason: &str) {
        let text = format!("wallet \"{}\": {}", self.name, warning(reason));
        let raised = match self.chain.raise_warning(text) {
            Ok(raised) => raised,
            // The process ends with its connection.
            Err(error) => return warn!("[{}] the node cannot be asked to show the warning: {error}", self.name),
        };
        let mut held = self.warning.lock().unwrap_or_else(PoisonError::into_inner);
        // A wallet that was closed meanwhile shows nothing any more.
        if !self.closed.load(Ordering::SeqCst) {
            *held = Some(raised);
        }
    }

    /// Catches up from the last block in the file, and follows from then on.
    fn catch_up_again(&self) -> Result<()> {
        let reservation = self.reserve_scan()?;
        {
            // From here on news are taken in, as while a wallet is loaded; if one fails, this fails, too. What left the
            // mempool before is not known, so what is in it is found out anew.
            let mut state = self.state();
            state.behind.paused = false;
            state.forget_mempool();
        }
        self.synchronise(false, &reservation)?;
        drop(reservation);
        self.take_mempool()?;
        self.resubmit()
    }
}

/// Returns the time to wait before the attempt after one that was preceded by `pause`.
fn next_pause(pause: Duration) -> Duration {
    (pause * 2).min(LONGEST_PAUSE)
}

/// Tries until the wallet follows again, or is closed.
fn retry(wallet: &Weak<Wallet>) {
    let mut pause = FIRST_PAUSE;
    loop {
        thread::sleep(pause);
        pause = next_pause(pause);
        let Some(wallet) = wallet.upgrade().filter(|wallet| !wallet.closed.load(Ordering::SeqCst)) else { return };
        // A panic must not end the attempts.
        let result = catch_unwind(AssertUnwindSafe(|| wallet.catch_up_again()))
            .unwrap_or_else(|_| Err(Error::wallet("internal error while catching up")));
        let mut state = wallet.state();
        if let Err(error) = result {
            warn!("[{}] cannot catch up yet: {error}", wallet.name);
            wallet.caught_up.store(false, Ordering::SeqCst);
            state.behind.paused = true;
        } else if !state.behind.paused {
            state.behind = Behind::default();
            drop(state);
            drop(wallet.warning.lock().unwrap_or_else(PoisonError::into_inner).take());
            info!("[{}] has caught up and follows the chain again", wallet.name);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_become_rarer_up_to_a_limit() {
        let pauses = std::iter::successors(Some(FIRST_PAUSE), |pause| Some(next_pause(*pause)));
        let seconds: Vec<u64> = pauses.take(7).map(|pause| pause.as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30]);
    }
}
