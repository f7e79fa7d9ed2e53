//! Listens to the engine: passes its events on to the subscribers, keeps the tip for those who wait for it, runs the
//! user's notify commands and ends the program when the engine cannot go on.

use std::sync::Arc;

use bitcoin::{Block, BlockHash, Transaction};
use common::args::Args;
use interfaces::{ConnectedBlock, MempoolRemovalReason};
use kernel::{BlockIndex, RemovalReason, SyncState, WarningKind};

use super::{Event, EventHub};
use crate::chain::convert::block_ref;
use crate::peers::Peers;
use crate::shutdown::Shutdown;
use crate::sync_line::SyncLine;
use crate::tip::Tip;
use crate::warnings::{Cause, Warnings};
use crate::{notify, ui};

/// The node's ear at the engine.
pub(crate) struct EngineListener {
    hub: Arc<EventHub>,
    peers: Arc<Peers>,
    warnings: Arc<Warnings>,
    shutdown: Arc<Shutdown>,
    sync_line: Arc<SyncLine>,
    block_notify: String,
    alert_notify: String,
}

impl EngineListener {
    /// Makes a listener with the notify commands of `args`.
    pub fn new(
        hub: Arc<EventHub>,
        peers: Arc<Peers>,
        warnings: Arc<Warnings>,
        shutdown: Arc<Shutdown>,
        args: &Args,
    ) -> Self {
        let command = |name: &str| args.get(name).unwrap_or_default();
        let sync_line = Arc::new(SyncLine::default());
        shutdown.on_request({
            let sync_line = sync_line.clone();
            move || sync_line.end()
        });
        EngineListener {
            hub,
            peers,
            warnings,
            shutdown,
            sync_line,
            block_notify: command("blocknotify"),
            alert_notify: command("alertnotify"),
        }
    }
}

impl kernel::Events for EngineListener {
    fn wants_blocks(&self) -> bool {
        self.hub.has_subscribers() || self.peers.wants_blocks()
    }

    fn wants_transactions(&self) -> bool {
        self.hub.has_subscribers()
    }

    fn block_passed(&self) {
        self.peers.block_connected(None);
    }

    fn block_connected(&self, index: &BlockIndex, block: &Block) {
        self.peers.block_connected(Some(block));
        if self.hub.has_subscribers() {
            let block = ConnectedBlock { block: block_ref(index), data: block.clone() };
            self.hub.publish(&Event::Connected(Arc::new(block)));
        }
    }

    fn block_disconnected(&self, index: &BlockIndex, block: &Block) {
        let block = ConnectedBlock { block: block_ref(index), data: block.clone() };
        self.peers.block_disconnected();
        self.hub.publish(&Event::Disconnected(Arc::new(block)));
    }

    fn tip_updated(&self, tip: &BlockIndex, fork: Option<BlockHash>, initial_block_download: bool) {
        self.peers.tip_updated(tip.hash, fork, initial_block_download);
    }

    fn transaction_added(&self, transaction: &Transaction, sequence: u64) {
        self.hub.publish(&Event::Added(Arc::new(transaction.clone()), sequence));
    }

    fn transaction_removed(&self, transaction: &Transaction, reason: RemovalReason, sequence: u64) {
        let reason = match reason {
            RemovalReason::Expiry => MempoolRemovalReason::Expiry,
            RemovalReason::SizeLimit => MempoolRemovalReason::SizeLimit,
            RemovalReason::Reorg => MempoolRemovalReason::Reorg,
            RemovalReason::Conflict => MempoolRemovalReason::Conflict,
            RemovalReason::Replaced => MempoolRemovalReason::Replaced,
            // A mined transaction is part of the block's own event.
            RemovalReason::Block => return,
        };
        self.hub.publish(&Event::Removed(Arc::new(transaction.clone()), reason, sequence));
    }

    fn chain_state_flushed(&self, locator: &[BlockHash]) {
        self.hub.publish(&Event::Flushed(Arc::new(locator.to_vec())));
    }

    fn block_tip(&self, state: SyncState, tip: &BlockIndex, verification_progress: f64) {
        self.sync_line.tip(state, tip.height, verification_progress);
        self.hub.tip.set(Tip { hash: tip.hash, height: tip.height });
        if state == SyncState::Synced && !self.block_notify.is_empty() {
            notify::spawn(self.block_notify.replace("%s", &tip.hash.to_string()));
        }
    }

    fn header_tip(&self, state: SyncState, height: i64, _time: i64, presync: bool) {
        self.sync_line.header(state, height, presync);
    }

    fn status(&self, text: &str) {
        ui::init_message(text);
    }

    fn warning_set(&self, kind: WarningKind, message: &str) {
        if self.warnings.set(cause(kind), message) && !self.alert_notify.is_empty() {
            notify::spawn(self.alert_notify.replace("%s", &notify::quote_alert(message)));
        }
    }

    fn warning_unset(&self, kind: WarningKind) {
        self.warnings.unset(cause(kind));
    }

    fn flush_error(&self, message: &str) {
        abort(&self.warnings, &self.shutdown, message);
    }

    fn fatal_error(&self, message: &str) {
        abort(&self.warnings, &self.shutdown, message);
    }

    fn stop_height_reached(&self) {
        self.shutdown.request();
    }
}

/// Ends the program after a fault it cannot go on from.
pub(crate) fn abort(warnings: &Warnings, shutdown: &Shutdown, message: &str) {
    let text = format!("A fatal internal error occurred, see debug.log for details: {message}");
    // What has been told once may happen again on the way out.
    if warnings.set(Cause::FatalInternalError, message) {
        ui::error(&text);
    } else {
        log::error!("{text}");
    }
    shutdown.request_failure();
}

fn cause(kind: WarningKind) -> Cause {
    match kind {
        WarningKind::UnknownRules => Cause::UnknownNewRules,
        WarningKind::LargeWorkInvalidChain => Cause::LargeWorkInvalidChain,
    }
}
