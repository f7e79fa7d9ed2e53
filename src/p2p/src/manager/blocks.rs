//! `block` and `getblocks`.

use bitcoin::BlockHash;
use bitcoin::hashes::{Hash, sha256d};
use kernel::BlockVerdict;

use super::headers::read_locator;
use super::{Fault, Manager};
use crate::{PeerId, time, wire};

/// Bytes of a block that its hash is of.
const HEADER_SIZE: usize = 80;
/// Most hashes that answer `getblocks`.
const MAX_LISTED: u32 = 500;
/// Blocks from the tip that a pruning node surely still has when it is asked for what it listed an hour ago.
const KEPT_BLOCKS: (u32, i64) = (288, 3600);

impl Manager {
    pub(super) fn on_block(&mut self, id: PeerId, payload: &[u8]) -> Result<(), Fault> {
        if self.kernel.is_loading_blocks()? {
            log::debug!(target: "net", "Unexpected block message received from peer {id}");
            return Ok(());
        }
        let header = payload.get(..HEADER_SIZE).ok_or_else(wire::end_of_data)?;
        let hash = BlockHash::from_raw_hash(sha256d::Hash::hash(header));
        log::debug!(target: "net", "received block {hash} peer={id}");
        let requested = self.in_flight.contains_key(&hash);
        self.forget_request(&hash, Some(id));
        self.sources.entry(hash).or_insert(id);
        let received = match self.kernel.receive_block(payload, requested) {
            Ok(received) => received,
            Err(error) => {
                self.sources.remove(&hash);
                return Err(match error {
                    // Core reads what comes from peers out of another kind of stream, and logs say so.
                    kernel::Error::Decode(text) => Fault::Malformed(text.replace("SpanReader", "DataStream")),
                    other => other.into(),
                });
            }
        };
        if received.mutated {
            self.sources.remove(&hash);
            log::debug!(target: "net", "Received mutated block from peer={id}");
            return Err(Fault::Misbehaving("mutated block".to_owned()));
        }
        if received.new {
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.last_block = time::seconds(time::now());
            }
            // Whoever else was asked for it need not send it.
            self.forget_request(&hash, None);
        }
        for (checked, verdict) in received.verdicts {
            self.on_verdict(checked, &verdict);
        }
        if received.new {
            self.look_at_tip()?;
        }
        if !received.new {
            self.sources.remove(&hash);
        }
        Ok(())
    }

    /// A block was validated, some time after it came perhaps: whoever sent it answers for it.
    fn on_verdict(&mut self, hash: BlockHash, verdict: &BlockVerdict) {
        if let Some(source) = self.sources.remove(&hash) {
            self.blame(source, verdict, "");
        }
    }

    pub(super) fn on_getblocks(&mut self, id: PeerId, payload: &[u8]) -> Result<(), Fault> {
        let (locator, stop) = read_locator(payload, "getblocks")?;
        let interval = self.kernel.block_interval()?.max(1);
        let info = self.kernel.chain_info()?;
        let start = self.kernel.find_fork(&locator)?.map_or(0, |fork| fork.height) + 1;
        let indexes = self.kernel.block_indexes(start, MAX_LISTED)?;
        log::debug!(
            target: "net",
            "getblocks {} to {} limit {MAX_LISTED} from peer={id}",
            indexes.first().map_or(-1, |index| i64::from(index.height)),
            if stop == BlockHash::all_zeros() { "end".to_owned() } else { stop.to_string() }
        );
        let kept = KEPT_BLOCKS.0.saturating_sub(u32::try_from(KEPT_BLOCKS.1 / interval).unwrap_or(0));
        let oldest = info.tip.height.saturating_sub(kept);
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        let limited = indexes.len() == MAX_LISTED as usize;
        let last = indexes.last().map(|index| index.hash);
        for index in indexes {
            let (hash, height) = (index.hash, index.height);
            if hash == stop {
                log::debug!(target: "net", " getblocks stopping at {height} {hash}");
                return Ok(());
            }
            if info.prune.is_some() && (!index.status.have_data || height <= oldest) {
                log::debug!(target: "net", " getblocks stopping, pruned or too old block at {height} {hash}");
                return Ok(());
            }
            peer.chain.to_list.push(hash);
        }
        if limited {
            // When it fetches this one it is told of the tip, and asks for more.
            peer.chain.continuation = last;
        }
        Ok(())
    }
}
