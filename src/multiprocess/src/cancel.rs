//! Ends calls from outside: a token that another thread may cancel while this one waits.
//!
//! What a token covers is everything one thread calls inside [`CancelToken::run`]; what the other side calls back
//! meanwhile is not covered, since it is not this caller's to give up.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Error;
use crate::thread::ThreadContext;

/// Cancels calls. Clones are the same token; once cancelled it stays so.
#[derive(Clone, Default)]
pub struct CancelToken(Arc<Token>);

#[derive(Default)]
struct Token {
    cancelled: AtomicBool,
    /// Calls that wait.
    waiting: Mutex<Vec<(u64, Arc<ThreadContext>)>>,
}

thread_local! {
    static CURRENT: RefCell<Option<CancelToken>> = const { RefCell::new(None) };
}

/// Puts the token of before back, also when the work panics.
struct Restore(Option<CancelToken>);

impl Drop for Restore {
    fn drop(&mut self) {
        let token = self.0.take();
        CURRENT.set(token);
    }
}

impl CancelToken {
    /// Makes a token.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the token that covers this thread now, for what waits by itself inside of [`CancelToken::run`].
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
    }

    /// Ends the calls it covers with [`Error::Cancelled`], those to come included, and tells the other side.
    pub fn cancel(&self) {
        // Before the list is looked at: who comes later sees it.
        self.0.cancelled.store(true, Ordering::SeqCst);
        let waiting = std::mem::take(&mut *self.waiting());
        for (call, thread) in waiting {
            thread.answer(call, Err(Error::Cancelled));
        }
    }

    /// Says whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Does work whose calls it covers, in place of a token that covers the caller.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        with(Some(self.clone()), work)
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<(u64, Arc<ThreadContext>)>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `call`, which `thread` waits for, end when the token does.
    pub(crate) fn watch(&self, call: u64, thread: &Arc<ThreadContext>) -> Watch<'_> {
        self.waiting().push((call, thread.clone()));
        if self.is_cancelled() {
            thread.answer(call, Err(Error::Cancelled));
        }
        Watch { token: self, call }
    }
}

/// A call that a token may end.
pub(crate) struct Watch<'a> {
    token: &'a CancelToken,
    call: u64,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.token.waiting().retain(|(call, _)| *call != self.call);
    }
}

/// Does work covered by a token, or by none.
pub(crate) fn with<T>(token: Option<CancelToken>, work: impl FnOnce() -> T) -> T {
    // While a thread ends there may be no cell any more.
    let Ok(before) = CURRENT.try_with(|current| current.replace(token)) else { return work() };
    let _restore = Restore(before);
    work()
}
