//! Everything a wallet knows, and how changes get into it: computed, written to the file, then applied.
//!
//! **Invariant:** [`State::commit`] is the only way in. A change that could not be written is not applied, so memory
//! never claims what the file does not hold; loading applies the same changes in the same way.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use bitcoin::secp256k1::{All, Secp256k1};
use bitcoin::{Address, BlockHash, Network, OutPoint, Script, ScriptBuf, TxOut, Txid};
use log::warn;

use crate::crypter::{MasterKey, StoredMasterKey};
use crate::db::Database;
use crate::descriptor::{DescriptorId, OutputType};
use crate::error::{Error, Result};
use crate::manager::Manager;
use crate::records::{Change, TxState, WalletTx};
use crate::wallet::behind::Behind;

/// Wallet flags. Those above bit 31 keep versions that do not know them from opening the wallet.
pub(crate) mod flags {
    /// Coins of addresses spent from before are treated apart.
    pub(crate) const AVOID_REUSE: u64 = 1;
    /// Key metadata has origins; set by older versions.
    pub(crate) const KEY_ORIGIN_METADATA: u64 = 1 << 1;
    /// The cache holds extended keys at the last hardened step.
    pub(crate) const LAST_HARDENED_CACHED: u64 = 1 << 2;
    /// Watch only.
    pub(crate) const DISABLE_PRIVATE_KEYS: u64 = 1 << 32;
    /// Made without keys.
    pub(crate) const BLANK: u64 = 1 << 33;
    /// A descriptor wallet.
    pub(crate) const DESCRIPTORS: u64 = 1 << 34;
    /// Keys are in a hardware wallet.
    pub(crate) const EXTERNAL_SIGNER: u64 = 1 << 35;

    /// All flags with their names.
    pub(crate) const NAMES: [(u64, &str); 7] = [
        (AVOID_REUSE, "avoid_reuse"),
        (KEY_ORIGIN_METADATA, "key_origin_metadata"),
        (LAST_HARDENED_CACHED, "last_hardened_xpub_cached"),
        (DISABLE_PRIVATE_KEYS, "disable_private_keys"),
        (BLANK, "blank"),
        (DESCRIPTORS, "descriptor_wallet"),
        (EXTERNAL_SIGNER, "external_signer"),
    ];
}

/// An address and what the user says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AddressEntry {
    /// Label; change addresses have none.
    pub(crate) label: Option<String>,
    /// `receive`, `send` or `refund`.
    pub(crate) purpose: Option<String>,
    /// Coins sent to it were spent before.
    pub(crate) used: bool,
}

/// Who makes a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The descriptor.
    pub(crate) id: DescriptorId,
    /// Index in its range.
    pub(crate) index: i32,
    /// Position among the scripts of that index.
    pub(crate) position: usize,
}

/// A block the wallet processed last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tip {
    /// Its hash.
    pub(crate) hash: BlockHash,
    /// Its height.
    pub(crate) height: u32,
}

/// How many blocks the node has told of since the wallet was opened. Answers of the node may be older than its news: whoever
/// asks compares before and after.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// Blocks that joined the chain.
    pub(crate) connected: u64,
    /// Blocks that left it.
    pub(crate) disconnected: u64,
}

/// Everything a wallet knows.
pub(crate) struct State {
    pub(crate) db: Database,
    pub(crate) network: Network,
    pub(crate) secp: Secp256k1<All>,
    pub(crate) flags: u64,
    pub(crate) version: Option<i32>,
    pub(crate) best_block: Vec<BlockHash>,
    pub(crate) master_keys: BTreeMap<u32, StoredMasterKey>,
    pub(crate) managers: BTreeMap<DescriptorId, Manager>,
    pub(crate) active: BTreeMap<(bool, OutputType), DescriptorId>,
    pub(crate) addresses: BTreeMap<String, AddressEntry>,
    pub(crate) txs: HashMap<Txid, WalletTx>,
    /// Transactions in the order they were seen.
    pub(crate) order: BTreeSet<(i64, Txid)>,
    /// Who spends what.
    pub(crate) spends: HashMap<OutPoint, Vec<Txid>>,
    /// Outputs of wallet transactions that pay the wallet.
    pub(crate) outputs: BTreeMap<OutPoint, TxOut>,
    pub(crate) scripts: HashMap<ScriptBuf, Vec<Owner>>,
    /// All scripts in the order they were derived.
    pub(crate) script_log: Vec<ScriptBuf>,
    pub(crate) next_position: i64,
    /// Outputs not to spend; `true` if across restarts.
    pub(crate) locked: BTreeMap<OutPoint, bool>,
    pub(crate) tip: Option<Tip>,
    pub(crate) news: News,
    /// Times of blocks that hold wallet transactions, as far as they were met.
    pub(crate) block_times: HashMap<BlockHash, i64>,
    /// Mempool transactions that conflict with a wallet transaction or an ancestor of it.
    pub(crate) mempool_conflicts: HashMap<Txid, BTreeSet<Txid>>,
    /// Decrypts private keys while the wallet is unlocked.
    pub(crate) master: Option<MasterKey>,
    /// When the wallet locks itself, Unix seconds; 0 if it does not.
    pub(crate) relock_time: i64,
    /// Transactions that changed since someone was told.
    pub(crate) touched: Vec<Txid>,
    /// When the last block came, Unix seconds; 0 if none came since the wallet was loaded.
    pub(crate) last_block_time: i64,
    /// Set while news of the chain could not be taken in.
    pub(crate) behind: Behind,
    /// The file may hold keys in the clear outside of its records, from before the wallet was encrypted.
    pub(crate) rewrite_pending: bool,
}

impl State {
    /// Makes the state of an empty file.
    pub(crate) fn new(db: Database, network: Network) -> Self {
        State {
            db,
            network,
            secp: Secp256k1::new(),
            flags: 0,
            version: None,
            best_block: Vec::new(),
            master_keys: BTreeMap::new(),
            managers: BTreeMap::new(),
            active: BTreeMap::new(),
            addresses: BTreeMap::new(),
            txs: HashMap::new(),
            order: BTreeSet::new(),
            spends: HashMap::new(),
            outputs: BTreeMap::new(),
            scripts: HashMap::new(),
            script_log: Vec::new(),
            next_position: 0,
            locked: BTreeMap::new(),
            tip: None,
            news: News::default(),
            block_times: HashMap::new(),
            mempool_conflicts: HashMap::new(),
            master: None,
            relock_time: 0,
            touched: Vec::new(),
            behind: Behind::default(),
            last_block_time: 0,
            rewrite_pending: false,
        }
    }

    /// Writes the changes in one transaction, then applies them. On an error nothing has changed, neither in the file nor
    /// in memory: applying cannot fail.
    pub(crate) fn commit(&mut self, mut changes: Vec<Change>) -> Result<()> {
        let unlocked = self.unlocked_by(&changes);
        changes.extend(unlocked);
        let scripts = self.new_scripts(&changes)?;
        let mut ops = Vec::new();
        changes.iter().for_each(|change| change.encode(&mut ops));
        self.db.write(&ops)?;
        changes.into_iter().for_each(|change| self.apply(change));
        scripts.into_iter().for_each(|(id, scripts)| self.add_scripts(id, scripts));
        Ok(())
    }

    /// A coin is no longer locked once a transaction of the wallet spends it.
    fn unlocked_by(&self, changes: &[Change]) -> Vec<Change> {
        let new = changes.iter().filter_map(|change| match change {
            Change::Tx(entry) if !self.txs.contains_key(&entry.tx.compute_txid()) => Some(&entry.tx.input),
            _ => None,
        });
        let spent = new.flatten().map(|input| input.previous_output);
        let locked = spent.filter(|outpoint| self.locked.contains_key(outpoint));
        locked.map(|outpoint| Change::LockedOutput(outpoint, false)).collect()
    }

    /// Unlocks the coins that are spent: earlier versions left them locked. To be called once it is known which blocks are
    /// in the chain. A coin whose spender was abandoned or cannot confirm is not spent, and stays locked.
    pub(crate) fn unlock_spent(&mut self) -> Result<()> {
        let spent = self.locked.keys().filter(|outpoint| self.is_spent(outpoint));
        let changes = spent.map(|outpoint| Change::LockedOutput(*outpoint, false)).collect();
        self.commit(changes)
    }

    /// Derives the scripts that descriptors have once `changes` are applied, and have not now.
    fn new_scripts(&self, changes: &[Change]) -> Result<Vec<(DescriptorId, Vec<Vec<ScriptBuf>>)>> {
        let ids: BTreeSet<DescriptorId> = changes.iter().filter_map(Change::expanding).collect();
        let mut new = Vec::new();
        for id in ids {
            let known = self.managers.get(&id);
            let mut record = known.map(|manager| &manager.record);
            let mut cache = known.map_or_else(Cow::default, |manager| Cow::Borrowed(&manager.cache));
            let mut have = known.map_or(0, |manager| manager.scripts.len());
            for change in changes {
                match change {
                    Change::Descriptor(other, changed) if *other == id => {
                        if record.is_some_and(|old| old.range_start != changed.range_start) {
                            have = 0;
                        }
                        record = Some(changed);
                    }
                    Change::Cache(other, learned) if *other == id => cache.to_mut().merge((**learned).clone()),
                    _ => {}
                }
            }
            if let Some(record) = record {
                new.push((id, record.scripts(&self.secp, &cache, have).ok_or_else(cannot_expand)?));
            }
        }
        Ok(new)
    }

    /// Finishes what [`State::rewrite_pending`] stands for. A failure is no failure of what was asked for: it is tried
    /// again when the wallet is closed and when it is opened.
    pub(crate) fn finish_rewrite(&mut self) {
        if !self.rewrite_pending {
            return;
        }
        let rewritten = self.db.rewrite().map_err(Error::from);
        if let Err(error) = rewritten.and_then(|()| self.commit(vec![Change::RewritePending(false)])) {
            warn!("{}: old private keys may still be in unused parts of the file: {error}", self.db.path().display());
        }
    }

    /// Takes a change over; scripts of descriptors follow with [`State::expand_all`].
    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Version(version) => self.version = Some(version),
            Change::Flags(flags) => self.flags = flags,
            Change::BestBlock(locator) => self.best_block = locator,
            Change::MasterKey(number, key) => drop(self.master_keys.insert(number, key)),
            Change::Descriptor(id, record) => match self.managers.get_mut(&id) {
                Some(manager) => {
                    if manager.record.range_start != record.range_start {
                        manager.scripts.clear();
                        self.scripts.values_mut().for_each(|owners| owners.retain(|owner| owner.id != id));
                        self.scripts.retain(|_, owners| !owners.is_empty());
                    }
                    manager.record = *record;
                }
                None => drop(self.managers.insert(id, Manager::new(id, *record))),
            },
            Change::Key(id, public, secret) => {
                if let Some(manager) = self.managers.get_mut(&id) {
                    manager.keys.insert(public, secret);
                }
            }
            Change::EncryptedKey(id, public, secret) => {
                if let Some(manager) = self.managers.get_mut(&id) {
                    // Erased where it is: the map keeps the memory of what is removed.
                    if let Some(plain) = manager.keys.get_mut(&public) {
                        plain.non_secure_erase();
                    }
                    manager.keys.remove(&public);
                    manager.encrypted.insert(public, secret);
                }
            }
            Change::Cache(id, cache) => {
                if let Some(manager) = self.managers.get_mut(&id) {
                    manager.cache.merge(*cache);
                }
            }
            Change::Active { internal, kind, id } => match id {
                Some(id) => {
                    self.active.insert((internal, kind), id);
                    // One descriptor is active for one side only.
                    if self.active.get(&(!internal, kind)) == Some(&id) {
                        self.active.remove(&(!internal, kind));
                    }
                }
                None => drop(self.active.remove(&(internal, kind))),
            },
            Change::Label(address, label) => self.addresses.entry(address).or_default().label = Some(label),
            Change::Purpose(address, purpose) => self.addresses.entry(address).or_default().purpose = Some(purpose),
            Change::AddressData(address, name, _) if name == "used" => {
                self.addresses.entry(address).or_default().used = true;
            }
            Change::AddressData(..) => {}
            Change::Tx(tx) => self.apply_tx(*tx),
            Change::NextPosition(position) => self.next_position = position,
            Change::RewritePending(pending) => self.rewrite_pending = pending,
            Change::LockedOutput(outpoint, true) => drop(self.locked.insert(outpoint, true)),
            Change::LockedOutput(outpoint, false) => drop(self.locked.remove(&outpoint)),
        }
    }

    fn apply_tx(&mut self, tx: WalletTx) {
        let txid = tx.tx.compute_txid();
        if let Some(old) = self.txs.get(&txid) {
            self.order.remove(&(old.position, txid));
        } else if !tx.tx.is_coinbase() {
            for input in &tx.tx.input {
                self.spends.entry(input.previous_output).or_default().push(txid);
            }
        }
        self.order.insert((tx.position, txid));
        self.txs.insert(txid, tx);
        self.index_outputs(txid);
        self.touched.push(txid);
    }

    fn index_outputs(&mut self, txid: Txid) {
        let Some(entry) = self.txs.get(&txid) else { return };
        for (vout, output) in (0..).zip(&entry.tx.output) {
            if self.scripts.contains_key(&output.script_pubkey) {
                self.outputs.insert(OutPoint::new(txid, vout), output.clone());
            }
        }
    }

    /// Derives all scripts of the descriptors of a file just read.
    pub(crate) fn expand_all(&mut self) -> Result<()> {
        let ids: Vec<DescriptorId> = self.managers.keys().copied().collect();
        for id in ids {
            if let Some(manager) = self.managers.get(&id) {
                let have = manager.scripts.len();
                let scripts = manager.record.scripts(&self.secp, &manager.cache, have).ok_or_else(cannot_expand)?;
                self.add_scripts(id, scripts);
            }
        }
        Ok(())
    }

    /// Adds the scripts of the next indices of a descriptor, and finds the outputs that pay them.
    fn add_scripts(&mut self, id: DescriptorId, new: Vec<Vec<ScriptBuf>>) {
        let Some(manager) = self.managers.get_mut(&id).filter(|_| !new.is_empty()) else { return };
        for (scripts, index) in new.into_iter().zip(manager.next_unexpanded()..) {
            for (position, script) in scripts.iter().enumerate() {
                self.script_log.push(script.clone());
                self.scripts.entry(script.clone()).or_default().push(Owner { id, index, position });
            }
            manager.scripts.push(scripts);
        }
        let txids: Vec<Txid> = self.txs.keys().copied().collect();
        txids.into_iter().for_each(|txid| self.index_outputs(txid));
    }

    /// Says whether a flag is set.
    pub(crate) fn has_flag(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }

    /// Says whether private keys are encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        !self.master_keys.is_empty()
    }

    /// Says whether private keys are encrypted and not readable now.
    pub(crate) fn is_locked(&self) -> bool {
        self.is_encrypted() && self.master.is_none()
    }

    /// Refuses if the wallet is locked.
    pub(crate) fn ensure_unlocked(&self) -> Result<()> {
        if self.is_locked() { Err(Error::locked()) } else { Ok(()) }
    }

    /// Says whether a script is the wallet's.
    pub(crate) fn is_mine(&self, script: &Script) -> bool {
        self.scripts.contains_key(script)
    }

    /// First descriptor that makes a script.
    pub(crate) fn owner(&self, script: &Script) -> Option<(Owner, &Manager)> {
        let owner = *self.scripts.get(script)?.first()?;
        Some((owner, self.managers.get(&owner.id)?))
    }

    /// Address of a script, if it has one.
    pub(crate) fn address(&self, script: &Script) -> Option<String> {
        Address::from_script(script, self.network).ok().map(|address| address.to_string())
    }

    /// Says whether an output is change: ours, and not an address given to anyone.
    pub(crate) fn is_change(&self, script: &Script) -> bool {
        self.is_mine(script)
            && self
                .address(script)
                .is_none_or(|address| self.addresses.get(&address).is_none_or(|entry| entry.label.is_none()))
    }

    /// Label of an address that is no change.
    pub(crate) fn label(&self, address: &str) -> Option<&str> {
        self.addresses.get(address)?.label.as_deref()
    }

    /// Height of the last block processed.
    pub(crate) fn height(&self) -> i64 {
        self.tip.map_or(-1, |tip| i64::from(tip.height))
    }

    /// Confirmations; 0 if unconfirmed, negative if conflicted, by the depth of the conflicting block.
    pub(crate) fn depth(&self, tx: &WalletTx) -> i32 {
        let above = |height: u32| i32::try_from(self.height() - i64::from(height) + 1).unwrap_or(0);
        match tx.state {
            TxState::Confirmed { height: Some(height), .. } => above(height),
            TxState::Conflicted { height: Some(height), .. } => -above(height),
            TxState::Confirmed { height: None, .. }
            | TxState::Conflicted { height: None, .. }
            | TxState::InMempool
            | TxState::Inactive { .. } => 0,
        }
    }
}

fn cannot_expand() -> Error {
    Error::wallet("Error: Unable to expand wallet descriptor from cache")
}
