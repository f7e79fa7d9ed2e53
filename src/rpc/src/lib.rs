//! JSON-RPC: the table of commands, their arguments and help, and the HTTP server that runs them.
//!
//! The crate knows no command of node or wallet. Those crates build a [`Table`] out of [`Command`]s; the server joins
//! tables, local or in another process ([`remote::WalletCommands`]), behind one endpoint.
//!
//! **Invariant:** names, argument types, defaults, help texts and type errors of a command derive from its one entry.
#![forbid(unsafe_code)]

pub mod code;
pub mod command;
mod error;
pub mod json;

pub use command::{Arg, ArgType, Call, Command, CommandSet, Default, Request, Res, ResType, Table};
pub use error::{RpcError, RpcResult};
