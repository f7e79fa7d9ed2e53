//! What the process's memory is used for. Separate because it concerns the process and no chain: memory that is kept
//! from being written to disk is one per process, and so is the heap.

use crate::ffi;

/// Memory for secrets, which the system is asked never to write to disk. In bytes, except for the chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockedMemory {
    /// In use.
    pub used: u64,
    /// Set aside and not in use.
    pub free: u64,
    /// All of it.
    pub total: u64,
    /// As much of it as the system agreed to keep.
    pub locked: u64,
    /// Pieces in use.
    pub chunks_used: u64,
    /// Pieces not in use.
    pub chunks_free: u64,
}

/// Returns how memory for secrets is used.
pub fn locked_memory() -> Option<LockedMemory> {
    let ffi::LockedEntry { used, free, total, locked, chunks_used, chunks_free } = ffi::locked_memory().ok()?;
    Some(LockedMemory { used, free, total, locked, chunks_used, chunks_free })
}

/// Returns what the C library says of its heap, as XML; `None` if it says nothing.
pub fn malloc_state() -> Option<String> {
    ffi::malloc_state().ok().filter(|state| !state.is_empty())
}
