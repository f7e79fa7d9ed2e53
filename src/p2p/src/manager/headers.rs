//! `headers`, `getheaders` and `sendheaders`: how chains are compared and fetched.

use bitcoin::block::Header;
use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, VarInt};
use kernel::{BlockIndex, BlockVerdict, DirectFetch, HeadersFault, HeadersVerdict, InvalidKind};

use super::{Fault, Manager};
use crate::PeerId;
use crate::peer::{ChainSync, HeadersSync};
use crate::permissions::Permissions;
use crate::presync::{Presync, Step};
use crate::time::{self, Time};
use crate::wire::{self, WireError};

/// Version in front of a locator: a constant, whatever version is spoken.
const LOCATOR_VERSION: u32 = 70_016;
/// Most headers of a message.
pub(super) const MAX_HEADERS: usize = 2000;
/// Bytes of an entry: the header, and the number of transactions.
const ENTRY_SIZE: usize = 81;
/// Most hashes of a locator.
pub(super) const MAX_LOCATOR: usize = 101;
/// How long a peer has to answer before it is asked again.
const RESPONSE_TIME: Time = Time::from_secs(120);
/// How long the first exchange of headers may take, and how much longer for each header.
const SYNC_TIME: (Time, Time) = (Time::from_secs(15 * 60), Time::from_millis(1));
/// Age of the best header below which every peer is asked for its headers.
const RECENT: i64 = 24 * 60 * 60;
/// First version that takes announcements by header.
const SENDHEADERS_VERSION: u32 = 70_012;
/// Outbound peers that are kept whatever their chain.
const MAX_PROTECTED: usize = 4;

/// Reads a locator and where to stop.
pub(super) fn read_locator(mut input: &[u8], name: &str) -> Result<(Vec<BlockHash>, BlockHash), Fault> {
    let _version: u32 = wire::take(&mut input)?;
    let locator = wire::take_list(&mut input, MAX_LOCATOR, 32).map_err(|error| match error {
        WireError::TooMany(count) => Fault::Disconnect(format!("{name} locator size {count} > {MAX_LOCATOR}")),
        other => other.into(),
    })?;
    Ok((locator, wire::take(&mut input)?))
}

pub(super) fn read_headers(mut input: &[u8]) -> Result<Vec<Header>, Fault> {
    let count = wire::take_count(&mut input, MAX_HEADERS).map_err(|error| match error {
        WireError::TooMany(count) => Fault::Misbehaving(format!("headers message size = {count}")),
        other => other.into(),
    })?;
    let mut headers = Vec::with_capacity(count.min(input.len() / ENTRY_SIZE));
    for _ in 0..count {
        headers.push(wire::take(&mut input)?);
        // The number of transactions, which is none.
        let _: VarInt = wire::take(&mut input)?;
    }
    Ok(headers)
}

/// Writes a `headers` message.
pub(super) fn write_headers(headers: &[Header]) -> Vec<u8> {
    let mut payload = wire::encoded(&VarInt::from(headers.len()));
    for header in headers {
        wire::put(&mut payload, header);
        payload.push(0);
    }
    payload
}

impl Manager {
    /// Asks a peer for headers after a block, unless it was asked a moment ago. Returns whether it was asked.
    pub(super) fn ask_for_headers(&mut self, id: PeerId, from: &BlockHash) -> Result<bool, Fault> {
        let locator = self.kernel.locator_of(from)?;
        Ok(self.ask_with_locator(id, &locator))
    }

    fn ask_with_locator(&mut self, id: PeerId, locator: &[BlockHash]) -> bool {
        let Some(peer) = self.peers.get_mut(&id) else { return false };
        let now = time::now();
        if peer.headers_asked.is_some_and(|asked| now.saturating_sub(asked) <= RESPONSE_TIME) {
            return false;
        }
        let mut payload = wire::encoded(&LOCATOR_VERSION);
        payload.extend(wire::encoded_list(locator));
        wire::put(&mut payload, &BlockHash::all_zeros());
        peer.send("getheaders", &payload);
        peer.headers_asked = Some(now);
        true
    }

    /// Returns the best header, or the tip.
    pub(super) fn best_header(&self) -> Result<BlockIndex, kernel::Error> {
        match self.kernel.best_header()? {
            Some(best) => Ok(best),
            None => self.kernel.tip(),
        }
    }

    /// Begins the exchange of headers with a peer when it is its turn, and asks for announcements by header later on.
    pub(super) fn maybe_ask_for_headers(&mut self, id: PeerId) -> Result<(), Fault> {
        let minimum_work = self.kernel.minimum_chain_work()?;
        let started = self.peers.values().any(|peer| peer.headers.is_started());
        let syncs_from = self.syncs_from(id);
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        if !peer.chain.told_headers
            && peer.handshake.common() >= SENDHEADERS_VERSION
            && peer.chain.best.is_some_and(|best| best.work > minimum_work)
        {
            peer.send("sendheaders", &[]);
            peer.chain.told_headers = true;
        }
        if peer.headers.is_started() || !peer.serves_blocks() || self.kernel.is_loading_blocks()? {
            return Ok(());
        }
        let best = self.best_header()?;
        let now = time::now();
        if !((!started && syncs_from) || best.time() > time::seconds(now) - RECENT) {
            return Ok(());
        }
        // From the one before, so that the answer has at least the best one, if the peer has it.
        let from = best.previous().unwrap_or(best.hash);
        if self.ask_for_headers(id, &from)? {
            let height = best.height.saturating_sub(1);
            log::debug!(target: "net", "initial getheaders ({height}) to peer={id}");
            let behind = (time::seconds(now) - best.time()) / self.kernel.block_interval()?.max(1);
            let behind = u32::try_from(behind.max(0)).unwrap_or(u32::MAX);
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.headers = HeadersSync::Syncing { deadline: now + SYNC_TIME.0 + SYNC_TIME.1 * behind };
            }
        }
        Ok(())
    }

    /// Says whether blocks and headers are fetched from a peer: one of those we chose, or any if there are none.
    pub(super) fn syncs_from(&self, id: PeerId) -> bool {
        let Some(peer) = self.peers.get(&id) else { return false };
        if peer.is_preferred() {
            return true;
        }
        let alone = !self.peers.values().any(|peer| peer.handshake.version().is_some() && peer.is_preferred());
        peer.serves_blocks() && (alone || self.in_flight.is_empty())
    }

    /// Gives up a peer that does not bring us near the present in time.
    pub(super) fn check_headers_sync(&mut self, id: PeerId) -> Result<(), Fault> {
        let Some(peer) = self.peers.get(&id) else { return Ok(()) };
        let HeadersSync::Syncing { deadline } = peer.headers else { return Ok(()) };
        let now = time::now();
        let state = if self.best_header()?.time() > time::seconds(now) - RECENT {
            HeadersSync::Done
        } else {
            let only = self.peers.values().filter(|peer| peer.headers.is_started()).count() == 1;
            let others = self.peers.values().any(|other| other.id() != id && other.is_preferred());
            if now <= deadline || !only || !others {
                return Ok(());
            }
            if !peer.may(Permissions::NO_BAN) {
                return Err(Fault::DisconnectNotice("Timeout downloading headers".to_owned()));
            }
            log::info!("Timeout downloading headers from noban peer, not disconnecting {}", peer.link.peer());
            HeadersSync::NotStarted
        };
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.headers = state;
        }
        Ok(())
    }

    pub(super) fn on_sendheaders(&mut self, id: PeerId) -> Result<(), Fault> {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.chain.wants_headers = true;
        }
        Ok(())
    }

    pub(super) fn on_headers(&mut self, id: PeerId, payload: &[u8]) -> Result<(), Fault> {
        if self.kernel.is_loading_blocks()? {
            log::debug!(target: "net", "Unexpected headers message received from peer {id}");
            return Ok(());
        }
        let headers = read_headers(payload)?;
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        if headers.is_empty() {
            // The peer has nothing more, or went over to our chain.
            peer.headers_asked = None;
            peer.presync = None;
            return Ok(());
        }
        match self.kernel.check_headers(&headers)? {
            Some(HeadersFault::BadWork) => {
                return Err(Fault::Misbehaving("header with invalid proof of work".to_owned()));
            }
            Some(HeadersFault::NotContinuous) => {
                return Err(Fault::Misbehaving("non-continuous headers sequence".to_owned()));
            }
            None => {}
        }
        let full = headers.len() == MAX_HEADERS;
        match self.go_through(id, &headers, full)? {
            // Not part of one, or not what was promised: looked at like any others.
            None => self.judge_headers(id, &headers, full, false),
            Some(ready) if ready.is_empty() => Ok(()),
            Some(ready) => self.judge_headers(id, &ready, full, true),
        }
    }

    /// Takes headers of a chain that is gone through before it is stored, if they are of one. Returns what can be taken.
    fn go_through(&mut self, id: PeerId, headers: &[Header], full: bool) -> Result<Option<Vec<Header>>, Fault> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(None) };
        let Some(presync) = &mut peer.presync else { return Ok(None) };
        let step = presync.take(&self.kernel, headers, full)?;
        let (start, counted) = (presync.start(), presync.counted());
        match step {
            Step::Failed => {
                peer.presync = None;
                Ok(None)
            }
            Step::Done(ready) => {
                peer.headers_asked = None;
                peer.presync = None;
                Ok(Some(ready))
            }
            Step::More(after, ready) => {
                peer.headers_asked = None;
                let mut locator = vec![after];
                locator.extend(self.kernel.locator_of(&start)?);
                self.ask_with_locator(id, &locator);
                log::debug!(target: "net", "more getheaders (from {after}) to peer={id}");
                if let Some((height, time)) = counted {
                    self.kernel.report_presync(height, time)?;
                }
                Ok(Some(ready))
            }
        }
    }

    /// Judges headers that are to be stored if they are worth it.
    fn judge_headers(&mut self, id: PeerId, headers: &[Header], full: bool, work_known: bool) -> Result<(), Fault> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        let (Some(first), Some(last)) = (headers.first(), headers.last()) else { return Ok(()) };
        let more = full && peer.presync.is_none();
        let verdict = self.kernel.receive_headers(headers, work_known || peer.may(Permissions::NO_BAN))?;
        if verdict != HeadersVerdict::Unconnected && peer.presync.is_none() {
            peer.headers_asked = None;
        }
        match verdict {
            HeadersVerdict::Unconnected => self.on_unconnected(id, first, last),
            HeadersVerdict::LowWork { start, threshold } if full => {
                peer.presync = Some(Presync::new(&self.kernel, id, start, threshold)?);
                self.go_through(id, headers, full).map(|_| ())
            }
            HeadersVerdict::LowWork { start, .. } => {
                let height = start.height as usize + headers.len();
                log::debug!(target: "net", "Ignoring low-work chain (height={height}) from peer={id}");
                Ok(())
            }
            HeadersVerdict::Rejected(verdict) => {
                if let BlockVerdict::Invalid { kind: InvalidKind::CachedInvalid, debug, .. } = &verdict
                    && !peer.kind().is_inbound()
                {
                    log::warn!(
                        "{debug} (received from peer={id}). If this happens with all peers, consider database \
                         corruption (that -reindex may fix) or a potential consensus incompatibility."
                    );
                }
                self.blame(id, &verdict, "invalid header received");
                Ok(())
            }
            HeadersVerdict::Accepted { last, new } => self.on_new_headers(id, &last, new, full, more),
        }
    }

    /// Headers of blocks whose parents we do not know: an announcement after we missed some.
    fn on_unconnected(&mut self, id: PeerId, first: &Header, last: &Header) -> Result<(), Fault> {
        let best = self.best_header()?;
        if self.ask_for_headers(id, &best.hash)? {
            log::debug!(
                target: "net",
                "received header {}: missing prev block {}, sending getheaders ({}) to end (peer={id})",
                first.block_hash(),
                first.prev_blockhash,
                best.height
            );
        }
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.chain.has(&self.kernel, last.block_hash())?;
        }
        Ok(())
    }

    fn on_new_headers(
        &mut self,
        id: PeerId,
        last: &BlockIndex,
        new: bool,
        full: bool,
        more: bool,
    ) -> Result<(), Fault> {
        if new {
            self.log_header(id, last)?;
        }
        if more && self.ask_for_headers(id, &last.hash)? {
            log::debug!(target: "net", "more getheaders ({}) to end to peer={id}", last.height);
        }
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        peer.chain.has(&self.kernel, last.hash)?;
        if self.kernel.is_initial_block_download()? && !full {
            let minimum = self.kernel.minimum_chain_work()?;
            if peer.kind().is_automatic() && peer.chain.best.is_some_and(|best| best.work < minimum) {
                return Err(Fault::DisconnectNotice("outbound peer headers chain has insufficient work".to_owned()));
            }
        }
        let tip = self.kernel.tip()?;
        let level = peer.chain.best.is_some_and(|best| best.work >= tip.chainwork);
        if peer.kind() == crate::link::ConnectionKind::FullRelay
            && level
            && self.protected < MAX_PROTECTED
            && peer.chain_sync != ChainSync::Protected
        {
            log::debug!(target: "net", "Protecting outbound peer={id} from eviction");
            peer.chain_sync = ChainSync::Protected;
            self.protected += 1;
        }
        self.fetch_directly(id, last)
    }

    fn log_header(&self, id: PeerId, last: &BlockIndex) -> Result<(), Fault> {
        let Some(peer) = self.peers.get(&id) else { return Ok(()) };
        let text = format!("Saw new header hash={} height={} {}", last.hash, last.height, peer.link.peer());
        if self.kernel.is_initial_block_download()? {
            log::debug!(target: "validation", "{text}");
        } else {
            log::info!("{text}");
        }
        Ok(())
    }

    /// Asks for the blocks of headers that just came, if we are near the present.
    fn fetch_directly(&mut self, id: PeerId, last: &BlockIndex) -> Result<(), Fault> {
        let Some(peer) = self.peers.get(&id) else { return Ok(()) };
        let in_flight: Vec<BlockHash> = self.in_flight.keys().copied().collect();
        let limit = u32::try_from(crate::peer::MAX_IN_FLIGHT).unwrap_or(u32::MAX);
        let blocks = match self.kernel.plan_direct_fetch(&last.hash, limit, peer.serves_witnesses(), &in_flight)? {
            DirectFetch::Blocks(blocks) => blocks,
            DirectFetch::TooFar => {
                let BlockIndex { hash, height, .. } = last;
                log::debug!(target: "net", "Large reorg, won't direct fetch to {hash} ({height})");
                return Ok(());
            }
        };
        let asked = self.ask_for_blocks(id, &blocks, |block| format!("Requesting block {} from peer={id}", block.hash));
        if asked > 1 {
            let BlockIndex { hash, height, .. } = last;
            log::debug!(target: "net", "Downloading blocks toward {hash} ({height}) via headers direct fetch");
        }
        Ok(())
    }

    pub(super) fn on_getheaders(&mut self, id: PeerId, payload: &[u8]) -> Result<(), Fault> {
        let (locator, stop) = read_locator(payload, "getheaders")?;
        if self.kernel.is_loading_blocks()? {
            log::debug!(target: "net", "Ignoring getheaders from peer={id} while importing/reindexing");
            return Ok(());
        }
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        let tip = self.kernel.tip()?;
        if tip.chainwork < self.kernel.minimum_chain_work()? && !Self::downloads_freely(peer) {
            log::debug!(
                target: "net",
                "Ignoring getheaders from peer={id} because active chain has too little work; sending empty response"
            );
            peer.send("headers", &write_headers(&[]));
            return Ok(());
        }
        let mut headers = Vec::new();
        let mut start = None;
        if locator.is_empty() {
            let Some(index) = self.kernel.block_index(&stop)? else { return Ok(()) };
            if !self.kernel.may_serve_block(&stop)? {
                log::debug!(
                    target: "net",
                    "ProcessMessage: ignoring request from peer={id} for old block header that isn't in the main chain"
                );
                return Ok(());
            }
            start = Some(index.height);
            headers.push(index.header);
        } else {
            let fork = self.kernel.find_fork(&locator)?.map_or(0, |fork| fork.height);
            let limit = u32::try_from(MAX_HEADERS).unwrap_or(u32::MAX);
            for index in self.kernel.block_indexes(fork + 1, limit)? {
                start.get_or_insert(index.height);
                headers.push(index.header);
                if index.hash == stop {
                    break;
                }
            }
        }
        log::debug!(
            target: "net",
            "getheaders {} to {} from peer={id}",
            start.map_or(-1, i64::from),
            if stop == BlockHash::all_zeros() { "end".to_owned() } else { stop.to_string() }
        );
        // What it was sent, or the tip if it has that: from there on announcements connect.
        let sent = match headers.last() {
            Some(last) => self.kernel.block_index(&last.block_hash())?,
            None => None,
        };
        peer.chain.sent = Some(sent.as_ref().unwrap_or(&tip).into());
        peer.send("headers", &write_headers(&headers));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_bounded_and_read_back() {
        let genesis = bitcoin::constants::genesis_block(bitcoin::Network::Regtest).header;
        let bytes = write_headers(&[genesis, genesis]);
        assert_eq!(bytes.len(), 1 + 2 * 81);
        assert_eq!(read_headers(&bytes).unwrap(), [genesis, genesis]);
        assert!(matches!(read_headers(&bytes[..bytes.len() - 1]), Err(Fault::Malformed(_))));
        let huge = wire::encoded(&VarInt(2001));
        let Err(Fault::Misbehaving(text)) = read_headers(&huge) else { panic!("refused") };
        assert_eq!(text, "headers message size = 2001");
    }

    #[test]
    fn locators_are_bounded() {
        let bytes = |count: usize| {
            let mut bytes = wire::encoded(&LOCATOR_VERSION);
            bytes.extend(wire::encoded_list(&vec![BlockHash::all_zeros(); count]));
            wire::put(&mut bytes, &BlockHash::all_zeros());
            bytes
        };
        assert_eq!(read_locator(&bytes(101), "getheaders").unwrap().0.len(), 101);
        let Err(Fault::Disconnect(text)) = read_locator(&bytes(102), "getblocks") else { panic!("refused") };
        assert_eq!(text, "getblocks locator size 102 > 101");
    }
}
