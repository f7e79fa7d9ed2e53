//! What the engine tells the node, as a trait the node implements, and the queue's side of delivering it.

use bitcoin::{Block, BlockHash, Transaction, Txid};

use crate::{BlockIndex, BlockVerdict};

/// Receives the engine's events.
///
/// Implemented by the node; called by one thread of the engine's, one event at a time, in the order they happened and
/// with none of its locks held. A handler may ask the [`Kernel`](crate::Kernel) anything but what waits for events:
/// submitting blocks, invalidating, `sync_events`, `shutdown` answer [`Error::EventThread`](crate::Error::EventThread)
/// there. A panic in a handler is caught, logged and changes nothing for the engine. While a handler runs, validation
/// goes on until about ten events wait, then it waits for the handler.
///
/// Every method does nothing unless implemented.
pub trait Events: Send + Sync {
    /// A block became part of the active chain.
    fn block_connected(&self, index: &BlockIndex, block: &Block) {
        let _ = (index, block);
    }

    /// The tip was taken off the active chain.
    fn block_disconnected(&self, index: &BlockIndex, block: &Block) {
        let _ = (index, block);
    }

    /// The active chain has a new tip; comes once after a step of several blocks. `fork` is the last block that the
    /// old and the new chain share.
    fn tip_updated(&self, tip: &BlockIndex, fork: Option<BlockHash>, initial_block_download: bool) {
        let _ = (tip, fork, initial_block_download);
    }

    /// A transaction entered the mempool. `sequence` counts the mempool's changes.
    fn transaction_added(&self, transaction: &Transaction, sequence: u64) {
        let _ = (transaction, sequence);
    }

    /// A transaction left the mempool other than by being mined.
    fn transaction_removed(&self, transaction: &Transaction, reason: RemovalReason, sequence: u64) {
        let _ = (transaction, reason, sequence);
    }

    /// Transactions left the mempool because the block at `height` has them; comes before its `block_connected`.
    fn transactions_mined(&self, txids: &[Txid], height: u32) {
        let _ = (txids, height);
    }

    /// The chain state was written to disk up to this locator.
    fn chain_state_flushed(&self, locator: &[BlockHash]) {
        let _ = locator;
    }

    /// A block's validation ended.
    fn block_checked(&self, hash: BlockHash, verdict: &BlockVerdict) {
        let _ = (hash, verdict);
    }

    /// The active tip moved. Unlike [`tip_updated`](Self::tip_updated) this comes for the tip that was loaded at start
    /// too.
    fn block_tip(&self, state: SyncState, tip: &BlockIndex, verification_progress: f64) {
        let _ = (state, tip, verification_progress);
    }

    /// The best known header moved. `presync` headers are checked but not kept.
    fn header_tip(&self, state: SyncState, height: i64, time: i64, presync: bool) {
        let _ = (state, height, time, presync);
    }

    /// A long operation went on: `title` is text for users, `percent` is 0 to 100, both ends included.
    fn progress(&self, title: &str, percent: u8, resume_possible: bool) {
        let _ = (title, percent, resume_possible);
    }

    /// Something the user must know became true. `message` is text for users.
    fn warning_set(&self, kind: WarningKind, message: &str) {
        let _ = (kind, message);
    }

    /// It is true no longer.
    fn warning_unset(&self, kind: WarningKind) {
        let _ = kind;
    }

    /// Writing the chain state failed; the node should stop.
    fn flush_error(&self, message: &str) {
        let _ = message;
    }

    /// The engine cannot go on; the node must stop.
    fn fatal_error(&self, message: &str) {
        let _ = message;
    }

    /// [`Options::stop_at_height`](crate::Options::stop_at_height) was reached; the node should stop.
    fn stop_height_reached(&self) {}
}

/// Why a transaction left the mempool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RemovalReason {
    /// Too old (`-mempoolexpiry`).
    Expiry,
    /// The mempool is full.
    SizeLimit,
    /// A reorganisation made it invalid.
    Reorg,
    /// A block has it.
    Block,
    /// A block spent one of its inputs.
    Conflict,
    /// Another transaction took its place.
    Replaced,
}

/// How far the node is when its tip moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SyncState {
    /// Rebuilding from block files.
    Reindex,
    /// Catching up with the network.
    Download,
    /// In step with the network.
    Synced,
}

/// Conditions the user must know about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WarningKind {
    /// Miners activated rules this version does not know.
    UnknownRules,
    /// An invalid chain has more work than ours.
    LargeWorkInvalidChain,
}
