//! Memory for secrets: keys in pages of their own, and the means that keep copies of secrets from outliving their use.
//!
//! Three mechanisms, because secrets get into three kinds of memory:
//! - the heap: [`WipingAllocator`], the programs' global allocator, overwrites each block when it is freed, so that
//!   requests, JSON trees, messages to other processes and strings leave nothing, whatever library made them;
//! - long-lived keys: [`LockedBytes`] is not swapped out, not part of core dumps, and wiped when dropped;
//! - the stack: [`wipe_stack`] overwrites what returned functions left below the caller's frame.
//!
//! **Invariant:** the only unsafe code here makes, reads and frees the pages of [`LockedBytes`].

use std::alloc::{Layout, System, handle_alloc_error};
use std::fmt;
use std::hint::black_box;
use std::ops::Deref;
use std::ptr::NonNull;

pub use zeroizing_alloc::ZeroAlloc;

/// Allocator that overwrites what is freed with zeros.
pub type WipingAllocator = ZeroAlloc<System>;

/// The allocator for `#[global_allocator]`.
pub const WIPING_ALLOCATOR: WipingAllocator = ZeroAlloc(System);

/// Bytes of stack that [`wipe_stack`] overwrites: more than commands and the cryptography below them need.
const WIPED_STACK: usize = 128 * 1024;

/// A fixed number of secret bytes in pages of their own, between pages that cannot be accessed.
///
/// The system is asked not to swap the pages out (it may refuse; `RLIMIT_MEMLOCK`) and to leave them out of core dumps.
/// They are wiped when this is dropped. `Debug` shows nothing of them.
pub struct LockedBytes<const N: usize>(NonNull<[u8; N]>);

// SAFETY: the pages belong to this value alone and are written only while it is made.
unsafe impl<const N: usize> Send for LockedBytes<N> {}
// SAFETY: shared access only reads.
unsafe impl<const N: usize> Sync for LockedBytes<N> {}

impl<const N: usize> LockedBytes<N> {
    /// Makes the bytes in place, so that no copy is left elsewhere.
    pub fn new(fill: impl FnOnce(&mut [u8; N])) -> Self {
        // SAFETY: a byte array has no drop code and no invalid values; the block is freed in `drop` only.
        let Some(mut bytes) = (unsafe { memsec::malloc::<[u8; N]>() }) else {
            handle_alloc_error(Layout::new::<[u8; N]>())
        };
        // SAFETY: the block was just made, is large enough, and nobody else knows of it.
        let place = unsafe { bytes.as_mut() };
        place.fill(0);
        fill(place);
        LockedBytes(bytes)
    }

    /// Copies a slice; `None` if it has another length.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == N).then(|| LockedBytes::new(|place| place.copy_from_slice(bytes)))
    }
}

impl<const N: usize> Deref for LockedBytes<N> {
    type Target = [u8; N];

    fn deref(&self) -> &[u8; N] {
        // SAFETY: the block lives as long as `self` and is not written to.
        unsafe { self.0.as_ref() }
    }
}

impl<const N: usize> Drop for LockedBytes<N> {
    fn drop(&mut self) {
        // SAFETY: made by `memsec::malloc` and freed once; `free` wipes it first.
        unsafe { memsec::free(self.0) }
    }
}

impl<const N: usize> fmt::Debug for LockedBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockedBytes(..)")
    }
}

/// Overwrites the 128 KiB of stack below the caller's frame, where functions that returned have left copies of what they
/// worked with. Takes a few microseconds.
#[inline(never)]
pub fn wipe_stack() {
    // `black_box` is shown the array, so that the compiler cannot leave out writing it.
    black_box(&mut [0u8; WIPED_STACK]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_kept_and_not_shown() {
        let key = LockedBytes::<4>::new(|place| place.copy_from_slice(&[1, 2, 3, 4]));
        assert_eq!(*key, [1, 2, 3, 4]);
        assert_eq!(format!("{key:?}"), "LockedBytes(..)");
        assert_eq!(*LockedBytes::<2>::from_slice(&[5, 6]).unwrap(), [5, 6]);
        assert!(LockedBytes::<2>::from_slice(&[5]).is_none());
    }

    #[test]
    fn the_pages_are_locked_and_left_out_of_core_dumps() {
        let key = LockedBytes::<32>::new(|place| place.fill(7));
        let address = key.as_ptr() as usize;
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        for line in maps.lines() {
            if let Some((from, rest)) = line.split_once('-')
                && let (Ok(from), Some(Ok(to))) =
                    (usize::from_str_radix(from, 16), rest.split(' ').next().map(|to| usize::from_str_radix(to, 16)))
            {
                inside = (from..to).contains(&address);
            } else if let Some(flags) = line.strip_prefix("VmFlags:").filter(|_| inside) {
                assert!(flags.contains(" dd"), "left out of dumps: {flags}");
                return;
            }
        }
        panic!("no mapping of {address:x}");
    }
}
