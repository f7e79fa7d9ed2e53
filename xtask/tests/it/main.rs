//! The build driver from outside: the `depends` engine and the front doors, in directories that look like clones.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod configure;
mod depends;
