//! The one place that ends the program: requested by RPC, signal, stop height or fatal error, waited for by the main
//! thread. It is separate so that everything can ask for the end and nothing needs to know how it is carried out.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Runs when the end is requested.
type Hook = Box<dyn Fn() + Send>;

/// A request to end the program, and the exit code it will end with.
#[derive(Default)]
pub struct Shutdown {
    requested: Mutex<bool>,
    changed: Condvar,
    hooks: Mutex<Vec<Hook>>,
    exit_code: AtomicU8,
}

impl Shutdown {
    /// Returns a handle on which nothing was requested yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the program to end. Returns whether this was the first request.
    pub fn request(&self) -> bool {
        let mut requested = self.requested.lock().unwrap_or_else(PoisonError::into_inner);
        let first = !std::mem::replace(&mut *requested, true);
        self.changed.notify_all();
        drop(requested);
        if first {
            let hooks = std::mem::take(&mut *self.hooks.lock().unwrap_or_else(PoisonError::into_inner));
            hooks.iter().for_each(|hook| hook());
        }
        first
    }

    /// Runs `hook` on the thread that first asks for the end, at once if that has happened.
    pub fn on_request(&self, hook: impl Fn() + Send + 'static) {
        let requested = self.requested.lock().unwrap_or_else(PoisonError::into_inner);
        if *requested {
            drop(requested);
            hook();
        } else {
            self.hooks.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(hook));
        }
    }

    /// Asks the program to end with exit code 1.
    pub fn request_failure(&self) -> bool {
        self.fail();
        self.request()
    }

    /// Makes the exit code 1 without ending the program.
    pub fn fail(&self) {
        self.exit_code.store(1, Ordering::Release);
    }

    /// Says whether the end was requested.
    pub fn is_requested(&self) -> bool {
        *self.requested.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the request.
    pub fn wait(&self) {
        let mut requested = self.requested.lock().unwrap_or_else(PoisonError::into_inner);
        while !*requested {
            requested = self.changed.wait(requested).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for the request, at most for `timeout`; says whether it came.
    pub fn wait_for(&self, timeout: Duration) -> bool {
        let requested = self.requested.lock().unwrap_or_else(PoisonError::into_inner);
        let (requested, _) = self
            .changed
            .wait_timeout_while(requested, timeout, |requested| !*requested)
            .unwrap_or_else(PoisonError::into_inner);
        *requested
    }

    /// Returns the exit code the program ends with.
    pub fn exit_code(&self) -> u8 {
        self.exit_code.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_request_wins_and_wait_returns() {
        let shutdown = Shutdown::new();
        let ran = std::sync::Arc::new(AtomicU8::new(0));
        let hook = |ran: &std::sync::Arc<AtomicU8>| {
            let ran = ran.clone();
            move || {
                ran.fetch_add(1, Ordering::SeqCst);
            }
        };
        shutdown.on_request(hook(&ran));
        assert!(!shutdown.is_requested());
        assert!(!shutdown.wait_for(Duration::ZERO));
        assert!(shutdown.request());
        assert!(!shutdown.request_failure());
        shutdown.wait();
        assert!(shutdown.wait_for(Duration::ZERO));
        assert_eq!(shutdown.exit_code(), 1);
        assert_eq!(ran.load(Ordering::SeqCst), 1);
        shutdown.on_request(hook(&ran));
        assert_eq!(ran.load(Ordering::SeqCst), 2);
    }
}
