//! What the engine tells the node, as a trait the node implements, and the queue's side of delivering it.

use std::borrow::Cow;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bitcoin::consensus::encode::{Decodable, deserialize};
use bitcoin::hashes::Hash;
use bitcoin::{Block, BlockHash, Transaction, Txid};

use crate::{BlockIndex, BlockVerdict, Error, ffi, logging};

/// Receives the engine's events.
///
/// Implemented by the node; called by one thread of the engine's, one event at a time, in the order they happened and
/// with none of its locks held. A handler may ask the [`Kernel`](crate::Kernel) anything but what waits for events:
/// submitting blocks, invalidating, `sync_events`, `shutdown` answer [`Error::EventThread`]
/// there. A panic in a handler is caught, logged and changes nothing for the engine. While a handler runs, validation
/// goes on until about ten events wait, then it waits for the handler.
///
/// Every method does nothing unless implemented.
pub trait Events: Send + Sync {
    /// Says whether the next block that joins the chain is of interest. Nothing is made of one that is not, and
    /// [`block_passed`](Self::block_passed) comes instead of [`block_connected`](Self::block_connected).
    fn wants_blocks(&self) -> bool {
        true
    }

    /// Says whether transactions that enter or leave the mempool are of interest; if not, their events do not come.
    fn wants_transactions(&self) -> bool {
        true
    }

    /// A block that is of no interest became part of the active chain.
    fn block_passed(&self) {}

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

    /// The engine is busy with something while it loads; `text` is text for users, such as `Verifying blocks…`. It
    /// comes on the thread that loads, before the work begins, and not in order with the other events.
    fn status(&self, text: &str) {
        let _ = text;
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
    ///
    /// One case is out of order: if the coins database cannot be read, this comes on the thread that found out, with
    /// locks held, and the engine ends the process as soon as it returns. It would rather stop than take a coin it
    /// cannot read for one that does not exist.
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

thread_local! {
    /// Set while this thread is in a handler.
    static DELIVERING: Cell<bool> = const { Cell::new(false) };
}

/// Refuses calls that wait for events where they would wait for themselves.
pub(crate) fn refuse_in_handler() -> Result<(), Error> {
    if in_handler() { Err(Error::EventThread) } else { Ok(()) }
}

/// Says whether this thread is in a handler.
pub(crate) fn in_handler() -> bool {
    DELIVERING.get()
}

/// The Rust end of the queue: turns what crosses the bridge into what [`Events`] takes.
pub(crate) struct EventSink {
    events: Arc<dyn Events>,
}

impl EventSink {
    pub(crate) fn new(events: Arc<dyn Events>) -> EventSink {
        EventSink { events }
    }

    /// Runs a handler; nothing may unwind into C++.
    fn deliver(&self, name: &str, handler: impl FnOnce(&dyn Events)) {
        let before = DELIVERING.replace(true);
        let result = catch_unwind(AssertUnwindSafe(|| handler(&*self.events)));
        DELIVERING.set(before);
        if result.is_err() {
            logging::report(&format!("a handler of the event {name} panicked"));
        }
    }

    /// As [`deliver`](Self::deliver), for events that carry serialized data.
    fn deliver_decoded<T: Decodable>(&self, name: &str, bytes: &[u8], handler: impl FnOnce(&dyn Events, &T)) {
        self.deliver(name, |events| match deserialize::<T>(bytes) {
            Ok(value) => handler(events, &value),
            Err(error) => logging::report(&format!("cannot decode what the event {name} carries: {error}")),
        });
    }

    /// What a handler answers; `otherwise` if it panics.
    fn ask(&self, name: &str, otherwise: bool, handler: impl FnOnce(&dyn Events) -> bool) -> bool {
        let mut answer = otherwise;
        self.deliver(name, |events| answer = handler(events));
        answer
    }

    pub(crate) fn wants_blocks(&self) -> bool {
        self.ask("wants_blocks", true, |events| events.wants_blocks())
    }

    pub(crate) fn wants_transactions(&self) -> bool {
        self.ask("wants_transactions", true, |events| events.wants_transactions())
    }

    pub(crate) fn block_passed(&self) {
        self.deliver("block_passed", |events| events.block_passed());
    }

    pub(crate) fn block_connected(&self, index: &ffi::IndexEntry, block: &[u8]) {
        let index = BlockIndex::from(index);
        self.deliver_decoded("block_connected", block, |events, block| events.block_connected(&index, block));
    }

    pub(crate) fn block_disconnected(&self, index: &ffi::IndexEntry, block: &[u8]) {
        let index = BlockIndex::from(index);
        self.deliver_decoded("block_disconnected", block, |events, block| events.block_disconnected(&index, block));
    }

    pub(crate) fn tip_updated(&self, tip: &ffi::IndexEntry, fork: &ffi::OptionalHash, initial_download: bool) {
        let fork = fork.found.then(|| BlockHash::from_byte_array(fork.bytes));
        self.deliver("tip_updated", |events| events.tip_updated(&tip.into(), fork, initial_download));
    }

    pub(crate) fn transaction_added(&self, transaction: &[u8], sequence: u64) {
        self.deliver_decoded("transaction_added", transaction, |events, tx| events.transaction_added(tx, sequence));
    }

    pub(crate) fn transaction_removed(&self, transaction: &[u8], reason: u8, sequence: u64) {
        let reason = match reason {
            0 => RemovalReason::Expiry,
            1 => RemovalReason::SizeLimit,
            2 => RemovalReason::Reorg,
            3 => RemovalReason::Block,
            4 => RemovalReason::Conflict,
            _ => RemovalReason::Replaced,
        };
        self.deliver_decoded("transaction_removed", transaction, |events, tx| {
            events.transaction_removed(tx, reason, sequence)
        });
    }

    pub(crate) fn transactions_mined(&self, txids: &[ffi::Hash], height: u32) {
        let txids: Vec<Txid> = txids.iter().map(|id| Txid::from_byte_array(id.bytes)).collect();
        self.deliver("transactions_mined", |events| events.transactions_mined(&txids, height));
    }

    pub(crate) fn chain_state_flushed(&self, locator: &[ffi::Hash]) {
        let locator: Vec<BlockHash> = locator.iter().map(|hash| BlockHash::from_byte_array(hash.bytes)).collect();
        self.deliver("chain_state_flushed", |events| events.chain_state_flushed(&locator));
    }

    pub(crate) fn block_checked(&self, hash: &ffi::Hash, verdict: &ffi::VerdictEntry) {
        let hash = BlockHash::from_byte_array(hash.bytes);
        self.deliver("block_checked", |events| events.block_checked(hash, &verdict.into()));
    }

    pub(crate) fn block_tip(&self, state: u8, tip: &ffi::IndexEntry, progress: f64) {
        self.deliver("block_tip", |events| events.block_tip(sync_state(state), &tip.into(), progress));
    }

    pub(crate) fn header_tip(&self, state: u8, height: i64, time: i64, presync: bool) {
        self.deliver("header_tip", |events| events.header_tip(sync_state(state), height, time, presync));
    }

    pub(crate) fn status(&self, text: &[u8]) {
        self.deliver("status", |events| events.status(&lossy(text)));
    }

    pub(crate) fn progress(&self, title: &[u8], percent: i32, resume_possible: bool) {
        let percent = u8::try_from(percent.clamp(0, 100)).unwrap_or(100);
        self.deliver("progress", |events| events.progress(&lossy(title), percent, resume_possible));
    }

    pub(crate) fn warning_set(&self, kind: u8, message: &[u8]) {
        self.deliver("warning_set", |events| events.warning_set(warning(kind), &lossy(message)));
    }

    pub(crate) fn warning_unset(&self, kind: u8) {
        self.deliver("warning_unset", |events| events.warning_unset(warning(kind)));
    }

    pub(crate) fn flush_error(&self, message: &[u8]) {
        self.deliver("flush_error", |events| events.flush_error(&lossy(message)));
    }

    pub(crate) fn fatal_error(&self, message: &[u8]) {
        self.deliver("fatal_error", |events| events.fatal_error(&lossy(message)));
    }

    pub(crate) fn stop_height_reached(&self) {
        self.deliver("stop_height_reached", |events| events.stop_height_reached());
    }
}

fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn sync_state(state: u8) -> SyncState {
    match state {
        0 => SyncState::Reindex,
        1 => SyncState::Download,
        _ => SyncState::Synced,
    }
}

fn warning(kind: u8) -> WarningKind {
    match kind {
        0 => WarningKind::UnknownRules,
        _ => WarningKind::LargeWorkInvalidChain,
    }
}
