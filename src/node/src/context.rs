//! What a running node consists of, as its RPC commands and interface objects see it.
//!
//! It exists from the moment the chain is loaded until the last user is gone, so nothing in it is optional except what
//! really arrives later (the wallet) or changes (flags). No command runs before it exists: until then the RPC server
//! answers every request with the warm-up error.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use common::args::Args;
use common::chain::Chain;
use interfaces::WalletLoader;
use kernel::Kernel;

use crate::disk_space::DiskWatch;
use crate::events::EventHub;
use crate::peers::Peers;
use crate::shutdown::Shutdown;
use crate::tip::TipWatch;
use crate::warnings::Warnings;

/// The parts of a running node.
pub struct NodeContext {
    /// Effective options.
    pub args: Arc<Args>,
    /// The chain in use.
    pub chain: Chain,
    /// Data directory of the chain, absolute.
    pub net_datadir: PathBuf,
    /// Directory that holds the block files, absolute.
    pub blocks_dir: PathBuf,
    /// The consensus engine with its chain state and mempool.
    pub kernel: Kernel,
    /// Ends the program.
    pub shutdown: Arc<Shutdown>,
    /// What `getblockchaininfo` and others show under `warnings`.
    pub warnings: Arc<Warnings>,
    /// The peer-to-peer network.
    pub peers: Arc<Peers>,
    /// Distributes the kernel's events.
    pub(crate) events: Arc<EventHub>,
    /// When the program started, Unix seconds, not mocked.
    pub start_time: i64,
    /// Age in seconds at which a transaction leaves the mempool (`-mempoolexpiry`).
    pub mempool_expiry: i64,
    /// Keeps an eye on the disk.
    pub(crate) disk: Arc<DiskWatch>,
    /// The wallet side, once it runs; see [`NodeContext::set_wallet`].
    pub(crate) wallet: RwLock<Option<Arc<dyn WalletLoader>>>,
}

impl NodeContext {
    /// Returns the wallet side, if one runs.
    pub fn wallet(&self) -> Option<Arc<dyn WalletLoader>> {
        self.wallet.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps the wallet side, or lets go of it at the end: it holds the chain, which holds this.
    pub(crate) fn set_wallet(&self, wallet: Option<Arc<dyn WalletLoader>>) {
        *self.wallet.write().unwrap_or_else(PoisonError::into_inner) = wallet;
    }

    /// Returns the watch on the tip of the active chain, for commands that wait for a block.
    pub fn tip_watch(&self) -> &TipWatch {
        &self.events.tip
    }

    /// Waits until everything that happened before the call was delivered to the node's own listeners and to every
    /// subscriber, in this process and in others (`syncwithvalidationinterfacequeue`).
    pub fn sync_events(&self) -> Result<(), kernel::Error> {
        self.kernel.sync_events()?;
        self.events.sync();
        Ok(())
    }
}
