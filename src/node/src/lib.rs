//! The node: joins the consensus engine, the RPC commands and the wallet's view of the chain into one running program.
//!
//! It is a library so that `bitcoind` (everything in one process) and `bitcoin-node` (wallet in another) differ only in
//! the [`WalletFactory`] they pass to [`run`].
//!
//! **Invariant:** this crate knows the wallet only as `interfaces::WalletLoader` and never how it is reached.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

pub mod broadcast;
pub mod chain;
pub mod clients;
pub mod context;
mod disk_space;
mod events;
pub mod init;
mod mempool_file;
pub mod mempool_persist;
pub mod mining;
mod notify;
pub mod peers;
pub mod rpc;
pub mod shutdown;
mod signet;
mod signing;
mod sync_line;
pub mod tip;
pub mod ui;
pub mod warnings;

pub use context::NodeContext;
pub use init::{CompanionFactory, Parties, WalletFactory, run};
