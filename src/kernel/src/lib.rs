//! Bitcoin Core's engine behind a safe, blocking Rust interface.
//!
//! Separate because it is the only crate with C++ and the only one with `unsafe`: consensus, block storage, the UTXO
//! set, the mempool and its policy are libbitcoinkernel's own, reached through the `cxx` bridge in `ffi`. Nothing
//! here knows RPC, IPC, peers or configuration files.
//!
//! Invariants:
//! - No C++ exception and no Rust panic crosses the bridge; every call returns a [`Result`].
//! - [`Kernel`] is a cheap handle, `Send + Sync`, usable from any thread. After [`Kernel::shutdown`] every call answers
//!   [`Error::Closed`].
//! - [`Events`] are delivered one at a time, in the order they happened, on one thread, with none of the engine's
//!   locks held; what is said while it loads ([`Events::status`]) comes at once.

#![deny(unsafe_code)]

mod block;
mod chain;
mod coins;
mod convert;
mod error;
mod events;
mod fee;
mod ffi;
mod handle;
pub mod logging;
mod memory;
mod mempool;
mod mining;
mod options;
mod peers;
mod script;

pub use block::{BlockVerdict, HeadersOutcome, InvalidKind, ProcessedBlock};
pub use chain::{
    BlockIndex, BlockStatus, ChainInfo, ChainTip, ChainTipStatus, Deployment, Deployments, PruneInfo, SignalStatistics,
    Signalling, Validity,
};
pub use coins::{Coin, CoinHashType, CoinStats, CoinView};
pub use error::{Error, LoadError};
pub use events::{Events, RemovalReason, SyncState, WarningKind};
pub use fee::FeeRate;
pub use handle::{Interrupt, Kernel, set_mock_time};
pub use memory::{LockedMemory, locked_memory, malloc_state};
pub use mempool::{
    AcceptResult, Accepted, DiagramPoint, MempoolAncestry, MempoolChunk, MempoolEntry, MempoolInfo, MempoolTransaction,
    PackageResult, Prioritisation, RejectKind, Rejection,
};
pub use mining::{BlockTemplate, TemplateDeployment, TemplateDeploymentState, TemplateOptions, TemplateTransaction};
pub use options::{Chain, MempoolOptions, Options, VersionBitsParameters};
pub use peers::{
    BlockSpot, DirectFetch, DownloadPlan, DownloadRequest, HeadersFault, HeadersSyncParameters, HeadersVerdict,
    ReceivedBlock, RelayEntry,
};
pub use script::verify_input;
