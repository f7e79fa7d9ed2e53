//! What is told about connections.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bitcoin::Transaction;

use crate::link::ConnectionKind;
use crate::permissions::Permissions;
use crate::{Family, PeerId};

/// A connection, as `getpeerinfo` shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerInfo {
    /// Its number.
    pub id: PeerId,
    /// The peer's address, as given when the connection was asked for.
    pub name: String,
    /// Our end.
    pub bind: Option<SocketAddr>,
    /// Our address as the peer sees it.
    pub local: Option<SocketAddr>,
    /// The network.
    pub family: Family,
    /// What the peer offers.
    pub services: u64,
    /// It wants transactions.
    pub relays_transactions: bool,
    /// The mempool's change number as of the last announcement.
    pub last_inv_sequence: u64,
    /// Transactions that wait to be announced.
    pub inv_to_send: usize,
    /// Unix seconds of the last byte sent; 0 for never. So are the next four.
    pub last_send: i64,
    /// Last byte received.
    pub last_receive: i64,
    /// Last transaction accepted.
    pub last_transaction: i64,
    /// Last new block.
    pub last_block: i64,
    /// When it was made.
    pub connected: i64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// The peer's clock against ours, in seconds.
    pub time_offset: i64,
    /// Last round trip.
    pub ping: Option<Duration>,
    /// Shortest round trip.
    pub min_ping: Option<Duration>,
    /// Since when a ping is out.
    pub ping_wait: Option<Duration>,
    /// The peer's version.
    pub version: u32,
    /// Its name.
    pub user_agent: String,
    /// Height of the best header it is known to have; -1 if none.
    pub synced_headers: i64,
    /// Height of the last block that is known to be common; -1 if none.
    pub synced_blocks: i64,
    /// Height of the headers that were checked and not stored yet; -1 if there are none.
    pub presynced_headers: i64,
    /// Heights of the blocks it is asked for.
    pub in_flight: Vec<u32>,
    /// Addresses are relayed.
    pub address_relay: bool,
    /// Addresses taken.
    pub addresses_processed: u64,
    /// Addresses dropped because there were too many.
    pub addresses_limited: u64,
    /// What it may do.
    pub permissions: Permissions,
    /// Least rate of the transactions it wants, in satoshi per 1000 virtual bytes.
    pub min_fee_filter: u64,
    /// Bytes sent by message.
    pub sent_by_type: BTreeMap<&'static str, u64>,
    /// Bytes received by message.
    pub received_by_type: BTreeMap<&'static str, u64>,
    /// Why there is a connection.
    pub kind: ConnectionKind,
}

/// A transaction that waits for a parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrphanInfo {
    /// The transaction.
    pub transaction: Transaction,
    /// The peers that have it.
    pub peers: Vec<PeerId>,
}

/// The limit on what is sent (`-maxuploadtarget`), and how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadTarget {
    /// Bytes to be sent in a timeframe at most; 0 for any number, and then none are counted.
    pub target: u64,
    /// So many were sent.
    pub reached: bool,
    /// There is room for old blocks, besides what is kept for new ones.
    pub serves_old_blocks: bool,
    /// Bytes left.
    pub bytes_left: u64,
    /// Seconds left of the timeframe.
    pub seconds_left: i64,
}

/// Bytes of all connections since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Received.
    pub received: u64,
    /// Sent.
    pub sent: u64,
}
