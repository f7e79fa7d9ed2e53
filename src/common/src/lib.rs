//! What every program needs before it does anything: options, configuration files, data directory, clock and log;
//! and the spelling of descriptors, which node and wallet share.
//!
//! Nothing here knows of consensus, RPC or wallets, and nothing else of the workspace is used here.
//!
//! **Invariant:** the option table ([`args`]) and the log category table ([`logging`]) are the only places that name an
//! option or a category; parser, help and checks derive from them.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

pub mod args;
pub mod chain;
pub mod clock;
pub mod console;
pub mod datadir;
pub mod descriptor;
pub mod file_lock;
pub mod json;
pub mod logging;
pub mod lossless;
pub mod replace_file;
pub mod settings;
pub mod subnet;
pub mod system_error;
pub mod time;
pub mod version;
