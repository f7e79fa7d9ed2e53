//! Which blocks are asked of which peer, and what becomes of peers that do not send them.

use std::time::Duration;

use bitcoin::BlockHash;
use bitcoin::p2p::message_blockdata::Inventory;
use kernel::{BlockSpot, DownloadRequest};

use super::{Fault, Manager};
use crate::network::FetchError;
use crate::time;
use crate::tx_request::TxId;
use crate::{PeerId, wire};

/// How far ahead of what is common blocks are fetched.
const WINDOW: u32 = 1024;
/// How long a peer may stall the download; longer once it was, until blocks come again.
pub(super) const STALLING_TIMEOUT: Duration = Duration::from_secs(2);
const MAX_STALLING_TIMEOUT: Duration = Duration::from_secs(64);
/// Most entries of a request.
const MAX_REQUESTED: usize = 1000;

impl Manager {
    /// Forgets that a block was asked for: of one peer, or of whomever.
    pub(super) fn forget_request(&mut self, hash: &BlockHash, of: Option<PeerId>) {
        let Some(owner) = self.in_flight.get(hash).copied().filter(|owner| of.is_none_or(|of| of == *owner)) else {
            return;
        };
        self.in_flight.remove(hash);
        if let Some(peer) = self.peers.get_mut(&owner) {
            peer.downloads.remove(hash, time::now());
        }
    }

    /// Asks a peer for blocks, as many as it may be asked for. Returns how many.
    pub(super) fn ask_for_blocks(
        &mut self,
        id: PeerId,
        blocks: &[BlockSpot],
        text: impl Fn(&BlockSpot) -> String,
    ) -> usize {
        let items = self.note_requests(id, blocks, text);
        if !items.is_empty()
            && let Some(peer) = self.peers.get(&id)
        {
            peer.send("getdata", &wire::encoded_list(&items));
        }
        items.len()
    }

    fn note_requests(
        &mut self,
        id: PeerId,
        blocks: &[BlockSpot],
        text: impl Fn(&BlockSpot) -> String,
    ) -> Vec<Inventory> {
        let Some(peer) = self.peers.get_mut(&id) else { return Vec::new() };
        let now = time::now();
        let mut items = Vec::new();
        for block in blocks.iter().take(peer.downloads.room()) {
            peer.downloads.add(*block, now);
            self.in_flight.insert(block.hash, id);
            log::debug!(target: "net", "{}", text(block));
            items.push(if peer.serves_witnesses() {
                Inventory::WitnessBlock(block.hash)
            } else {
                Inventory::Block(block.hash)
            });
        }
        items
    }

    /// Asks for what the user wants from a certain peer.
    pub(crate) fn fetch_block(&mut self, id: PeerId, block: BlockSpot) -> Result<(), FetchError> {
        if self.kernel.is_loading_blocks().map_err(|_| FetchError::Stopped)? {
            return Err(FetchError::Loading);
        }
        let peer = self.peers.get(&id).filter(|peer| !peer.link.is_over()).ok_or(FetchError::NoPeer)?;
        if !peer.serves_witnesses() {
            return Err(FetchError::NoWitness);
        }
        if self.in_flight.get(&block.hash) == Some(&id) {
            return Err(FetchError::Requested);
        }
        if !peer.handshake.is_established() {
            return Err(FetchError::NotEstablished);
        }
        self.forget_request(&block.hash, None);
        let Some(peer) = self.peers.get_mut(&id) else { return Err(FetchError::NoPeer) };
        peer.downloads.add(block, time::now());
        self.in_flight.insert(block.hash, id);
        peer.send("getdata", &wire::encoded_list(&[Inventory::WitnessBlock(block.hash)]));
        log::debug!(target: "net", "Requesting block {} from peer={id}", block.hash);
        Ok(())
    }

    /// Asks a peer for blocks and transactions.
    pub(super) fn request_data(&mut self, id: PeerId) -> Result<(), Fault> {
        let mut items = self.request_blocks(id)?;
        let now = time::now();
        for tx in self.transactions.take_requests(&self.kernel, id, now)? {
            let Some(peer) = self.peers.get(&id) else { return Ok(()) };
            items.push(match tx {
                TxId::Wtxid(wtxid) => Inventory::WTx(wtxid),
                TxId::Txid(txid) if peer.serves_witnesses() => Inventory::WitnessTransaction(txid),
                TxId::Txid(txid) => Inventory::Transaction(txid),
            });
        }
        if let Some(peer) = self.peers.get(&id) {
            for part in items.chunks(MAX_REQUESTED) {
                peer.send("getdata", &wire::encoded_list(part));
            }
        }
        Ok(())
    }

    fn request_blocks(&mut self, id: PeerId) -> Result<Vec<Inventory>, Fault> {
        let syncs_from = self.syncs_from(id);
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(Vec::new()) };
        let room = peer.downloads.room();
        if room == 0 || !peer.serves_blocks() {
            return Ok(Vec::new());
        }
        if (peer.is_limited() || !syncs_from) && self.kernel.is_initial_block_download()? {
            return Ok(Vec::new());
        }
        peer.chain.resolve(&self.kernel)?;
        let Some(best) = peer.chain.best else { return Ok(Vec::new()) };
        if peer.chain.common.is_some_and(|common| common.hash == best.hash) {
            return Ok(Vec::new());
        }
        let in_flight: Vec<BlockHash> = self.in_flight.keys().copied().collect();
        let plan = self.kernel.plan_download(&DownloadRequest {
            best_known: best.hash,
            common: peer.chain.common.map(|common| common.hash),
            count: u32::try_from(room).unwrap_or(0),
            window: WINDOW,
            limited: peer.is_limited(),
            witness: peer.serves_witnesses(),
            in_flight: &in_flight,
        })?;
        peer.chain.common = plan.common;
        let idle = peer.downloads.is_empty();
        let items = self.note_requests(id, &plan.blocks, |block| {
            format!("Requesting block {} ({}) peer={id}", block.hash, block.height)
        });
        if let Some(staller) = plan.stalled_by.and_then(|hash| self.in_flight.get(&hash).copied())
            && idle
            && staller != id
            && let Some(staller) = self.peers.get_mut(&staller)
            && staller.downloads.start_stalling(time::now())
        {
            log::debug!(target: "net", "Stall started peer={}", staller.id());
        }
        Ok(items)
    }

    /// Ends the connection to a peer that stalls the download, or does not send a block in time.
    pub(super) fn check_downloads(&mut self, id: PeerId) -> Result<(), Fault> {
        let Some(peer) = self.peers.get(&id) else { return Ok(()) };
        let now = time::now();
        if peer.downloads.stalling().is_some_and(|since| since + self.stalling_timeout < now) {
            // Perhaps it is our own connection that is slow: the next peer gets more time.
            let longer = (self.stalling_timeout * 2).min(MAX_STALLING_TIMEOUT);
            if longer != self.stalling_timeout {
                self.stalling_timeout = longer;
                let seconds = longer.as_secs();
                log::debug!(target: "net", "Increased stalling timeout temporarily to {seconds} seconds");
            }
            return Err(Fault::DisconnectNotice("Peer is stalling block download".to_owned()));
        }
        if let Some((block, since)) = peer.downloads.first() {
            let others = self.peers.values().filter(|other| other.id() != id && !other.downloads.is_empty()).count();
            let interval = Duration::from_secs(self.kernel.block_interval()?.max(1).unsigned_abs());
            let limit = interval + interval / 2 * u32::try_from(others).unwrap_or(u32::MAX);
            if now > since + limit {
                return Err(Fault::DisconnectNotice(format!("Timeout downloading block {}", block.hash)));
            }
        }
        Ok(())
    }

    /// A block came: peers are given less time to stall again, down to what is usual.
    pub(super) fn shorten_stalling_timeout(&mut self) {
        if self.stalling_timeout > STALLING_TIMEOUT {
            let seconds = (self.stalling_timeout.as_secs_f64() * 0.85).floor();
            self.stalling_timeout = Duration::from_secs_f64(seconds).max(STALLING_TIMEOUT);
            let seconds = self.stalling_timeout.as_secs();
            log::debug!(target: "net", "Decreased stalling timeout to {seconds} seconds");
        }
    }
}
