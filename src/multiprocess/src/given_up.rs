//! What a call that is being served learns of its caller: that nobody waits for it any more.
//!
//! **Invariant:** who asks to be woken before the call is given up is woken; who asks afterwards is woken at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Waker;

/// Whether the caller of a call has given it up, or is gone: work that takes long may stop then.
#[derive(Debug, Default)]
pub struct GivenUp {
    flag: AtomicBool,
    /// Who serves the call waits in one place at a time.
    waker: Mutex<Option<Waker>>,
}

impl GivenUp {
    /// Says whether that is so.
    pub fn is_set(&self) -> bool {
        self.flag.load(Ordering::Acquire)
    }

    /// Has `waker` woken once it is so, in the place of the one before.
    pub fn wake(&self, waker: Waker) {
        let before = self.waker.lock().unwrap_or_else(PoisonError::into_inner).replace(waker);
        drop(before);
        if self.is_set() {
            self.take().into_iter().for_each(Waker::wake);
        }
    }

    /// Makes it so. Returns who is to be woken.
    pub(crate) fn set(&self) -> Option<Waker> {
        self.flag.store(true, Ordering::Release);
        self.take()
    }

    fn take(&self) -> Option<Waker> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
