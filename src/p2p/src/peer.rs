//! What the protocol remembers of a peer. Each state that has a before and an after is a type of its own.

mod chain_view;
mod downloads;
mod handshake;
mod ping;
mod tx_relay;

use std::collections::VecDeque;
use std::sync::Arc;

use bitcoin::p2p::message_blockdata::Inventory;

pub(crate) use self::chain_view::{ChainSync, ChainView, HeadersSync};
pub(crate) use self::downloads::{Downloads, MAX_IN_FLIGHT};
pub(crate) use self::handshake::{Handshake, Version};
pub(crate) use self::ping::Ping;
pub(crate) use self::tx_relay::TxRelay;
use crate::PeerId;
use crate::config::{NODE_BLOOM, NODE_NETWORK, NODE_NETWORK_LIMITED, NODE_WITNESS};
use crate::link::{ConnectionKind, Link, Merits};
use crate::permissions::Permissions;
use crate::presync::Presync;
use crate::time::Time;

/// A peer.
#[derive(Debug)]
pub(crate) struct Peer {
    /// The connection.
    pub link: Arc<Link>,
    /// What we offer it.
    pub our_services: u64,
    /// How far the two know each other.
    pub handshake: Handshake,
    /// The round trip.
    pub ping: Ping,
    /// What we know of its chain, and it of ours.
    pub chain: ChainView,
    /// Whether its headers are asked for.
    pub headers: HeadersSync,
    /// Its chain is being gone through before it is stored.
    pub presync: Option<Presync>,
    /// When headers were asked for and did not come yet.
    pub headers_asked: Option<Time>,
    /// A block it named made us ask for headers before it was its turn.
    pub asked_early: bool,
    /// Whether an outbound peer keeps up with us.
    pub chain_sync: ChainSync,
    /// Blocks it is asked for.
    pub downloads: Downloads,
    /// Announcing transactions to it; none if it does not want any, ever.
    pub relay: Option<TxRelay>,
    /// What it asked for and did not get yet.
    pub requests: VecDeque<Inventory>,
    /// It broke a rule; the connection ends at the next occasion.
    pub misbehaved: bool,
    /// The fee rate it was told, in satoshi per 1000 virtual bytes, and when it is told the next.
    pub fee_filter: (i64, Time),
    /// Addresses are relayed to it.
    pub address_relay: bool,
    /// When its last transaction was accepted, Unix seconds.
    pub last_transaction: i64,
    /// When its last new block came, Unix seconds.
    pub last_block: i64,
}

impl Peer {
    /// Begins with a connection.
    pub(crate) fn new(link: Arc<Link>, our_services: u64) -> Self {
        let bloom = if link.info.permissions.has(Permissions::BLOOM_FILTER) { NODE_BLOOM } else { 0 };
        Peer {
            link,
            our_services: our_services | bloom,
            handshake: Handshake::AwaitingVersion { sent: false },
            ping: Ping::default(),
            chain: ChainView::default(),
            headers: HeadersSync::NotStarted,
            presync: None,
            headers_asked: None,
            asked_early: false,
            chain_sync: ChainSync::Level,
            downloads: Downloads::default(),
            relay: None,
            requests: VecDeque::new(),
            misbehaved: false,
            fee_filter: (0, Time::ZERO),
            address_relay: false,
            last_transaction: 0,
            last_block: 0,
        }
    }

    /// Lets those who decide which connection gives way know what speaks for this one.
    pub(crate) fn publish_merits(&self) {
        self.link.set_merits(Merits {
            min_ping: self.ping.shortest,
            last_block: self.last_block,
            last_transaction: self.last_transaction,
            relays: self.relay.as_ref().is_some_and(|relay| relay.wanted),
        });
    }

    /// Sends it a message.
    pub(crate) fn send(&self, name: &'static str, payload: &[u8]) {
        self.link.send(name, payload);
    }

    /// Returns its number.
    pub(crate) fn id(&self) -> PeerId {
        self.link.info.id
    }

    /// Returns why there is a connection.
    pub(crate) fn kind(&self) -> ConnectionKind {
        self.link.info.kind
    }

    /// Says whether it may do something.
    pub(crate) fn may(&self, permission: Permissions) -> bool {
        self.link.info.permissions.has(permission)
    }

    /// Returns what it offers.
    pub(crate) fn services(&self) -> u64 {
        self.handshake.version().map_or(0, |version| version.services)
    }

    /// Says whether it serves blocks.
    pub(crate) fn serves_blocks(&self) -> bool {
        self.services() & (NODE_NETWORK | NODE_NETWORK_LIMITED) != 0
    }

    /// Says whether it serves the last blocks only.
    pub(crate) fn is_limited(&self) -> bool {
        self.services() & (NODE_NETWORK | NODE_NETWORK_LIMITED) == NODE_NETWORK_LIMITED
    }

    /// Says whether it serves witnesses.
    pub(crate) fn serves_witnesses(&self) -> bool {
        self.services() & NODE_WITNESS != 0
    }

    /// Says whether we rather ask it than another.
    pub(crate) fn is_preferred(&self) -> bool {
        let chosen = !self.kind().is_inbound() || self.may(Permissions::NO_BAN);
        chosen && self.kind() != ConnectionKind::AddrFetch && self.serves_blocks()
    }

    /// Says whether transactions are named to and by it with their witness.
    pub(crate) fn uses_wtxids(&self) -> bool {
        self.handshake.version().is_some_and(|version| version.wtxid_relay)
    }

    /// Notes that it knows a transaction, by the id it uses.
    pub(crate) fn knows_transaction(&mut self, hash: &[u8; 32]) {
        if let Some(relay) = &mut self.relay {
            relay.known.insert(hash);
        }
    }
}
