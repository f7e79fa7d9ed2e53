//! Which transaction is asked of which peer: one at a time, preferred peers first, another when one does not answer.
//!
//! **Invariant:** memory is bounded by what callers allow each peer to announce; see [`TxRequests::count`].

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use bitcoin::hashes::Hash;
use bitcoin::{Txid, Wtxid};

use crate::PeerId;
use crate::time::Time;

/// A transaction by one of its ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum TxId {
    /// Without the witness.
    Txid(Txid),
    /// With it.
    Wtxid(Wtxid),
}

impl TxId {
    /// Returns the id.
    pub(crate) fn bytes(&self) -> [u8; 32] {
        match self {
            TxId::Txid(txid) => txid.to_byte_array(),
            TxId::Wtxid(wtxid) => wtxid.to_byte_array(),
        }
    }

    /// Describes it as the log does.
    pub(crate) fn describe(&self) -> String {
        match self {
            TxId::Txid(txid) => format!("tx {txid}"),
            TxId::Wtxid(wtxid) => format!("wtx {wtxid}"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// May be asked from then on.
    Candidate(Time),
    /// Is asked, until then.
    Requested(Time),
    /// Did not answer, or not with it.
    Done,
}

#[derive(Debug)]
struct Announcement {
    peer: PeerId,
    id: TxId,
    preferred: bool,
    state: State,
}

#[derive(Debug, Default)]
struct PeerEntry {
    /// By the order they came.
    hashes: BTreeMap<u64, [u8; 32]>,
    in_flight: usize,
}

/// Transactions that were announced and did not come yet.
#[derive(Debug, Default)]
pub(crate) struct TxRequests {
    by_hash: HashMap<[u8; 32], Vec<Announcement>>,
    by_peer: HashMap<PeerId, PeerEntry>,
    sequence: u64,
    key: RandomState,
}

impl TxRequests {
    /// Counts a peer's announcements.
    pub(crate) fn count(&self, peer: PeerId) -> usize {
        self.by_peer.get(&peer).map_or(0, |entry| entry.hashes.len())
    }

    /// Counts what a peer is asked for.
    pub(crate) fn count_in_flight(&self, peer: PeerId) -> usize {
        self.by_peer.get(&peer).map_or(0, |entry| entry.in_flight)
    }

    /// Notes that a peer has a transaction; it may be asked from `time` on.
    pub(crate) fn announced(&mut self, peer: PeerId, id: TxId, preferred: bool, time: Time) {
        let announcements = self.by_hash.entry(id.bytes()).or_default();
        if announcements.iter().any(|announcement| announcement.peer == peer) {
            return;
        }
        announcements.push(Announcement { peer, id, preferred, state: State::Candidate(time) });
        self.sequence += 1;
        self.by_peer.entry(peer).or_default().hashes.insert(self.sequence, id.bytes());
    }

    /// Returns the peers that may be asked for a transaction.
    pub(crate) fn candidates(&self, hash: &[u8; 32]) -> Vec<PeerId> {
        let announcements = self.by_hash.get(hash).into_iter().flatten();
        announcements.filter(|one| one.state != State::Done).map(|one| one.peer).collect()
    }

    /// Returns what a peer should be asked for now, and what others were asked for in vain.
    pub(crate) fn requestable(&mut self, peer: PeerId, now: Time) -> (Vec<TxId>, Vec<(PeerId, TxId)>) {
        let (mut wanted, mut expired, mut exhausted) = (Vec::new(), Vec::new(), Vec::new());
        let hashes: Vec<[u8; 32]> = match self.by_peer.get(&peer) {
            Some(entry) => entry.hashes.values().copied().collect(),
            None => return (wanted, expired),
        };
        for hash in hashes {
            let Some(announcements) = self.by_hash.get_mut(&hash) else { continue };
            for announcement in announcements.iter_mut() {
                if matches!(announcement.state, State::Requested(until) if until <= now) {
                    announcement.state = State::Done;
                    expired.push((announcement.peer, announcement.id));
                    if let Some(entry) = self.by_peer.get_mut(&announcement.peer) {
                        entry.in_flight -= 1;
                    }
                }
            }
            if announcements.iter().all(|announcement| announcement.state == State::Done) {
                exhausted.push(hash);
                continue;
            }
            if announcements.iter().any(|announcement| matches!(announcement.state, State::Requested(_))) {
                continue;
            }
            let ready = announcements.iter().filter(|one| matches!(one.state, State::Candidate(time) if time <= now));
            let best = ready.max_by_key(|one| (one.preferred, self.key.hash_one((hash, one.peer))));
            if let Some(best) = best.filter(|best| best.peer == peer) {
                wanted.push(best.id);
            }
        }
        for hash in exhausted {
            self.forget(&hash);
        }
        (wanted, expired)
    }

    /// Notes that a peer was asked for a transaction and has until then to send it.
    pub(crate) fn requested(&mut self, peer: PeerId, hash: &[u8; 32], until: Time) {
        self.set_state(peer, hash, State::Requested(until));
    }

    /// Notes that a peer answered, with the transaction or that it has it not.
    pub(crate) fn answered(&mut self, peer: PeerId, hash: &[u8; 32]) {
        self.set_state(peer, hash, State::Done);
        let done = |list: &Vec<Announcement>| list.iter().all(|announcement| announcement.state == State::Done);
        if self.by_hash.get(hash).is_some_and(done) {
            self.forget(hash);
        }
    }

    /// Forgets a transaction: it came, or is not wanted any more.
    pub(crate) fn forget(&mut self, hash: &[u8; 32]) {
        for announcement in self.by_hash.remove(hash).unwrap_or_default() {
            if let Some(entry) = self.by_peer.get_mut(&announcement.peer) {
                entry.in_flight -= usize::from(matches!(announcement.state, State::Requested(_)));
                entry.hashes.retain(|_, other| other != hash);
            }
        }
    }

    /// Forgets a peer.
    pub(crate) fn disconnected(&mut self, peer: PeerId) {
        let Some(entry) = self.by_peer.remove(&peer) else { return };
        for hash in entry.hashes.values() {
            if let Some(announcements) = self.by_hash.get_mut(hash) {
                announcements.retain(|announcement| announcement.peer != peer);
                if announcements.is_empty() {
                    self.by_hash.remove(hash);
                }
            }
        }
    }

    fn set_state(&mut self, peer: PeerId, hash: &[u8; 32], state: State) {
        let announcements = self.by_hash.get_mut(hash);
        let announcement = announcements.and_then(|list| list.iter_mut().find(|one| one.peer == peer));
        let Some(announcement) = announcement else { return };
        let counts = |state: State| usize::from(matches!(state, State::Requested(_)));
        let before = std::mem::replace(&mut announcement.state, state);
        if let Some(entry) = self.by_peer.get_mut(&peer) {
            entry.in_flight = entry.in_flight + counts(state) - counts(before);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn id(n: u8) -> TxId {
        TxId::Wtxid(Wtxid::from_byte_array([n; 32]))
    }

    const fn at(seconds: u64) -> Time {
        Duration::from_secs(seconds)
    }

    #[test]
    fn one_peer_at_a_time_and_the_next_when_it_fails() {
        let mut requests = TxRequests::default();
        requests.announced(1, id(7), false, at(2));
        requests.announced(2, id(7), true, at(0));
        assert_eq!(requests.requestable(1, at(1)).0, []);
        assert_eq!(requests.requestable(2, at(1)).0, [id(7)]);
        requests.requested(2, &id(7).bytes(), at(61));
        assert_eq!((requests.count(2), requests.count_in_flight(2)), (1, 1));
        assert_eq!(requests.requestable(1, at(60)).0, []);
        assert_eq!(requests.requestable(1, at(61)), (vec![id(7)], vec![(2, id(7))]));
        assert_eq!(requests.count_in_flight(2), 0);
        requests.requested(1, &id(7).bytes(), at(121));
        requests.answered(1, &id(7).bytes());
        assert_eq!((requests.count(1), requests.count(2)), (0, 0));
        assert!(requests.by_hash.is_empty());
    }

    #[test]
    fn nothing_is_left_of_a_peer_that_went() {
        let mut requests = TxRequests::default();
        requests.announced(1, id(1), true, at(0));
        requests.announced(1, id(2), true, at(0));
        requests.announced(1, id(2), true, at(0));
        requests.announced(2, id(2), true, at(0));
        assert_eq!(requests.count(1), 2);
        requests.requested(1, &id(1).bytes(), at(60));
        requests.disconnected(1);
        assert_eq!(requests.requestable(2, at(1)).0, [id(2)]);
        requests.forget(&id(2).bytes());
        assert!(requests.by_hash.is_empty());
        assert_eq!(requests.count(2), 0);
    }
}
