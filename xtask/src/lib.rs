//! The build driver as a library: the `depends` engine, the record `./configure` leaves, and the look-ups that build
//! scripts make.
//!
//! It is separate from the `cargo xtask` program so that a crate's `build.rs` can use it as a build-dependency: the
//! commands themselves live in the binary, and editing one does not rebuild the crates that only look things up here.
//!
//! **Invariant:** nothing in here names a package mirror or registry; those come from the machine.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "for developers, who see a panic as such")]

pub mod config;
pub mod data;
pub mod depends;
pub mod find;
pub mod library;
pub mod paths;
pub mod schemas;
pub mod system;
