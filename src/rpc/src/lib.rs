//! JSON-RPC: the table of commands, their arguments and help, and the HTTP server that runs them.
//!
//! The crate knows no command of node or wallet. Those crates build a [`Table`] out of [`Command`]s; a [`Registry`]
//! joins tables, local or in another process ([`remote::WalletCommands`]), and the [`server`] puts it behind HTTP.
//!
//! **Invariant:** names, argument types, defaults, help texts and type errors of a command derive from its one entry.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

pub mod code;
pub mod command;
pub mod control;
mod error;
pub mod ipcinfo;
pub mod json;
mod registry;
pub mod remote;
pub mod server;

pub use command::{Arg, ArgType, Call, Command, CommandSet, Default, Request, Res, ResType, Started, Table};
pub use error::{RpcError, RpcResult};
pub use registry::{ActiveCommand, Registry};
