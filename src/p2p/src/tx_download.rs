//! Transactions from peers: which are wanted, which were refused, and which wait for a parent.
//!
//! **Invariant:** what peers can make it remember is bounded: announcements by peer, refusals and orphans in all.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use bitcoin::hashes::{Hash, HashEngine, sha256};
use bitcoin::{OutPoint, Transaction, Txid, Wtxid};
use kernel::{Error, Kernel};

use crate::PeerId;
use crate::known::KnownSet;
use crate::orphans::Orphans;
use crate::stats::OrphanInfo;
use crate::time::Time;
use crate::tx_request::{TxId, TxRequests};

/// Most announcements of a peer that are remembered.
pub(crate) const MAX_ANNOUNCEMENTS: usize = 5000;
/// Requests under way with a peer above which it has to wait.
const MAX_IN_FLIGHT: usize = 100;
/// By how much a peer waits for each thing that speaks against asking it first.
const DELAY: Duration = Duration::from_secs(2);
/// How long a peer has to answer.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Refused transactions that are remembered.
const MAX_REJECTED: usize = 120_000;
/// Confirmed transactions that are remembered.
const MAX_CONFIRMED: usize = 48_000;

/// What decides when a peer is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Announcer {
    pub peer: PeerId,
    pub preferred: bool,
    /// It may announce any number.
    pub unlimited: bool,
}

/// What to do with a transaction that came.
#[derive(Debug)]
pub(crate) enum Received {
    /// It is here, or was refused.
    Known,
    /// It pays too little alone; together with this child it may do.
    Package(Option<Transaction>),
    /// It is to be validated.
    New,
}

/// Transactions from peers.
#[derive(Debug)]
pub(crate) struct TxDownload {
    requests: TxRequests,
    orphans: Orphans,
    rejected: KnownSet,
    /// Refused alone; with a child that pays for them they may do. And packages that did not.
    reconsiderable: KnownSet,
    confirmed: KnownSet,
    /// The peers, and whether they name transactions with their witness.
    peers: HashMap<PeerId, (Announcer, bool)>,
    wtxid_peers: usize,
}

impl Default for TxDownload {
    fn default() -> Self {
        TxDownload {
            requests: TxRequests::default(),
            orphans: Orphans::default(),
            rejected: KnownSet::new(MAX_REJECTED),
            reconsiderable: KnownSet::new(MAX_REJECTED),
            confirmed: KnownSet::new(MAX_CONFIRMED),
            peers: HashMap::new(),
            wtxid_peers: 0,
        }
    }
}

impl TxDownload {
    /// A peer is there to be asked; `by_wtxid` says that it names transactions with their witness.
    pub(crate) fn connected(&mut self, announcer: Announcer, by_wtxid: bool) {
        self.wtxid_peers += usize::from(by_wtxid);
        self.peers.insert(announcer.peer, (announcer, by_wtxid));
    }

    /// Says whether a transaction is here, was refused for good or is confirmed.
    fn has(&self, kernel: &Kernel, id: TxId) -> Result<bool, Error> {
        let bytes = id.bytes();
        // By the id with the witness only: who knows which of several with the same id the peer means.
        if self.orphans.contains(&Wtxid::from_byte_array(bytes)) {
            return Ok(true);
        }
        if self.confirmed.contains(&bytes) || self.rejected.contains(&bytes) {
            return Ok(true);
        }
        match id {
            TxId::Txid(txid) => kernel.mempool_contains(&txid),
            TxId::Wtxid(wtxid) => kernel.mempool_contains_wtxid(&wtxid),
        }
    }

    /// Notes that a peer has a transaction. Returns whether it is here already.
    pub(crate) fn announced(&mut self, kernel: &Kernel, peer: PeerId, id: TxId, now: Time) -> Result<bool, Error> {
        let Some((announcer, _)) = self.peers.get(&peer).copied() else { return Ok(false) };
        if let TxId::Wtxid(wtxid) = id
            && let Some(orphan) = self.orphans.get(&wtxid)
        {
            // This peer may have the parents, too.
            let missing = self.missing_parents(kernel, &parents(orphan))?;
            if !missing.is_empty() && self.resolve(announcer, &missing, wtxid, now) {
                self.orphans.add_peer(&wtxid, announcer.peer);
            }
            return Ok(true);
        }
        if self.reconsiderable.contains(&id.bytes()) || self.has(kernel, id)? {
            return Ok(true);
        }
        self.want(announcer, id, now);
        Ok(false)
    }

    /// Asks a peer for a transaction when it is its turn.
    fn want(&mut self, announcer: Announcer, id: TxId, now: Time) {
        let Announcer { peer, preferred, unlimited } = announcer;
        if !unlimited && self.requests.count(peer) >= MAX_ANNOUNCEMENTS {
            return;
        }
        let by_txid = matches!(id, TxId::Txid(_)) && self.wtxid_peers > 0;
        let overloaded = !unlimited && self.requests.count_in_flight(peer) >= MAX_IN_FLIGHT;
        let delays = u32::from(!preferred) + u32::from(by_txid) + u32::from(overloaded);
        self.requests.announced(peer, id, preferred, now + DELAY * delays);
    }

    /// Asks a peer for the parents of an orphan it has. Returns whether it is a new candidate for that.
    fn resolve(&mut self, announcer: Announcer, missing: &[Txid], orphan: Wtxid, now: Time) -> bool {
        let room = announcer.unlimited || self.requests.count(announcer.peer) + missing.len() <= MAX_ANNOUNCEMENTS;
        if self.orphans.is_from(&orphan, announcer.peer) || !room {
            return false;
        }
        for parent in missing {
            self.want(announcer, TxId::Txid(*parent), now);
        }
        let peer = announcer.peer;
        log::debug!(target: "txpackages", "added peer={peer} as a candidate for resolving orphan {orphan}");
        true
    }

    /// Returns what to ask a peer for now.
    pub(crate) fn take_requests(&mut self, kernel: &Kernel, peer: PeerId, now: Time) -> Result<Vec<TxId>, Error> {
        let (wanted, expired) = self.requests.requestable(peer, now);
        for (peer, id) in expired {
            log::debug!(target: "net", "timeout of inflight {} from peer={peer}", id.describe());
        }
        let mut requests = Vec::new();
        for id in wanted {
            if self.has(kernel, id)? {
                self.requests.forget(&id.bytes());
            } else {
                log::debug!(target: "net", "Requesting {} peer={peer}", id.describe());
                self.requests.requested(peer, &id.bytes(), now + TIMEOUT);
                requests.push(id);
            }
        }
        Ok(requests)
    }

    /// Notes that a peer does not have what it was asked for.
    pub(crate) fn not_found(&mut self, peer: PeerId, id: TxId) {
        self.requests.answered(peer, &id.bytes());
    }

    /// Notes that a transaction came from a peer, and says what to do with it.
    pub(crate) fn received(
        &mut self,
        kernel: &Kernel,
        peer: PeerId,
        txid: Txid,
        wtxid: Wtxid,
    ) -> Result<Received, Error> {
        self.requests.answered(peer, txid.as_byte_array());
        self.requests.answered(peer, wtxid.as_byte_array());
        if self.has(kernel, TxId::Wtxid(wtxid))? {
            return Ok(Received::Known);
        }
        if self.reconsiderable.contains(wtxid.as_byte_array()) {
            log::debug!(
                target: "txpackages",
                "found tx {txid} (wtxid={wtxid}) in reconsiderable rejects, looking for child in orphanage"
            );
            return Ok(Received::Package(self.paying_child(txid, wtxid, peer)));
        }
        Ok(Received::New)
    }

    /// Returns a child of a transaction that the same peer sent and that was not tried with it yet. Only of the same
    /// peer, lest others hide a good child among bad ones.
    fn paying_child(&self, parent: Txid, parent_wtxid: Wtxid, peer: PeerId) -> Option<Transaction> {
        let untried = |child: &Transaction| {
            let package = package_hash(parent_wtxid, child.compute_wtxid());
            !self.reconsiderable.contains(&package) && !self.rejected.contains(child.compute_txid().as_byte_array())
        };
        self.orphans.children_from(parent, peer).into_iter().find(untried)
    }

    /// Notes that a transaction is in the mempool: orphans that spend from it can be tried again.
    pub(crate) fn accepted(&mut self, txid: Txid, wtxid: Wtxid) {
        self.forget_requests(txid, wtxid);
        self.orphans.remove(&wtxid);
        self.orphans.parent_came(txid);
    }

    /// Notes that a transaction was refused, until the tip changes.
    pub(crate) fn refused(&mut self, txid: Txid, wtxid: Wtxid, whatever_witness: bool) {
        self.rejected.insert(wtxid.as_byte_array());
        self.requests.forget(wtxid.as_byte_array());
        if whatever_witness && wtxid.as_byte_array() != txid.as_byte_array() {
            self.rejected.insert(txid.as_byte_array());
            self.requests.forget(txid.as_byte_array());
        }
        self.drop_orphan(txid, wtxid);
    }

    /// Notes that a transaction pays too little alone. Returns a child to try it with, if this is the `first` time.
    pub(crate) fn refused_alone(&mut self, txid: Txid, wtxid: Wtxid, peer: PeerId, first: bool) -> Option<Transaction> {
        self.reconsiderable.insert(wtxid.as_byte_array());
        self.requests.forget(wtxid.as_byte_array());
        self.drop_orphan(txid, wtxid);
        if !first {
            return None;
        }
        log::debug!(
            target: "txpackages",
            "tx {txid} (wtxid={wtxid}) failed but reconsiderable, looking for child in orphanage"
        );
        self.paying_child(txid, wtxid, peer)
    }

    /// Notes that a package was refused.
    pub(crate) fn refused_package(&mut self, parent: Wtxid, child: Wtxid) {
        self.reconsiderable.insert(&package_hash(parent, child));
    }

    /// Keeps a transaction whose parents are missing and asks for them. Returns the parents that were not here.
    pub(crate) fn orphaned(
        &mut self,
        kernel: &Kernel,
        peer: PeerId,
        transaction: &Transaction,
        now: Time,
    ) -> Result<Vec<Txid>, Error> {
        let (txid, wtxid) = (transaction.compute_txid(), transaction.compute_wtxid());
        if self.rejected.contains(wtxid.as_byte_array()) {
            return Ok(Vec::new());
        }
        let parents = parents(transaction);
        if self.has_hopeless_parent(kernel, &parents)? {
            log::debug!(target: "mempool", "not keeping orphan with rejected parents {txid} (wtxid={wtxid})");
            self.rejected.insert(txid.as_byte_array());
            self.rejected.insert(wtxid.as_byte_array());
            self.forget_requests(txid, wtxid);
            return Ok(Vec::new());
        }
        let missing = self.missing_parents(kernel, &parents)?;
        // Whoever announced it may have the parents, too.
        let mut candidates = vec![peer];
        candidates.extend(self.requests.candidates(txid.as_byte_array()));
        candidates.extend(self.requests.candidates(wtxid.as_byte_array()));
        for candidate in candidates {
            let Some((announcer, _)) = self.peers.get(&candidate).copied() else { continue };
            if self.resolve(announcer, &missing, wtxid, now) && self.orphans.add(transaction, candidate) {
                let (weight, count) = (transaction.weight().to_wu(), self.orphans.count());
                log::debug!(
                    target: "txpackages",
                    "stored orphan tx {txid} (wtxid={wtxid}), weight: {weight} (mapsz {count})"
                );
            }
        }
        self.forget_requests(txid, wtxid);
        Ok(missing)
    }

    /// Says whether a parent was refused for good, or more than one pay too little alone: no package helps then.
    fn has_hopeless_parent(&self, kernel: &Kernel, parents: &BTreeSet<Txid>) -> Result<bool, Error> {
        let mut poor = 0;
        for parent in parents {
            if self.rejected.contains(parent.as_byte_array()) {
                return Ok(true);
            }
            if self.reconsiderable.contains(parent.as_byte_array()) && !kernel.mempool_contains(parent)? {
                poor += 1;
            }
        }
        Ok(poor > 1)
    }

    fn missing_parents(&self, kernel: &Kernel, parents: &BTreeSet<Txid>) -> Result<Vec<Txid>, Error> {
        let mut missing = Vec::new();
        for parent in parents {
            if !self.has(kernel, TxId::Txid(*parent))? {
                missing.push(*parent);
            }
        }
        Ok(missing)
    }

    /// Returns the orphans.
    pub(crate) fn orphans(&self) -> Vec<OrphanInfo> {
        self.orphans.all()
    }

    /// Takes the next orphan whose parent came.
    pub(crate) fn next_ready(&mut self) -> Option<(PeerId, Transaction)> {
        self.orphans.next_ready()
    }

    /// Drops an orphan.
    pub(crate) fn drop_orphan(&mut self, txid: Txid, wtxid: Wtxid) {
        if self.orphans.remove(&wtxid) {
            log::debug!(target: "txpackages", "   removed orphan tx {txid} (wtxid={wtxid})");
        }
    }

    /// The chain has a new tip: what was refused may be valid now.
    pub(crate) fn tip_changed(&mut self) {
        self.rejected.clear();
        self.reconsiderable.clear();
    }

    /// Notes that a block has these transactions and spent these coins.
    pub(crate) fn confirmed(&mut self, transactions: &[(Txid, Wtxid)], spent: &[OutPoint]) {
        for (txid, wtxid) in transactions {
            self.confirmed.insert(txid.as_byte_array());
            if txid.as_byte_array() != wtxid.as_byte_array() {
                self.confirmed.insert(wtxid.as_byte_array());
            }
            self.forget_requests(*txid, *wtxid);
        }
        self.orphans.confirmed(transactions, spent);
    }

    /// Notes that a block left the chain: what it confirmed may come again.
    pub(crate) fn unconfirmed(&mut self) {
        self.confirmed.clear();
    }

    /// Forgets a peer.
    pub(crate) fn disconnected(&mut self, peer: PeerId) {
        if let Some((_, by_wtxid)) = self.peers.remove(&peer) {
            self.wtxid_peers -= usize::from(by_wtxid);
        }
        self.requests.disconnected(peer);
        self.orphans.forget_peer(peer);
    }

    fn forget_requests(&mut self, txid: Txid, wtxid: Wtxid) {
        self.requests.forget(txid.as_byte_array());
        self.requests.forget(wtxid.as_byte_array());
    }
}

fn parents(transaction: &Transaction) -> BTreeSet<Txid> {
    transaction.input.iter().map(|input| input.previous_output.txid).collect()
}

/// Returns one hash for a parent and a child.
fn package_hash(parent: Wtxid, child: Wtxid) -> [u8; 32] {
    let mut engine = sha256::Hash::engine();
    engine.input(parent.as_byte_array());
    engine.input(child.as_byte_array());
    sha256::Hash::from_engine(engine).to_byte_array()
}
