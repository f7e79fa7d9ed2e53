//! The contracts between node, wallet and GUI: object-safe traits over owned data, and nothing else.
//!
//! Every method blocks, takes `&self` on a `Send + Sync` object and returns `Result<T, Error>`: the outer [`Error`]
//! means the question could not be asked (the other process is gone, does not offer this, took too long), while a
//! refusal is a typed value inside `T`. The same holds when both sides share a process, so that code written against
//! these traits cannot come to depend on being local.
//!
//! Objects cross the boundary as `Arc<dyn Trait>`; dropping the last reference releases the remote object.
//! Callbacks are traits too ([`ChainNotifications`], [`WalletNotifications`]); they run on a thread of the
//! implementation's own, in order, with no lock held, and a [`Subscription`]'s drop cancels them.
//!
//! A method that a thread would spend its time waiting in may have a second form, `<method>_async`, that returns
//! `Option<`[`BoxFuture`]`>`: `None` from an implementation that has the work done by the caller's thread anyway.
//!
//! **Invariant:** this crate does no I/O and knows neither Cap'n Proto nor any other crate of the workspace.
#![forbid(unsafe_code)]

mod caller;
mod chain;
mod echo;
mod error;
mod identity;
mod init;
mod ipc_info;
mod mining;
mod mining_v30;
mod rpc;
mod subscription;
mod wallet;

pub use caller::{Caller, caller_has_given_up, serve_caller, wake_when_given_up};
pub use chain::{
    BlockRange, BlockRef, BroadcastError, BumpFees, Chain, ChainNotifications, ChainStatus, Coin, ConnectedBlock,
    FeeEstimate, FeePolicy, MempoolAncestry, MempoolRemovalReason, ScanPage, ScanRequest, ScannedBlock,
    WalletSettingUpdate,
};
pub use echo::Echo;
pub use error::{BoxFuture, Error, Result};
pub use identity::{Identity, Skew};
pub use init::{ClientV30, Init, ProcessConfig, Setting};
pub use ipc_info::{IpcInfo, IpcMethod, IpcObjects, IpcSide};
pub use mining::{
    BlockCheck, BlockCheckOptions, BlockCreateOptions, BlockTemplate, BlockWaitOptions, CoinbaseTx, Mining, TipRef,
};
pub use mining_v30::{
    BlockCheckOptionsV30, BlockCreateOptionsV30, BlockTemplateV30, BlockWaitOptionsV30, MiningV30, mining_as_v30,
};
pub use rpc::{Rpc, RpcCommand, RpcError, RpcRequest};
pub use subscription::Subscription;
pub use wallet::{
    AddressType, Balances, CreateWallet, Recipient, Spend, Wallet, WalletCoin, WalletError, WalletInfo, WalletLoader,
    WalletNotifications, WalletTransaction,
};
