//! `inv` and `notfound`: what a peer has, and what it has not.

use bitcoin::BlockHash;
use bitcoin::hex::DisplayHex;
use bitcoin::p2p::message_blockdata::Inventory;

use super::{Fault, Manager};
use crate::permissions::Permissions;
use crate::tx_download::{Announcer, MAX_ANNOUNCEMENTS};
use crate::tx_request::TxId;
use crate::wire::WireError;
use crate::{PeerId, peer, time, wire};

/// Most entries of a message.
pub(super) const MAX_INVENTORY: usize = 50_000;
/// Bytes of an entry.
pub(super) const ENTRY_SIZE: usize = 36;

/// Reads a list of entries; `name` is the message's.
pub(super) fn read(mut input: &[u8], name: &str) -> Result<Vec<Inventory>, Fault> {
    wire::take_list(&mut input, MAX_INVENTORY, ENTRY_SIZE).map_err(|error| match error {
        WireError::TooMany(count) => Fault::Misbehaving(format!("{name} message size = {count}")),
        other => other.into(),
    })
}

/// Describes an entry as the log does.
pub(super) fn describe(item: &Inventory) -> String {
    let mut hash = item.network_hash().unwrap_or_default();
    hash.reverse();
    let kind = match item {
        Inventory::Transaction(_) => "tx",
        Inventory::Block(_) => "block",
        Inventory::CompactBlock(_) => "cmpctblock",
        Inventory::WTx(_) => "wtx",
        Inventory::WitnessTransaction(_) => "witness-tx",
        Inventory::WitnessBlock(_) => "witness-block",
        Inventory::Unknown { inv_type: 3, .. } => "merkleblock",
        Inventory::Unknown { inv_type, .. } => return format!("0x{inv_type:08x} {}", hash.to_lower_hex_string()),
        Inventory::Error => "0x00000000",
    };
    format!("{kind} {}", hash.to_lower_hex_string())
}

/// Returns the transaction an entry is of.
pub(super) fn transaction(item: &Inventory) -> Option<TxId> {
    match item {
        Inventory::Transaction(txid) | Inventory::WitnessTransaction(txid) => Some(TxId::Txid(*txid)),
        Inventory::WTx(wtxid) => Some(TxId::Wtxid(*wtxid)),
        _ => None,
    }
}

impl Manager {
    /// Returns what decides when a peer is asked for a transaction.
    pub(super) fn announcer(peer: &peer::Peer) -> Announcer {
        Announcer { peer: peer.id(), preferred: peer.is_preferred(), unlimited: peer.may(Permissions::RELAY) }
    }

    pub(super) fn on_inv(&mut self, id: PeerId, payload: &[u8]) -> Result<(), Fault> {
        let items = read(payload, "inv")?;
        let initial_download = self.kernel.is_initial_block_download()?;
        let Some(peer) = self.peers.get(&id) else { return Ok(()) };
        let refused = self.refuses_transactions(peer);
        let by_wtxid = peer.uses_wtxids();
        let mut newest_block = None;
        for item in &items {
            match item {
                Inventory::Transaction(_) if by_wtxid => continue,
                Inventory::WTx(_) if !by_wtxid => continue,
                Inventory::Block(hash) => {
                    if self.on_block_announced(id, *hash, item)? {
                        newest_block = Some(*hash);
                    }
                    continue;
                }
                _ => {}
            }
            let Some(tx) = transaction(item) else {
                log::debug!(target: "net", "Unknown inv type \"{}\" received from peer={id}", describe(item));
                continue;
            };
            if refused {
                let mut hash = tx.bytes();
                hash.reverse();
                return Err(Fault::Disconnect(format!(
                    "transaction ({}) inv sent in violation of protocol",
                    hash.to_lower_hex_string()
                )));
            }
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.knows_transaction(&tx.bytes());
            }
            if !initial_download {
                let have = self.transactions.announced(&self.kernel, id, tx, time::now())?;
                log_inventory(id, item, have);
            }
        }
        match newest_block {
            Some(hash) => self.follow_block(id, hash),
            None => Ok(()),
        }
    }

    /// Notes that a peer has a block. Returns whether it is new to us.
    fn on_block_announced(&mut self, id: PeerId, hash: BlockHash, item: &Inventory) -> Result<bool, Fault> {
        let have = self.kernel.block_index(&hash)?.is_some();
        log_inventory(id, item, have);
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.chain.has(&self.kernel, hash)?;
        }
        Ok(!have && !self.kernel.is_loading_blocks()? && !self.in_flight.contains_key(&hash))
    }

    /// Asks for the headers up to a block a peer announced by hash. Before it is the peer's turn to be asked for headers
    /// at all, one such peer is asked for each new block, so that a silent first one does not hold us up.
    fn follow_block(&mut self, id: PeerId, hash: BlockHash) -> Result<(), Fault> {
        let Some(peer) = self.peers.get(&id) else { return Ok(()) };
        let started = peer.headers.is_started();
        if !started && (peer.asked_early || self.last_early_block == Some(hash)) {
            return Ok(());
        }
        let best = self.best_header()?;
        if self.ask_for_headers(id, &best.hash)? {
            log::debug!(target: "net", "getheaders ({}) {hash} to peer={id}", best.height);
        }
        if !started && let Some(peer) = self.peers.get_mut(&id) {
            peer.asked_early = true;
            self.last_early_block = Some(hash);
        }
        Ok(())
    }

    pub(super) fn on_notfound(&mut self, id: PeerId, payload: &[u8]) -> Result<(), Fault> {
        let items = read(payload, "notfound")?;
        if items.len() <= MAX_ANNOUNCEMENTS + peer::MAX_IN_FLIGHT {
            for tx in items.iter().filter_map(transaction) {
                self.transactions.not_found(id, tx);
            }
        }
        Ok(())
    }
}

fn log_inventory(id: PeerId, item: &Inventory, have: bool) {
    let state = if have { "have" } else { "new" };
    log::debug!(target: "net", "got inv: {} {state} peer={id}", describe(item));
}
