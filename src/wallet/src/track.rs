//! How transactions enter a wallet and change state: mempool, blocks, conflicts, reorganisations.
//!
//! Everything here works on [`State`] alone, so the order of events is all that matters.
//!
//! **Invariant:** seeing the same transaction in the same place twice changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::{BlockHash, OutPoint, Transaction, Txid};

use crate::descriptor::DescriptorId;
use crate::error::Result;
use crate::records::{Change, TxState, WalletTx};
use crate::state::{State, flags};

/// How far the clock may be off when transactions are put in order, seconds.
const TIME_TOLERANCE: i64 = 300;

/// Circumstances in which a transaction is seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sighting {
    /// Where it stands.
    pub(crate) state: TxState,
    /// The clock, Unix seconds.
    pub(crate) now: i64,
    /// Time of its block, and the latest of its block and the blocks before, Unix seconds.
    pub(crate) block_times: Option<(i64, i64)>,
    /// Seen while searching old blocks, not as news.
    pub(crate) rescan: bool,
    /// Addresses to keep ahead of use.
    pub(crate) keypool: i32,
}

impl State {
    /// Takes note of a transaction if it concerns the wallet; says whether it does.
    pub(crate) fn see(&mut self, tx: &Transaction, sighting: &Sighting) -> Result<bool> {
        let txid = tx.compute_txid();
        let mut changes = Vec::new();
        if let TxState::Confirmed { block, height: Some(height), .. } = sighting.state {
            for input in &tx.input {
                for other in self.spends.get(&input.previous_output).into_iter().flatten() {
                    if *other != txid {
                        changes.extend(self.conflict_changes(*other, block, height));
                    }
                }
            }
        }
        let known = self.txs.contains_key(&txid);
        let involved = known
            || tx.output.iter().any(|output| self.is_mine(&output.script_pubkey))
            || tx.input.iter().any(|input| self.outputs.contains_key(&input.previous_output));
        if involved {
            if let (TxState::Confirmed { block, .. }, Some((time, _))) = (sighting.state, sighting.block_times) {
                self.block_times.insert(block, time);
            }
            changes.extend(self.used_address_changes(tx, sighting.keypool));
            changes.extend(self.reuse_changes(tx));
            changes.extend(self.entry_changes(tx, sighting));
        }
        self.commit(changes)?;
        Ok(involved)
    }

    /// Records the transaction itself, new or in its new state.
    fn entry_changes(&self, tx: &Transaction, sighting: &Sighting) -> Vec<Change> {
        let Some(known) = self.txs.get(&tx.compute_txid()) else {
            let mut entry = WalletTx::new(tx.clone(), sighting.state);
            entry.time_received = u32::try_from(sighting.now).unwrap_or(0);
            entry.time_smart = self.smart_time(&entry, sighting);
            entry.position = self.next_position;
            return vec![Change::NextPosition(self.next_position + 1), Change::Tx(Box::new(entry))];
        };
        let mut entry = known.clone();
        entry.state = sighting.state;
        let witness = |tx: &Transaction| tx.input.iter().any(|input| !input.witness.is_empty());
        if witness(tx) && !witness(&entry.tx) {
            entry.tx = tx.clone();
        }
        if entry == *known { Vec::new() } else { vec![Change::Tx(Box::new(entry))] }
    }

    /// A time that sorts transactions in the order they were seen, near the time of their block.
    fn smart_time(&self, entry: &WalletTx, sighting: &Sighting) -> u32 {
        let received = i64::from(entry.time_received);
        let time = match sighting.block_times {
            None => received,
            Some((_, max_time)) if sighting.rescan => max_time,
            Some((block_time, _)) => {
                let limit = received + TIME_TOLERANCE;
                let mut latest_now = received;
                let latest_entry = self
                    .order
                    .iter()
                    .rev()
                    .filter_map(|(_, txid)| self.txs.get(txid).map(WalletTx::time))
                    .find(|time| *time <= limit)
                    .unwrap_or(0);
                latest_now = latest_now.max(latest_entry);
                latest_entry.max(block_time.min(latest_now))
            }
        };
        u32::try_from(time).unwrap_or(entry.time_received)
    }

    /// An address that received coins is used, and so are all before it: moves on and derives more.
    pub(crate) fn used_address_changes(&self, tx: &Transaction, keypool: i32) -> Vec<Change> {
        let mut used: BTreeMap<DescriptorId, i32> = BTreeMap::new();
        for output in &tx.output {
            for owner in self.scripts.get(&output.script_pubkey).into_iter().flatten() {
                let next = used.entry(owner.id).or_insert(owner.index + 1);
                *next = (*next).max(owner.index + 1);
            }
        }
        let mut changes = Vec::new();
        for (id, next) in used {
            let Some(manager) = self.managers.get(&id) else { continue };
            if !manager.descriptor().is_ranged() {
                continue;
            }
            let old = manager.record.next_index;
            let next = next.max(old);
            let external = self.active.iter().any(|((internal, _), active)| !internal && *active == id);
            for index in old..next {
                let script = manager.scripts_at(index).first().filter(|_| external);
                let address = script.and_then(|script| self.address(script));
                if let Some(address) = address.filter(|address| self.label(address).is_none()) {
                    changes.push(Change::Label(address.clone(), String::new()));
                    changes.push(Change::Purpose(address, "receive".to_owned()));
                }
            }
            match manager.top_up(&self.secp, next, keypool, self.master.as_ref()) {
                Some(top_up) => changes.extend(top_up),
                None => {
                    log::info!("Topping up keypool failed (locked wallet)");
                    let mut record = manager.record.clone();
                    record.next_index = next;
                    changes.push(Change::Descriptor(id, Box::new(record)));
                }
            }
        }
        changes
    }

    /// Marks the addresses whose coins a transaction spends, in wallets that keep those apart.
    fn reuse_changes(&self, tx: &Transaction) -> Vec<Change> {
        if !self.has_flag(flags::AVOID_REUSE) {
            return Vec::new();
        }
        let spent = tx.input.iter().filter_map(|input| self.outputs.get(&input.previous_output));
        let addresses: BTreeSet<String> = spent.filter_map(|output| self.address(&output.script_pubkey)).collect();
        let unmarked = addresses.into_iter().filter(|address| !self.addresses.get(address).is_some_and(|it| it.used));
        unmarked.map(|address| Change::AddressData(address, "used".to_owned(), "1".to_owned())).collect()
    }

    /// A block spent an input of `txid`: neither it nor what spends from it can confirm.
    fn conflict_changes(&self, txid: Txid, block: BlockHash, height: u32) -> Vec<Change> {
        let depth = i64::from(height) - self.height() - 1;
        let state = TxState::Conflicted { block, height: Some(height) };
        if depth >= 0 {
            return Vec::new();
        }
        self.cascade(txid, |tx| (depth < i64::from(self.depth(tx))).then_some(state))
    }

    /// Gives a transaction, and on from it those that spend its outputs, the state that `update` says, if any.
    pub(crate) fn cascade(&self, txid: Txid, update: impl Fn(&WalletTx) -> Option<TxState>) -> Vec<Change> {
        let (mut pending, mut done, mut changes) = (vec![txid], BTreeSet::new(), Vec::new());
        while let Some(txid) = pending.pop() {
            let Some(tx) = self.txs.get(&txid).filter(|_| done.insert(txid)) else { continue };
            let Some(state) = update(tx) else { continue };
            changes.push(Change::Tx(Box::new(WalletTx { state, ..tx.clone() })));
            pending.extend(self.children(txid));
        }
        changes
    }

    /// Transactions that spend outputs of this one.
    pub(crate) fn children(&self, txid: Txid) -> Vec<Txid> {
        let outputs = self.txs.get(&txid).map_or(0, |tx| tx.tx.output.len());
        (0..outputs as u32).filter_map(|vout| self.spends.get(&OutPoint::new(txid, vout))).flatten().copied().collect()
    }

    /// A transaction left a block that left the chain: what it made impossible is possible again.
    pub(crate) fn undo_conflicts(&mut self, tx: &Transaction, height: u32) -> Result<()> {
        let mut changes = Vec::new();
        for input in &tx.input {
            for other in self.spends.get(&input.previous_output).into_iter().flatten() {
                changes.extend(self.cascade(*other, |tx| match tx.state {
                    TxState::Conflicted { height: Some(at), .. } if at >= height => {
                        Some(TxState::Inactive { abandoned: false })
                    }
                    _ => None,
                }));
            }
        }
        self.commit(changes)
    }

    /// Changes where a transaction stands without a trace in the file: mempool membership is not recorded.
    pub(crate) fn set_in_mempool(&mut self, txid: Txid, in_mempool: bool) {
        let Some(tx) = self.txs.get_mut(&txid) else { return };
        match (tx.state, in_mempool) {
            (TxState::InMempool, false) => tx.state = TxState::Inactive { abandoned: false },
            (TxState::Inactive { abandoned: false }, true) => tx.state = TxState::InMempool,
            _ => return,
        }
        self.touched.push(txid);
    }

    /// Takes no transaction to be in the mempool any more, and none to be kept out by it.
    pub(crate) fn forget_mempool(&mut self) {
        self.mempool_conflicts.clear();
        let there: Vec<Txid> =
            self.txs.iter().filter(|(_, tx)| tx.state == TxState::InMempool).map(|(txid, _)| *txid).collect();
        there.into_iter().for_each(|txid| self.set_in_mempool(txid, false));
    }

    /// A transaction entered the mempool: remembers which wallet transactions it keeps out.
    pub(crate) fn note_mempool_conflicts(&mut self, tx: &Transaction) {
        let txid = tx.compute_txid();
        let mut pending: Vec<Txid> = tx
            .input
            .iter()
            .filter_map(|input| self.spends.get(&input.previous_output))
            .flatten()
            .copied()
            .filter(|other| *other != txid)
            .collect();
        let mut done = BTreeSet::new();
        while let Some(other) = pending.pop() {
            if done.insert(other) {
                self.mempool_conflicts.entry(other).or_default().insert(txid);
                pending.extend(self.children(other));
            }
        }
    }

    /// A transaction left the mempool.
    pub(crate) fn forget_mempool_conflicts(&mut self, txid: &Txid) {
        self.mempool_conflicts.retain(|_, conflicts| {
            conflicts.remove(txid);
            !conflicts.is_empty()
        });
    }
}
