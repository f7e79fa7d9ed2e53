//! Order between calls that name no thread and those that come after them.
//!
//! The former are what ends a call on another thread, such as an interruption, and clients rely on it that such a call
//! has happened before the next one begins. They run beside the others, so the others wait for them here.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Closed until a call has ended.
#[derive(Default)]
pub(crate) struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
}

/// Opens a gate when dropped.
pub(crate) struct Opener(Arc<Gate>);

impl Gate {
    /// Makes a gate and what opens it.
    pub(crate) fn new() -> (Arc<Gate>, Opener) {
        let gate = Arc::new(Gate::default());
        (gate.clone(), Opener(gate))
    }

    /// Says whether it is open.
    pub(crate) fn is_open(&self) -> bool {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is open.
    pub(crate) fn wait(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_while(open, |open| !*open).unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Opener {
    fn drop(&mut self) {
        *self.0.open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.changed.notify_all();
    }
}
