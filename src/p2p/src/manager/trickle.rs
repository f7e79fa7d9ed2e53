//! Announcing transactions: not at once but at random moments, so that nobody learns whose they are.

use std::time::Duration;

use bitcoin::hashes::Hash;
use bitcoin::p2p::message_blockdata::Inventory;
use bitcoin::{Txid, Wtxid};
use kernel::RelayEntry;

use super::inventory::MAX_INVENTORY;
use super::{Fault, Manager};
use crate::permissions::Permissions;
use crate::time;
use crate::{PeerId, wire};

/// Average time between two announcements to inbound peers, and to outbound ones, of which there is less to fear.
const INBOUND_INTERVAL: Duration = Duration::from_secs(5);
const OUTBOUND_INTERVAL: Duration = Duration::from_secs(2);
/// Transactions announced at a time: as many as the network carries, more if many wait, and at most.
const TARGET: usize = 70;
const MAX: usize = 1000;

impl Manager {
    /// Notes that a transaction is to be announced to every peer that may not know it.
    pub(super) fn announce_to_all(&mut self, txid: Txid, wtxid: Wtxid) {
        for peer in self.peers.values_mut() {
            let by_wtxid = peer.uses_wtxids();
            let Some(relay) = &mut peer.relay else { continue };
            let hash = if by_wtxid { wtxid.as_byte_array() } else { txid.as_byte_array() };
            // Before the first announcement nothing is queued: it would tell what came when.
            if relay.next_send.is_some() && !relay.known.contains(hash) {
                relay.to_send.insert(wtxid);
                // Others are not told before their time.
                self.again |= peer.may(Permissions::NO_BAN);
            }
        }
    }

    /// Sends what is to be announced: the blocks in `items`, and transactions if it is time.
    pub(super) fn announce_transactions(&mut self, id: PeerId, items: &mut Vec<Inventory>) -> Result<(), Fault> {
        if self.is_time(id) {
            self.collect_mempool(id, items)?;
            self.collect_transactions(id, items)?;
        }
        if let Some(peer) = self.peers.get(&id) {
            for part in items.chunks(MAX_INVENTORY) {
                peer.send("inv", &wire::encoded_list(part));
            }
        }
        Ok(())
    }

    /// Says whether transactions may be announced to a peer now, and draws the next time if so.
    fn is_time(&mut self, id: PeerId) -> bool {
        let now = time::now();
        let Some(peer) = self.peers.get_mut(&id) else { return false };
        let (trusted, inbound) = (peer.may(Permissions::NO_BAN), peer.kind().is_inbound());
        let Some(relay) = &mut peer.relay else { return false };
        if relay.next_send.is_some_and(|next| next >= now) {
            return trusted;
        }
        relay.next_send = Some(if inbound {
            if self.next_inbound_trickle < now {
                self.next_inbound_trickle = now + time::exponential(INBOUND_INTERVAL);
            }
            self.next_inbound_trickle
        } else {
            now + time::exponential(OUTBOUND_INTERVAL)
        });
        true
    }

    /// Adds the whole mempool if the peer asked for it.
    fn collect_mempool(&mut self, id: PeerId, items: &mut Vec<Inventory>) -> Result<(), Fault> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        let by_wtxid = peer.uses_wtxids();
        let Some(relay) = &mut peer.relay else { return Ok(()) };
        if !std::mem::take(&mut relay.mempool_wanted) {
            return Ok(());
        }
        let all: Vec<Wtxid> =
            self.kernel.mempool_transactions()?.iter().map(|entry| entry.transaction.compute_wtxid()).collect();
        for entry in self.kernel.relay_order(&all)? {
            relay.to_send.remove(&entry.wtxid);
            if pays(&entry, relay.fee_filter) {
                items.push(announcement(&entry, by_wtxid, &mut relay.known));
            }
        }
        Ok(())
    }

    fn collect_transactions(&mut self, id: PeerId, items: &mut Vec<Inventory>) -> Result<(), Fault> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        let by_wtxid = peer.uses_wtxids();
        let Some(relay) = &mut peer.relay else { return Ok(()) };
        if !relay.wanted {
            relay.to_send.clear();
        }
        if !relay.to_send.is_empty() {
            let limit = MAX.min(TARGET + relay.to_send.len() / 1000 * 5);
            let waiting: Vec<Wtxid> = std::mem::take(&mut relay.to_send).into_iter().collect();
            let mut count = 0;
            for entry in self.kernel.relay_order(&waiting)? {
                if count >= limit {
                    relay.to_send.insert(entry.wtxid);
                    continue;
                }
                let hash = if by_wtxid { entry.wtxid.as_byte_array() } else { entry.txid.as_byte_array() };
                if relay.known.contains(hash) || !pays(&entry, relay.fee_filter) {
                    continue;
                }
                items.push(announcement(&entry, by_wtxid, &mut relay.known));
                count += 1;
            }
        }
        relay.last_sequence = self.kernel.mempool_sequence()?;
        Ok(())
    }
}

/// Makes the entry for a transaction and notes that the peer knows it.
fn announcement(entry: &RelayEntry, by_wtxid: bool, known: &mut crate::known::KnownSet) -> Inventory {
    if by_wtxid {
        known.insert(entry.wtxid.as_byte_array());
        Inventory::WTx(entry.wtxid)
    } else {
        known.insert(entry.txid.as_byte_array());
        Inventory::Transaction(entry.txid)
    }
}

/// Says whether a transaction pays the rate a peer asks for.
fn pays(entry: &RelayEntry, rate: u64) -> bool {
    let wanted = (u128::from(rate) * u128::from(entry.vsize)).div_ceil(1000);
    u128::from(entry.fee.to_sat()) >= wanted
}
