//! The message thread: owns what the protocol remembers, handles messages and says what is to be said.
//!
//! One file for each family of messages, with what is received and what is sent of it. A handler returns a [`Fault`]
//! for what a peer did wrong; what follows from it is decided here.
//!
//! **Invariant:** nothing here waits for a peer. Events of the engine and questions of users come through the inbox.

mod addresses;
mod announce;
mod blocks;
mod download;
mod fee_filter;
mod filters;
mod get_data;
mod handshake;
mod headers;
mod info;
mod inventory;
mod keep_up;
mod ping;
mod transactions;
mod trickle;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bitcoin::{Block, BlockHash, OutPoint, Transaction};
use kernel::{BlockVerdict, InvalidKind, Kernel};
use rand::seq::SliceRandom;

use crate::PeerId;
use crate::connect::Connector;
use crate::inbox::Work;
use crate::link::ConnectionKind;
use crate::message_type::sanitize;
use crate::peer::{Handshake, Peer};
use crate::permissions::Permissions;
use crate::rounder::FeeRounder;
use crate::time::{self, Time};
use crate::transport::Received;
use crate::tx_download::TxDownload;
use crate::tx_request::TxId;
use crate::wire::WireError;

/// Longest time until it is looked at again whether something is to be said.
const INTERVAL: Duration = Duration::from_millis(100);
/// Least fee rate relayed unless told otherwise, in satoshi per 1000 virtual bytes; from it the rates told derive.
const MIN_RELAY_FEE: u32 = 100;
/// Time until transactions nobody asked for are announced again, at least, and how much more at most.
const REBROADCAST: (Duration, Duration) = (Duration::from_secs(600), Duration::from_secs(300));

/// What went wrong with a message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// It cannot be read; it is passed over.
    #[error("{0}")]
    Malformed(String),
    /// It breaks a rule.
    #[error("{0}")]
    Misbehaving(String),
    /// The connection is of no use any more.
    #[error("{0}")]
    Disconnect(String),
    /// As before, and the user may want to know.
    #[error("{0}")]
    DisconnectNotice(String),
    /// The engine did not answer.
    #[error(transparent)]
    Engine(#[from] kernel::Error),
}

impl From<WireError> for Fault {
    fn from(error: WireError) -> Fault {
        Fault::Malformed(error.to_string())
    }
}

/// What the protocol remembers.
pub(crate) struct Manager {
    connector: Arc<Connector>,
    kernel: Kernel,
    peers: BTreeMap<PeerId, Peer>,
    /// Which peer a block is asked of.
    in_flight: HashMap<BlockHash, PeerId>,
    /// Which peer a block came from that is not fully validated yet.
    sources: HashMap<BlockHash, PeerId>,
    transactions: TxDownload,
    /// Transactions of the last block, by either id: peers may still ask for them.
    recent: HashMap<TxId, Transaction>,
    rounder: FeeRounder,
    /// How long a peer may stall the download.
    stalling_timeout: Duration,
    /// When inbound peers are told of transactions next: all at once, so that none learns which came first.
    next_inbound_trickle: Time,
    /// The block whose announcement last made us ask one more peer for headers.
    last_early_block: Option<BlockHash>,
    /// The tip that peers were told of last, or are being told.
    last_tip: Option<BlockHash>,
    /// Tips that peers are told of ahead of the engine's events, oldest first.
    ahead: VecDeque<BlockHash>,
    /// Something is to be said to peers whose turn may be over.
    again: bool,
    /// Outbound peers that are kept whatever their chain.
    protected: usize,
    /// Clocks of outbound peers against ours, in seconds, oldest first.
    time_offsets: VecDeque<i64>,
    /// When transactions nobody asked for are announced again.
    next_rebroadcast: std::time::Instant,
}

impl Manager {
    /// Begins without peers.
    pub(crate) fn new(connector: Arc<Connector>, kernel: Kernel) -> Result<Manager, kernel::Error> {
        Ok(Manager {
            connector,
            kernel,
            peers: BTreeMap::new(),
            in_flight: HashMap::new(),
            sources: HashMap::new(),
            transactions: TxDownload::default(),
            recent: HashMap::new(),
            rounder: FeeRounder::new(MIN_RELAY_FEE),
            stalling_timeout: download::STALLING_TIMEOUT,
            next_inbound_trickle: Time::ZERO,
            last_early_block: None,
            last_tip: None,
            ahead: VecDeque::new(),
            again: false,
            protected: 0,
            time_offsets: VecDeque::new(),
            next_rebroadcast: rebroadcast_time(),
        })
    }

    /// Runs the thread until the inbox is closed.
    pub(crate) fn run(mut self) {
        while !self.connector.links.inbox().is_closed() {
            self.take_work();
            let mut ids: Vec<PeerId> = self.peers.keys().copied().collect();
            ids.shuffle(&mut rand::thread_rng());
            let mut more = false;
            self.again = false;
            for id in ids {
                more |= self.turn(id);
            }
            more |= self.again;
            if std::time::Instant::now() >= self.next_rebroadcast {
                self.rebroadcast();
            }
            if !more {
                self.connector.links.inbox().wait(INTERVAL);
            }
        }
    }

    /// Gives a peer its turn: handles a message of it, and says to it what is to be said. Returns whether it has more.
    pub(crate) fn turn(&mut self, id: PeerId) -> bool {
        let more = self.receive_from(id);
        self.send_to(id);
        self.take_work();
        more
    }

    /// Lets so much time pass for what is done from time to time.
    pub(crate) fn advance(&mut self, time: Duration) {
        let now = std::time::Instant::now();
        self.next_rebroadcast = self.next_rebroadcast.checked_sub(time).unwrap_or(now);
    }

    /// Announces transactions again that no peer asked for.
    fn rebroadcast(&mut self) {
        self.next_rebroadcast = rebroadcast_time();
        for txid in self.kernel.unbroadcast().unwrap_or_default() {
            if let Ok(Some(entry)) = self.kernel.mempool_transaction(&txid) {
                self.announce_to_all(txid, entry.transaction.compute_wtxid());
            }
        }
    }

    /// Does what other threads left to be done.
    pub(crate) fn take_work(&mut self) {
        for work in self.connector.links.inbox().take() {
            match work {
                Work::Opened(link) => {
                    let peer = Peer::new(link, self.connector.config.services);
                    self.peers.insert(peer.id(), peer);
                }
                Work::Closed(id) => self.forget_peer(id),
                Work::Tip { hash, fork, initial_download } => {
                    self.log_engine("new tip", |manager| manager.tip_changed(hash, fork, initial_download));
                }
                Work::Connected(block) => {
                    self.shorten_stalling_timeout();
                    if let Some(block) = block {
                        self.block_connected(&block);
                    }
                }
                Work::Disconnected => self.transactions.unconfirmed(),
                Work::Announce(txid, wtxid) => self.announce_to_all(txid, wtxid),
                Work::Ask(question) => question(self),
            }
        }
    }

    /// A block joined the chain whose transactions peers may know or ask for.
    fn block_connected(&mut self, block: &Block) {
        self.recent.clear();
        let mut ids = Vec::with_capacity(block.txdata.len());
        for transaction in &block.txdata {
            let (txid, wtxid) = (transaction.compute_txid(), transaction.compute_wtxid());
            ids.push((txid, wtxid));
            self.recent.insert(TxId::Txid(txid), transaction.clone());
            self.recent.insert(TxId::Wtxid(wtxid), transaction.clone());
        }
        let inputs = block.txdata.iter().flat_map(|transaction| &transaction.input);
        let spent: Vec<OutPoint> =
            inputs.map(|input| input.previous_output).filter(|outpoint| !outpoint.is_null()).collect();
        self.transactions.confirmed(&ids, &spent);
    }

    fn log_engine(&mut self, what: &str, run: impl FnOnce(&mut Self) -> Result<(), kernel::Error>) {
        if let Err(error) = run(self) {
            log::debug!(target: "net", "{what}: {error}");
        }
    }

    fn forget_peer(&mut self, id: PeerId) {
        let Some(peer) = self.peers.remove(&id) else { return };
        for block in peer.downloads.blocks() {
            self.in_flight.remove(&block.hash);
        }
        self.sources.retain(|_, source| *source != id);
        self.transactions.disconnected(id);
        self.protected -= usize::from(peer.chain_sync == crate::peer::ChainSync::Protected);
    }

    /// Handles one message of a peer, or what is left of one. Returns whether there is more.
    fn receive_from(&mut self, id: PeerId) -> bool {
        let Some(peer) = self.peers.get(&id) else { return false };
        // An outbound peer is told our version first.
        if !peer.kind().is_inbound() && matches!(peer.handshake, Handshake::AwaitingVersion { sent: false }) {
            return false;
        }
        if peer.link.is_over() {
            return false;
        }
        if !peer.requests.is_empty() {
            let result = self.serve_requests(id);
            self.judge(id, "getdata", 0, result);
        }
        if self.retry_orphan() {
            return true;
        }
        let Some(peer) = self.peers.get(&id) else { return false };
        if peer.link.is_over() || peer.link.is_congested() {
            return false;
        }
        // What it asked for comes before what it says next, so that requests do not pile up.
        if !peer.requests.is_empty() {
            return true;
        }
        let Some((message, more)) = peer.link.next_message() else { return false };
        let result = self.handle(id, &message);
        self.judge(id, &message.name, message.payload.len(), result);
        if let Some(peer) = self.peers.get(&id) {
            peer.publish_merits();
        }
        more || self.peers.get(&id).is_some_and(|peer| !peer.requests.is_empty())
    }

    fn handle(&mut self, id: PeerId, message: &Received) -> Result<(), Fault> {
        let name = sanitize(message.name.as_bytes());
        let payload = &message.payload[..];
        log::debug!(target: "net", "received: {name} ({} bytes) peer={id}", payload.len());
        let Some(peer) = self.peers.get(&id) else { return Ok(()) };
        match (&peer.handshake, &message.name[..]) {
            (_, "version") => self.on_version(id, payload),
            (Handshake::AwaitingVersion { .. }, _) => {
                log::debug!(
                    target: "net",
                    "non-version message before version handshake. Message \"{name}\" from peer={id}"
                );
                Ok(())
            }
            (_, "verack") => self.on_verack(id),
            (_, "wtxidrelay") => self.on_wtxidrelay(id),
            (_, "sendaddrv2") => self.on_sendaddrv2(id),
            (_, "feature") => self.on_feature(id, payload),
            (_, "sendheaders") => self.on_sendheaders(id),
            (_, "sendcmpct") => self.on_sendcmpct(id, payload),
            (_, "sendtxrcncl") => {
                log::debug!(
                    target: "net",
                    "sendtxrcncl from peer={id} ignored, as our node does not have txreconciliation enabled"
                );
                Ok(())
            }
            (Handshake::Negotiating(_), _) => {
                log::debug!(target: "net", "Unsupported message \"{name}\" prior to verack from peer={id}");
                Ok(())
            }
            (Handshake::Established(_), known) => match known {
                "ping" => self.on_ping(id, payload),
                "pong" => self.on_pong(id, payload, message.time),
                "inv" => self.on_inv(id, payload),
                "getdata" => self.on_getdata(id, payload),
                "notfound" => self.on_notfound(id, payload),
                "headers" => self.on_headers(id, payload),
                "getheaders" => self.on_getheaders(id, payload),
                "block" => self.on_block(id, payload),
                "getblocks" => self.on_getblocks(id, payload),
                "tx" => self.on_tx(id, payload),
                "mempool" => self.on_mempool(id),
                "feefilter" => self.on_feefilter(id, payload),
                "addr" | "addrv2" => self.on_addresses(id, known, payload),
                "getaddr" => self.on_getaddr(id),
                "filterload" | "filteradd" | "filterclear" => self.on_filter(id, known),
                "getcfilters" | "getcfheaders" | "getcfcheckpt" => self.on_block_filter(id, payload),
                _ => {
                    log::debug!(target: "net", "Unknown message type \"{name}\" from peer={id}");
                    Ok(())
                }
            },
        }
    }

    /// Says whether nothing is left that concerns a peer, as it should be without any.
    pub(crate) fn is_forgetful(&self) -> bool {
        let blocks = self.in_flight.is_empty() && self.sources.is_empty();
        self.peers.is_empty() && blocks && self.protected == 0 && self.transactions.orphans().is_empty()
    }

    /// Draws the consequences of a message.
    fn judge(&mut self, id: PeerId, name: &str, size: usize, result: Result<(), Fault>) {
        let Err(fault) = result else { return };
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let named = peer.link.peer();
        match fault {
            Fault::Malformed(text) => {
                let name = sanitize(name.as_bytes());
                log::debug!(target: "net", "ProcessMessages({name}, {size} bytes): Exception '{text}' caught");
            }
            Fault::Misbehaving(text) => misbehaving(peer, &text),
            Fault::Disconnect(text) => {
                log::debug!(target: "net", "{text}, disconnecting {named}");
                peer.link.end();
            }
            Fault::DisconnectNotice(text) => {
                log::info!("{text}, disconnecting {named}");
                peer.link.end();
            }
            Fault::Engine(error) => log::debug!(target: "net", "no answer for peer={id}: {error}"),
        }
    }

    /// Says to a peer what is to be said.
    fn send_to(&mut self, id: PeerId) {
        let result = self.try_send_to(id);
        self.judge(id, "", 0, result);
    }

    fn try_send_to(&mut self, id: PeerId) -> Result<(), Fault> {
        self.punish(id);
        self.begin_handshake(id)?;
        let Some(peer) = self.peers.get(&id) else { return Ok(()) };
        if !peer.handshake.is_established() || peer.link.is_over() {
            return Ok(());
        }
        self.maybe_ping(id)?;
        self.maybe_ask_for_headers(id)?;
        let mut inventory = self.announce_blocks(id)?;
        self.announce_transactions(id, &mut inventory)?;
        self.check_downloads(id)?;
        self.check_headers_sync(id)?;
        self.keep_up(id)?;
        self.request_data(id)?;
        self.maybe_send_fee_filter(id)
    }

    /// Ends the connection of a peer that broke a rule, unless it may.
    fn punish(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if !std::mem::take(&mut peer.misbehaved) {
            return;
        }
        if peer.may(Permissions::NO_BAN) {
            log::warn!("Not punishing noban peer {id}!");
            return;
        }
        if peer.kind() == ConnectionKind::Manual {
            log::warn!("Not punishing manually connected peer {id}!");
            return;
        }
        if crate::address::is_local(peer.link.info.address.ip()) {
            log::debug!(target: "net", "Warning: disconnecting but not discouraging local peer {id}!");
        } else {
            log::debug!(target: "net", "Disconnecting and discouraging peer {id}!");
        }
        peer.link.end();
    }

    /// Notes that a peer broke a rule.
    fn misbehaving(&mut self, id: PeerId, text: &str) {
        if let Some(peer) = self.peers.get_mut(&id) {
            misbehaving(peer, text);
        }
    }

    /// Draws the consequences for a peer of an invalid block or header it sent.
    fn blame(&mut self, id: PeerId, verdict: &BlockVerdict, text: &str) {
        let BlockVerdict::Invalid { kind, .. } = verdict else { return };
        let Some(peer) = self.peers.get(&id) else { return };
        let to_blame = match kind {
            InvalidKind::Unset | InvalidKind::LowWork | InvalidKind::TimeFuture => false,
            InvalidKind::CachedInvalid => !peer.kind().is_inbound(),
            InvalidKind::Consensus
            | InvalidKind::Mutated
            | InvalidKind::Header
            | InvalidKind::InvalidPrevious
            | InvalidKind::MissingPrevious => true,
        };
        if to_blame {
            self.misbehaving(id, text);
        } else if !text.is_empty() {
            log::debug!(target: "net", "peer={id}: {text}");
        }
    }

    /// Says whether a peer's transactions are refused.
    fn refuses_transactions(&self, peer: &Peer) -> bool {
        let blocks_only = self.connector.config.blocks_only && !peer.may(Permissions::RELAY);
        peer.kind().is_blocks_only() || blocks_only
    }
}

fn misbehaving(peer: &mut Peer, text: &str) {
    let text = if text.is_empty() { String::new() } else { format!(": {text}") };
    log::debug!(target: "net", "Misbehaving: peer={}{text}", peer.id());
    peer.misbehaved = true;
}

fn rebroadcast_time() -> std::time::Instant {
    std::time::Instant::now() + REBROADCAST.0 + time::below(REBROADCAST.1)
}
