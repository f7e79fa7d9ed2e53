//! Transactions from peers whose parents are missing.
//!
//! **Invariant:** announcements and weight are bounded in all, and what goes first is the oldest of the peer that takes
//! most: no peer can push out what others brought while it takes more than they do.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use bitcoin::{OutPoint, Transaction, Txid, Wtxid};

use crate::PeerId;
use crate::stats::OrphanInfo;

/// Most announcements, a transaction counted for each peer that has it.
const MAX_ANNOUNCEMENTS: usize = 3000;
/// Weight for each peer that takes part.
const WEIGHT_PER_PEER: u64 = 404_000;
/// Weight of the largest transaction that is kept.
const MAX_WEIGHT: u64 = 400_000;

#[derive(Debug)]
struct Orphan {
    transaction: Transaction,
    weight: u64,
    peers: BTreeSet<PeerId>,
    sequence: u64,
}

/// What a peer takes.
#[derive(Debug, Default)]
struct Share {
    /// By the order they came.
    orphans: BTreeMap<u64, Wtxid>,
    weight: u64,
}

/// Transactions that wait for a parent.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    by_id: HashMap<Wtxid, Orphan>,
    by_parent: HashMap<Txid, BTreeSet<Wtxid>>,
    shares: HashMap<PeerId, Share>,
    /// Those whose parent came, and for which peer they are tried again.
    ready: VecDeque<(PeerId, Wtxid)>,
    announcements: usize,
    weight: u64,
    sequence: u64,
}

impl Orphans {
    /// Says whether a transaction waits here.
    pub(crate) fn contains(&self, wtxid: &Wtxid) -> bool {
        self.by_id.contains_key(wtxid)
    }

    /// Counts the transactions that wait here.
    pub(crate) fn count(&self) -> usize {
        self.by_id.len()
    }

    /// Returns all that wait here, oldest first, each with the peers that have it.
    pub(crate) fn all(&self) -> Vec<OrphanInfo> {
        let mut orphans: Vec<&Orphan> = self.by_id.values().collect();
        orphans.sort_by_key(|orphan| orphan.sequence);
        let describe = |orphan: &Orphan| OrphanInfo {
            transaction: orphan.transaction.clone(),
            peers: orphan.peers.iter().copied().collect(),
        };
        orphans.into_iter().map(describe).collect()
    }

    /// Returns a transaction that waits here.
    pub(crate) fn get(&self, wtxid: &Wtxid) -> Option<&Transaction> {
        self.by_id.get(wtxid).map(|orphan| &orphan.transaction)
    }

    /// Says whether a transaction waits here for a certain peer.
    pub(crate) fn is_from(&self, wtxid: &Wtxid, peer: PeerId) -> bool {
        self.by_id.get(wtxid).is_some_and(|orphan| orphan.peers.contains(&peer))
    }

    /// Keeps a transaction of a peer; it may be here from another. Returns whether it was not here.
    pub(crate) fn add(&mut self, transaction: &Transaction, peer: PeerId) -> bool {
        let wtxid = transaction.compute_wtxid();
        let weight = transaction.weight().to_wu();
        if weight > MAX_WEIGHT {
            return false;
        }
        let new = !self.contains(&wtxid);
        if new {
            self.sequence += 1;
            for input in &transaction.input {
                self.by_parent.entry(input.previous_output.txid).or_default().insert(wtxid);
            }
            let orphan =
                Orphan { transaction: transaction.clone(), weight, peers: BTreeSet::new(), sequence: self.sequence };
            self.by_id.insert(wtxid, orphan);
            self.weight += weight;
        }
        self.add_peer(&wtxid, peer);
        self.shrink();
        new && self.contains(&wtxid)
    }

    /// Notes that one more peer has a transaction that waits here.
    pub(crate) fn add_peer(&mut self, wtxid: &Wtxid, peer: PeerId) {
        let Some(orphan) = self.by_id.get_mut(wtxid) else { return };
        if orphan.peers.insert(peer) {
            let share = self.shares.entry(peer).or_default();
            share.orphans.insert(orphan.sequence, *wtxid);
            share.weight += orphan.weight;
            self.announcements += 1;
        }
    }

    /// Drops a transaction. Returns whether it was here.
    pub(crate) fn remove(&mut self, wtxid: &Wtxid) -> bool {
        let Some(orphan) = self.by_id.remove(wtxid) else { return false };
        for input in &orphan.transaction.input {
            let parent = input.previous_output.txid;
            if let Some(children) = self.by_parent.get_mut(&parent) {
                children.remove(wtxid);
                if children.is_empty() {
                    self.by_parent.remove(&parent);
                }
            }
        }
        for peer in &orphan.peers {
            self.take_from_share(*peer, orphan.sequence, orphan.weight);
        }
        self.weight -= orphan.weight;
        true
    }

    /// Forgets a peer, and transactions only it had.
    pub(crate) fn forget_peer(&mut self, peer: PeerId) {
        let orphans = self.shares.get(&peer).map(|share| share.orphans.values().copied().collect::<Vec<_>>());
        for wtxid in orphans.unwrap_or_default() {
            self.remove_peer(&wtxid, peer);
        }
        self.ready.retain(|(other, _)| *other != peer);
    }

    /// Drops transactions that a block has, or whose inputs it spent.
    pub(crate) fn confirmed(&mut self, ids: &[(Txid, Wtxid)], spent: &[OutPoint]) {
        if self.by_id.is_empty() {
            return;
        }
        let mut gone: Vec<Wtxid> = ids.iter().map(|(_, wtxid)| *wtxid).collect();
        for outpoint in spent {
            for wtxid in self.by_parent.get(&outpoint.txid).into_iter().flatten() {
                let inputs = self.get(wtxid).map(|transaction| &transaction.input);
                if inputs.into_iter().flatten().any(|input| input.previous_output == *outpoint) {
                    gone.push(*wtxid);
                }
            }
        }
        let count = gone.iter().filter(|wtxid| self.remove(wtxid)).count();
        if count > 0 {
            log::debug!(
                target: "txpackages",
                "Erased {count} orphan transaction(s) included or conflicted by block"
            );
        }
    }

    /// A parent came: its children are to be tried again.
    pub(crate) fn parent_came(&mut self, parent: Txid) {
        for wtxid in self.by_parent.get(&parent).into_iter().flatten() {
            if let Some(peer) = self.by_id.get(wtxid).and_then(|orphan| orphan.peers.first()) {
                self.ready.push_back((*peer, *wtxid));
            }
        }
    }

    /// Takes the next transaction to be tried again.
    pub(crate) fn next_ready(&mut self) -> Option<(PeerId, Transaction)> {
        while let Some((peer, wtxid)) = self.ready.pop_front() {
            if let Some(transaction) = self.get(&wtxid) {
                return Some((peer, transaction.clone()));
            }
        }
        None
    }

    /// Returns the children of a transaction that a certain peer has, newest first.
    pub(crate) fn children_from(&self, parent: Txid, peer: PeerId) -> Vec<Transaction> {
        let children = self.by_parent.get(&parent).into_iter().flatten();
        let mut found: Vec<&Orphan> =
            children.filter_map(|wtxid| self.by_id.get(wtxid)).filter(|orphan| orphan.peers.contains(&peer)).collect();
        found.sort_by_key(|orphan| std::cmp::Reverse(orphan.sequence));
        found.into_iter().map(|orphan| orphan.transaction.clone()).collect()
    }

    fn remove_peer(&mut self, wtxid: &Wtxid, peer: PeerId) {
        let Some(orphan) = self.by_id.get_mut(wtxid) else { return };
        if orphan.peers.len() == 1 && orphan.peers.contains(&peer) {
            self.remove(wtxid);
        } else if orphan.peers.remove(&peer) {
            let (sequence, weight) = (orphan.sequence, orphan.weight);
            self.take_from_share(peer, sequence, weight);
        }
    }

    fn take_from_share(&mut self, peer: PeerId, sequence: u64, weight: u64) {
        let Some(share) = self.shares.get_mut(&peer) else { return };
        if share.orphans.remove(&sequence).is_some() {
            share.weight -= weight;
            self.announcements -= 1;
        }
        if share.orphans.is_empty() {
            self.shares.remove(&peer);
        }
    }

    fn shrink(&mut self) {
        while self.announcements > MAX_ANNOUNCEMENTS || self.weight > WEIGHT_PER_PEER * self.shares.len() as u64 {
            // In units of what a peer may take of either.
            let part = |share: &Share| {
                let count =
                    share.orphans.len() as u64 * WEIGHT_PER_PEER / (MAX_ANNOUNCEMENTS / self.shares.len()) as u64;
                share.weight.max(count)
            };
            let largest = self.shares.iter().max_by_key(|(_, share)| part(share));
            let Some((peer, oldest)) =
                largest.and_then(|(peer, share)| Some((*peer, *share.orphans.first_key_value()?.1)))
            else {
                return;
            };
            self.remove_peer(&oldest, peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::hashes::Hash;
    use bitcoin::{Amount, ScriptBuf, TxIn, TxOut, absolute, transaction};

    use super::*;

    fn spend(parent: u8, vout: u32, padding: usize) -> Transaction {
        Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: vec![TxIn {
                previous_output: OutPoint { txid: Txid::from_byte_array([parent; 32]), vout },
                ..TxIn::default()
            }],
            output: vec![TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::from_bytes(vec![0x51; padding]) }],
        }
    }

    fn is_empty(orphans: &Orphans) -> bool {
        orphans.by_id.is_empty()
            && orphans.by_parent.is_empty()
            && orphans.shares.is_empty()
            && (orphans.announcements, orphans.weight) == (0, 0)
    }

    #[test]
    fn children_are_found_and_nothing_is_left_behind() {
        let mut orphans = Orphans::default();
        let (old, new) = (spend(1, 0, 10), spend(1, 1, 10));
        let parent = Txid::from_byte_array([1; 32]);
        assert!(orphans.add(&old, 7) && orphans.add(&new, 7) && !orphans.add(&old, 8));
        assert_eq!(orphans.children_from(parent, 7), [new.clone(), old.clone()]);
        assert_eq!(orphans.children_from(parent, 8), std::slice::from_ref(&old));
        orphans.parent_came(parent);
        let ready: Vec<_> = std::iter::from_fn(|| orphans.next_ready()).collect();
        assert_eq!(ready.len(), 2);
        orphans.forget_peer(7);
        assert!(orphans.contains(&old.compute_wtxid()) && !orphans.contains(&new.compute_wtxid()));
        orphans.confirmed(&[], &[old.input[0].previous_output]);
        assert!(is_empty(&orphans));
    }

    #[test]
    fn the_peer_that_takes_most_gives_way() {
        let mut orphans = Orphans::default();
        let modest = spend(1, 0, 10);
        orphans.add(&modest, 1);
        for vout in 0..100 {
            orphans.add(&spend(2, vout, 40_000), 2);
            assert!(orphans.weight <= 2 * WEIGHT_PER_PEER);
        }
        for vout in 0..5000 {
            orphans.add(&spend(3, vout, 10), 3);
            assert!(orphans.announcements <= MAX_ANNOUNCEMENTS);
        }
        assert!(orphans.contains(&modest.compute_wtxid()));
        assert!(!orphans.add(&spend(4, 0, 100_001), 4));
        for peer in 1..=4 {
            orphans.forget_peer(peer);
        }
        assert!(is_empty(&orphans));
    }
}
