//! Transactions from peers: which are wanted, which were refused, and which wait for a parent.
//!
//! **Invariant:** what peers can make it remember is bounded: announcements by peer, refusals and orphans in all.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use bitcoin::hashes::Hash;
use bitcoin::{Transaction, Txid, Wtxid};
use kernel::{Error, Kernel};

use crate::PeerId;
use crate::known::KnownSet;
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
/// Transactions that wait for a parent.
const MAX_ORPHANS: usize = 100;
/// Weight of the largest of them.
const MAX_ORPHAN_WEIGHT: u64 = 400_000;

/// What decides when a peer is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Announcer {
    pub peer: PeerId,
    pub preferred: bool,
    /// It may announce any number.
    pub unlimited: bool,
}

#[derive(Debug)]
struct Orphan {
    transaction: Transaction,
    peer: PeerId,
}

/// Transactions from peers.
#[derive(Debug)]
pub(crate) struct TxDownload {
    requests: TxRequests,
    rejected: KnownSet,
    confirmed: KnownSet,
    orphans: HashMap<Wtxid, Orphan>,
    /// Oldest first.
    order: VecDeque<Wtxid>,
    /// Orphans whose parent came.
    ready: VecDeque<(PeerId, Wtxid)>,
    /// Peers that name transactions with their witness.
    pub wtxid_peers: usize,
}

impl Default for TxDownload {
    fn default() -> Self {
        TxDownload {
            requests: TxRequests::default(),
            rejected: KnownSet::new(MAX_REJECTED),
            confirmed: KnownSet::new(MAX_CONFIRMED),
            orphans: HashMap::new(),
            order: VecDeque::new(),
            ready: VecDeque::new(),
            wtxid_peers: 0,
        }
    }
}

impl TxDownload {
    /// Says whether a transaction is here, was refused or is confirmed.
    pub(crate) fn has(&self, kernel: &Kernel, id: TxId) -> Result<bool, Error> {
        let bytes = id.bytes();
        if self.orphans.contains_key(&Wtxid::from_byte_array(bytes)) {
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
    pub(crate) fn announced(
        &mut self,
        kernel: &Kernel,
        announcer: Announcer,
        id: TxId,
        now: Time,
    ) -> Result<bool, Error> {
        if self.has(kernel, id)? {
            return Ok(true);
        }
        self.want(announcer, id, now);
        Ok(false)
    }

    fn want(&mut self, announcer: Announcer, id: TxId, now: Time) {
        let Announcer { peer, preferred, unlimited } = announcer;
        if !unlimited && self.requests.count(peer) >= MAX_ANNOUNCEMENTS {
            return;
        }
        let by_txid = matches!(id, TxId::Txid(_)) && self.wtxid_peers > 0;
        let overloaded = !unlimited && self.requests.count_in_flight(peer) >= MAX_IN_FLIGHT;
        let delays = [!preferred, by_txid, overloaded].into_iter().filter(|delay| *delay).count();
        self.requests.announced(peer, id, preferred, now + DELAY * u32::try_from(delays).unwrap_or(3));
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

    /// Notes that a transaction came from a peer.
    pub(crate) fn received(&mut self, peer: PeerId, txid: Txid, wtxid: Wtxid) {
        self.requests.answered(peer, txid.as_byte_array());
        self.requests.answered(peer, wtxid.as_byte_array());
    }

    /// Notes that a transaction is in the mempool: orphans that spend from it can be tried again.
    pub(crate) fn accepted(&mut self, txid: Txid, wtxid: Wtxid) {
        self.forget_requests(txid, wtxid);
        self.drop_orphan(wtxid);
        for (orphan_id, orphan) in &self.orphans {
            if orphan.transaction.input.iter().any(|input| input.previous_output.txid == txid) {
                self.ready.push_back((orphan.peer, *orphan_id));
            }
        }
    }

    /// Notes that a transaction was refused for good, until the tip changes.
    pub(crate) fn refused(&mut self, txid: Txid, wtxid: Wtxid, whatever_witness: bool) {
        self.rejected.insert(wtxid.as_byte_array());
        self.requests.forget(wtxid.as_byte_array());
        if whatever_witness {
            self.rejected.insert(txid.as_byte_array());
            self.requests.forget(txid.as_byte_array());
        }
        self.drop_orphan(wtxid);
    }

    /// Keeps a transaction whose parents are missing and asks for them. Returns the parents that were not here.
    pub(crate) fn orphaned(
        &mut self,
        kernel: &Kernel,
        announcer: Announcer,
        transaction: Transaction,
        now: Time,
    ) -> Result<Vec<Txid>, Error> {
        let (txid, wtxid) = (transaction.compute_txid(), transaction.compute_wtxid());
        let mut parents: BTreeSet<Txid> = transaction.input.iter().map(|input| input.previous_output.txid).collect();
        if parents.iter().any(|parent| self.rejected.contains(parent.as_byte_array())) {
            log::debug!(target: "mempool", "not keeping orphan with rejected parents {txid} (wtxid={wtxid})");
            self.refused(txid, wtxid, true);
            return Ok(Vec::new());
        }
        self.forget_requests(txid, wtxid);
        if transaction.weight().to_wu() > MAX_ORPHAN_WEIGHT || self.orphans.contains_key(&wtxid) {
            return Ok(Vec::new());
        }
        let mut missing = Vec::new();
        while let Some(parent) = parents.pop_first() {
            if !self.has(kernel, TxId::Txid(parent))? {
                self.want(announcer, TxId::Txid(parent), now);
                missing.push(parent);
            }
        }
        log::debug!(target: "txpackages", "stored orphan tx {txid} (wtxid={wtxid})");
        self.orphans.insert(wtxid, Orphan { transaction, peer: announcer.peer });
        self.order.push_back(wtxid);
        while self.orphans.len() > MAX_ORPHANS {
            match self.order.front().copied() {
                Some(oldest) => self.drop_orphan(oldest),
                None => break,
            }
        }
        Ok(missing)
    }

    /// Takes the next orphan whose parent came.
    pub(crate) fn next_ready(&mut self) -> Option<(PeerId, Transaction)> {
        while let Some((peer, wtxid)) = self.ready.pop_front() {
            if let Some(orphan) = self.orphans.get(&wtxid) {
                return Some((peer, orphan.transaction.clone()));
            }
        }
        None
    }

    /// Drops an orphan.
    pub(crate) fn drop_orphan(&mut self, wtxid: Wtxid) {
        if self.orphans.remove(&wtxid).is_some() {
            self.order.retain(|other| *other != wtxid);
        }
    }

    /// The chain has a new tip: what was refused may be valid now.
    pub(crate) fn tip_changed(&mut self) {
        self.rejected.clear();
    }

    /// Notes that transactions are confirmed.
    pub(crate) fn confirmed(&mut self, transactions: &[(Txid, Wtxid)]) {
        for (txid, wtxid) in transactions {
            self.confirmed.insert(txid.as_byte_array());
            self.confirmed.insert(wtxid.as_byte_array());
            self.forget_requests(*txid, *wtxid);
            self.drop_orphan(*wtxid);
        }
    }

    /// Notes that a block left the chain: what it confirmed may come again.
    pub(crate) fn unconfirmed(&mut self) {
        self.confirmed.clear();
    }

    /// Forgets a peer.
    pub(crate) fn disconnected(&mut self, peer: PeerId) {
        self.requests.disconnected(peer);
        self.orphans.retain(|_, orphan| orphan.peer != peer);
        self.order.retain(|wtxid| self.orphans.contains_key(wtxid));
    }

    fn forget_requests(&mut self, txid: Txid, wtxid: Wtxid) {
        self.requests.forget(txid.as_byte_array());
        self.requests.forget(wtxid.as_byte_array());
    }
}
