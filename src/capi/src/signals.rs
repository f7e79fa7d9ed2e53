//! Keeping the program's signals away from the library's threads.
//!
//! A signal to a process is handled on any of its threads that lets it. Those of a library are not meant: a program may
//! wait for its signals on a thread of its own, or count on a call being interrupted by one.
#![allow(unsafe_code, reason = "signal masks are C's")]

use std::mem::MaybeUninit;

/// Runs `work` with all signals blocked. Threads that it starts inherit that, and it is not undone there.
pub(crate) fn blocked<T>(work: impl FnOnce() -> T) -> T {
    /// Sets the former mask again, also when the work panics.
    struct Restore(libc::sigset_t);
    impl Drop for Restore {
        fn drop(&mut self) {
            // SAFETY: the mask is one that the system returned.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
        }
    }
    let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    // SAFETY: `sigfillset` initializes the first set, and `pthread_sigmask`, which fails only if it is told to do
    // something that does not exist, the second.
    let _restore = unsafe {
        libc::sigfillset(all.as_mut_ptr());
        if libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), before.as_mut_ptr()) != 0 {
            return work();
        }
        Restore(before.assume_init())
    };
    work()
}
