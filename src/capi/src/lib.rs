//! libmultiprocess: a node's socket for programs in C and whatever calls C. The functions are in [`api`], and the header
//! `include/multiprocess.h` is made from that file alone.
//!
//! It is coarse on purpose: to connect, to follow the tip, to run RPC commands. Programs that need more of an interface
//! use the schemas, which are installed beside the library, or the crates.
//!
//! **Invariant:** nothing a caller passes is trusted but the addresses it may write to: handles are looked up and never
//! followed, texts are read up to a limit and checked. No panic leaves the library.
#![deny(unsafe_code)]

pub mod api;
mod arguments;
mod client;
mod handles;
mod report;
mod signals;

#[cfg(test)]
mod tests;
