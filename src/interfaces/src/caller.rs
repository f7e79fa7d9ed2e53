//! Whether anybody still waits for what a thread is doing.
//!
//! Separate from the traits because it is not a part of any call: long waits look at it now and then, everything else
//! need not.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

thread_local! {
    static GIVEN_UP: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

/// Says whether whoever called the method that this thread serves has given the call up: its result is of no use then.
/// Never for a caller of the same process.
pub fn caller_has_given_up() -> bool {
    GIVEN_UP.with(|flag| flag.borrow().as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)))
}

/// Serves a call for a caller who sets `given_up` when it waits no more.
pub fn serve_caller<T>(given_up: Arc<AtomicBool>, serve: impl FnOnce() -> T) -> T {
    /// Puts back what was there before, also when the call panics.
    struct Restore(Option<Arc<AtomicBool>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            let before = self.0.take();
            GIVEN_UP.with(|flag| *flag.borrow_mut() = before);
        }
    }
    let _restore = Restore(GIVEN_UP.with(|flag| flag.replace(Some(given_up))));
    serve()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_has_its_own_caller() {
        let (outer, inner) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
        assert!(!caller_has_given_up());
        serve_caller(outer.clone(), || {
            assert!(!caller_has_given_up());
            serve_caller(inner, || assert!(caller_has_given_up()));
            assert!(!caller_has_given_up());
            outer.store(true, Ordering::Relaxed);
            assert!(caller_has_given_up());
        });
        assert!(!caller_has_given_up());
    }
}
