//! New blocks: told to peers by header where they want that and it connects to what they have, else by hash.

use bitcoin::BlockHash;
use bitcoin::block::Header;
use bitcoin::p2p::message_blockdata::Inventory;

use super::headers::write_headers;
use super::{Fault, Manager};
use crate::PeerId;
use crate::peer::Peer;

/// Most blocks announced by header at a time.
const MAX_TO_ANNOUNCE: usize = 8;

/// Most tips announced before the engine's events of them came.
const MAX_AHEAD: usize = 16;

impl Manager {
    /// The chain has a new tip: its blocks that were not on the chain before are to be announced.
    pub(super) fn tip_changed(
        &mut self,
        tip: BlockHash,
        fork: Option<BlockHash>,
        initial_download: bool,
    ) -> Result<(), kernel::Error> {
        if let Some(at) = self.ahead.iter().position(|ahead| *ahead == tip) {
            self.ahead.drain(..=at);
            return Ok(());
        }
        self.ahead.clear();
        self.last_tip = Some(tip);
        if initial_download {
            return Ok(());
        }
        self.announce_tip(tip, fork)
    }

    /// A block was handed to the engine: if it is the new tip, and the child of the last one, it is announced without
    /// waiting for the engine's event, which comes by way of another thread.
    pub(super) fn look_at_tip(&mut self) -> Result<(), kernel::Error> {
        let tip = self.kernel.latest_tip();
        let Some(tip) = tip.filter(|_| tip != self.last_tip && self.ahead.len() < MAX_AHEAD) else { return Ok(()) };
        let previous = self.kernel.block_index(&tip)?.and_then(|index| index.previous());
        if previous.is_none() || previous != self.last_tip || self.kernel.is_initial_block_download()? {
            return Ok(());
        }
        self.last_tip = Some(tip);
        self.ahead.push_back(tip);
        self.announce_tip(tip, previous)
    }

    fn announce_tip(&mut self, tip: BlockHash, fork: Option<BlockHash>) -> Result<(), kernel::Error> {
        self.transactions.tip_changed();
        let mut hashes = Vec::new();
        let mut walk = Some(tip);
        while let Some(hash) = walk.filter(|hash| Some(*hash) != fork && hashes.len() < MAX_TO_ANNOUNCE) {
            hashes.push(hash);
            walk = self.kernel.block_index(&hash)?.and_then(|index| index.previous());
        }
        self.again = true;
        for peer in self.peers.values_mut() {
            // More than can be announced by header are announced by the last hash, so the rest need not be kept.
            let queue = &mut peer.chain.to_announce;
            queue.extend(hashes.iter().rev());
            let excess = queue.len().saturating_sub(MAX_TO_ANNOUNCE + 1);
            queue.drain(..excess);
        }
        Ok(())
    }

    /// Announces new blocks to a peer by header. Returns those to announce by hash.
    pub(super) fn announce_blocks(&mut self, id: PeerId) -> Result<Vec<Inventory>, Fault> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(Vec::new()) };
        if !peer.chain.to_announce.is_empty() {
            peer.chain.resolve(&self.kernel)?;
            let queue = std::mem::take(&mut peer.chain.to_announce);
            if !Self::announce_headers(&self.kernel, peer, &queue)?
                && let Some(last) = queue.last()
                && let Some(index) = self.kernel.block_index(last)?
            {
                if !index.active {
                    let tip = self.kernel.tip()?.hash;
                    log::debug!(target: "net", "Announcing block {last} not on main chain (tip={tip})");
                }
                if !peer.chain.knows(&self.kernel, index.hash, index.height)? {
                    peer.chain.to_list.push(*last);
                    log::debug!(target: "net", "SendMessages: sending inv peer={id} hash={last}");
                }
            }
        }
        Ok(std::mem::take(&mut peer.chain.to_list).into_iter().map(Inventory::Block).collect())
    }

    /// Sends the headers the peer does not have. Returns whether that was possible.
    fn announce_headers(kernel: &kernel::Kernel, peer: &mut Peer, queue: &[BlockHash]) -> Result<bool, Fault> {
        if !peer.chain.wants_headers || queue.len() > MAX_TO_ANNOUNCE {
            return Ok(false);
        }
        let mut headers: Vec<Header> = Vec::new();
        let mut last: Option<kernel::BlockIndex> = None;
        for hash in queue {
            let Some(index) = kernel.block_index(hash)?.filter(|index| index.active) else { return Ok(false) };
            if last.as_ref().is_some_and(|last| index.previous() != Some(last.hash)) {
                return Ok(false);
            }
            if !headers.is_empty() {
                headers.push(index.header);
            } else if !peer.chain.knows(kernel, index.hash, index.height)? {
                let connects = match index.previous() {
                    Some(previous) => peer.chain.knows(kernel, previous, index.height - 1)?,
                    None => true,
                };
                if !connects {
                    return Ok(false);
                }
                headers.push(index.header);
            }
            last = Some(index);
        }
        let (Some(first), Some(last), Some(newest)) = (headers.first(), headers.last(), last) else { return Ok(true) };
        let id = peer.id();
        let (first, last) = (first.block_hash(), last.block_hash());
        if headers.len() > 1 {
            let count = headers.len();
            log::debug!(target: "net", "SendMessages: {count} headers, range ({first}, {last}), to peer={id}");
        } else {
            log::debug!(target: "net", "SendMessages: sending header {first} to peer={id}");
        }
        peer.send("headers", &write_headers(&headers));
        peer.chain.sent = Some((&newest).into());
        Ok(true)
    }
}
