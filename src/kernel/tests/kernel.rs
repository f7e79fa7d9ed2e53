//! The kernel's tests against the real engine: each opens a regtest data directory of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "kernel/support.rs"]
mod support;

#[path = "kernel/chain.rs"]
mod chain;
#[path = "kernel/faults.rs"]
mod faults;
#[path = "kernel/mempool.rs"]
mod mempool;
