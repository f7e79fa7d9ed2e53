//! Whether anybody still waits for what a thread is doing.
//!
//! Separate from the traits because it is not a part of any call: long waits look at it now and then, everything else
//! need not.

use std::cell::RefCell;
use std::sync::Arc;
use std::task::Waker;

/// Who called the method that a thread serves, from another process: says whether they have given the call up. A waker is
/// woken once they have, at once if they have already, and takes the place of the one before.
pub type Caller = Arc<dyn Fn(Option<Waker>) -> bool + Send + Sync>;

thread_local! {
    static CALLER: RefCell<Option<Caller>> = const { RefCell::new(None) };
}

/// Says whether whoever called the method that this thread serves has given the call up: its result is of no use then.
/// Never for a caller of the same process.
pub fn caller_has_given_up() -> bool {
    CALLER.with(|caller| caller.borrow().as_ref().is_some_and(|caller| caller(None)))
}

/// Has `waker` woken when that becomes so. For the wait that the thread begins now: a later one takes its place.
pub fn wake_when_given_up(waker: impl FnOnce() -> Waker) {
    if let Some(caller) = CALLER.with(|caller| caller.borrow().clone()) {
        caller(Some(waker()));
    }
}

/// Serves a call for a caller of another process.
pub fn serve_caller<T>(caller: Caller, serve: impl FnOnce() -> T) -> T {
    /// Puts back what was there before, also when the call panics.
    struct Restore(Option<Caller>);
    impl Drop for Restore {
        fn drop(&mut self) {
            let before = self.0.take();
            CALLER.with(|caller| *caller.borrow_mut() = before);
        }
    }
    let _restore = Restore(CALLER.with(|before| before.replace(Some(caller))));
    serve()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn each_call_has_its_own_caller() {
        let gone = Arc::new(AtomicBool::new(false));
        let (outer, inner): (Caller, Caller) = (
            {
                let gone = gone.clone();
                Arc::new(move |_| gone.load(Ordering::Relaxed))
            },
            Arc::new(|_| true),
        );
        assert!(!caller_has_given_up());
        serve_caller(outer, || {
            assert!(!caller_has_given_up());
            serve_caller(inner, || assert!(caller_has_given_up()));
            assert!(!caller_has_given_up());
            gone.store(true, Ordering::Relaxed);
            assert!(caller_has_given_up());
        });
        assert!(!caller_has_given_up());
    }
}
