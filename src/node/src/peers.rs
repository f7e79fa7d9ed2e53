//! The node's hold on the peer-to-peer network, which starts last and stops first. Everything that may speak to peers
//! before, meanwhile or after goes through here.

use std::sync::{Arc, PoisonError, RwLock};

use bitcoin::{Block, BlockHash, Txid, Wtxid};
use p2p::Network;

/// The network, while it runs.
#[derive(Default)]
pub struct Peers {
    network: RwLock<Option<Arc<Network>>>,
}

impl Peers {
    /// Returns the network, if it runs.
    pub fn network(&self) -> Option<Arc<Network>> {
        self.network.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over the running network.
    pub(crate) fn set(&self, network: Network) {
        *self.network.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(network));
    }

    /// Stops the network and waits for its end.
    pub(crate) fn stop(&self) {
        let network = self.network.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(network) = network {
            network.stop();
        }
    }

    /// Tells peers of a transaction of the mempool. Never waits.
    pub fn announce(&self, txid: Txid, wtxid: Wtxid) {
        if let Some(network) = self.network() {
            network.announce(txid, wtxid);
        }
    }

    /// The chain has a new tip. Never waits.
    pub(crate) fn tip_updated(&self, tip: BlockHash, fork: Option<BlockHash>, initial_download: bool) {
        if let Some(network) = self.network() {
            network.tip_updated(tip, fork, initial_download);
        }
    }

    /// Says whether blocks that join the chain are to be shown to peers' memory of transactions. Never waits.
    pub(crate) fn wants_blocks(&self) -> bool {
        self.network().is_some_and(|network| network.wants_blocks())
    }

    /// A block joined the chain; one that is not wanted need not be shown. Never waits.
    pub(crate) fn block_connected(&self, block: Option<&Block>) {
        if let Some(network) = self.network() {
            network.block_connected(block);
        }
    }

    /// A block left the chain. Never waits.
    pub(crate) fn block_disconnected(&self) {
        if let Some(network) = self.network() {
            network.block_disconnected();
        }
    }
}
