//! Fakes of the interfaces, and contract suites that every implementation of them must pass.
//!
//! A suite knows only the trait. It runs on the fake directly, on the fake behind a connection, in another process, and
//! on the real implementation in its own crate's tests. Only tests depend on this crate.
#![forbid(unsafe_code)]
// Suites fail by panicking, like any assertion.
#![allow(clippy::unwrap_used, reason = "used by tests only")]
#![allow(clippy::print_stderr, reason = "used by tests only")]

pub mod contract;
pub mod fuzz;

mod blocks;
mod chain;
mod events;
mod init;
mod mining;
mod record;
mod rpc;
mod wallet;
mod wallet_loader;

pub use blocks::{block_on, coinbase, payment, script};
pub use chain::{AbortHook, FakeChain};
pub use init::{FakeEcho, FakeInit, config, identity};
pub use mining::FakeMining;
pub use record::{ChainEvent, ChainRecorder, WalletEvent, WalletRecorder};
pub use rpc::FakeRpc;
pub use wallet::FakeWallet;
pub use wallet_loader::{FakeWalletLoader, RpcHook};
