//! Work that other threads leave for the message thread, and what wakes it.
//!
//! **Invariant:** leaving work never waits: the lock is held for moments only.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bitcoin::{Block, BlockHash, Txid, Wtxid};

use crate::PeerId;
use crate::link::Link;
use crate::manager::Manager;

/// Something for the message thread to do.
pub(crate) enum Work {
    /// A connection was made.
    Opened(Arc<Link>),
    /// A connection ended.
    Closed(PeerId),
    /// The chain has a new tip.
    Tip {
        /// The tip.
        hash: BlockHash,
        /// Last block that is also on the old chain.
        fork: Option<BlockHash>,
        /// The node still catches up.
        initial_download: bool,
    },
    /// A block joined the chain; it is left out while the node catches up.
    Connected(Option<Arc<Block>>),
    /// A block left the chain.
    Disconnected,
    /// A transaction is to be announced.
    Announce(Txid, Wtxid),
    /// Someone asks.
    Ask(Box<dyn FnOnce(&mut Manager) + Send>),
}

/// The message thread's work.
#[derive(Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    work: Vec<Work>,
    woken: bool,
    closed: bool,
}

impl Inbox {
    /// Leaves work. What is left after the end is dropped.
    pub(crate) fn push(&self, work: Work) {
        let mut state = self.lock();
        if !state.closed {
            state.work.push(work);
            state.woken = true;
            self.filled.notify_one();
        }
    }

    /// Wakes the message thread: a message came, or one could be sent.
    pub(crate) fn wake(&self) {
        let mut state = self.lock();
        state.woken = true;
        self.filled.notify_one();
    }

    /// Ends the message thread; work that waits is dropped.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.work.clear();
        self.filled.notify_one();
    }

    /// Says whether the end came.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Takes all work that is there.
    pub(crate) fn take(&self) -> Vec<Work> {
        std::mem::take(&mut self.lock().work)
    }

    /// Waits until woken, at most for `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) {
        let state = self.lock();
        let (mut state, _) = self
            .filled
            .wait_timeout_while(state, timeout, |state| !state.woken && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        state.woken = false;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
