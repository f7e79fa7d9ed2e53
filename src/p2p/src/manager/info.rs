//! Describes the peers for `getpeerinfo`.

use super::Manager;
use crate::address::Family;
use crate::peer::Peer;
use crate::stats::{OrphanInfo, PeerInfo};
use crate::time;

impl Manager {
    /// Returns the transactions that wait for a parent.
    pub(crate) fn orphans(&self) -> Vec<OrphanInfo> {
        self.transactions.orphans()
    }

    /// Describes the connections, in the order they were made.
    pub(crate) fn peer_infos(&self) -> Vec<PeerInfo> {
        let open = self.peers.values().filter(|peer| self.connector.links.contains(peer.id()));
        open.map(describe).collect()
    }
}

fn describe(peer: &Peer) -> PeerInfo {
    let counts = peer.link.counts();
    let info = &peer.link.info;
    let version = peer.handshake.version();
    let relay = peer.relay.as_ref();
    let now = time::now();
    let presynced = peer.presync.as_ref().and_then(|presync| presync.counted());
    let waiting = peer.ping.awaited.and(peer.ping.sent).map(|sent| now.saturating_sub(sent));
    PeerInfo {
        id: info.id,
        name: info.name.clone(),
        bind: info.bind,
        local: version.and_then(|version| version.local),
        family: Family::of(info.address.ip()),
        services: peer.services(),
        relays_transactions: relay.is_some_and(|relay| relay.wanted),
        last_inv_sequence: relay.map_or(0, |relay| relay.last_sequence),
        inv_to_send: relay.map_or(0, |relay| relay.to_send.len()),
        last_send: counts.last_send,
        last_receive: counts.last_receive,
        last_transaction: peer.last_transaction,
        last_block: peer.last_block,
        connected: time::seconds(info.connected),
        bytes_sent: counts.sent,
        bytes_received: counts.received,
        time_offset: version.map_or(0, |version| version.time_offset),
        ping: peer.ping.last.filter(|ping| !ping.is_zero()),
        min_ping: peer.ping.shortest,
        ping_wait: waiting.filter(|wait| !wait.is_zero()),
        version: version.map_or(0, |version| version.version),
        user_agent: version.map_or_else(String::new, |version| version.user_agent.clone()),
        synced_headers: peer.chain.best.map_or(-1, |best| i64::from(best.height)),
        synced_blocks: peer.chain.common.map_or(-1, |common| i64::from(common.height)),
        presynced_headers: presynced.map_or(-1, |(height, _)| i64::from(height)),
        in_flight: peer.downloads.blocks().map(|block| block.height).collect(),
        address_relay: peer.address_relay,
        addresses_processed: 0,
        addresses_limited: 0,
        permissions: info.permissions,
        min_fee_filter: relay.map_or(0, |relay| relay.fee_filter),
        sent_by_type: counts.sent_by_type,
        received_by_type: counts.received_by_type,
        kind: info.kind,
    }
}
