//! Making and opening wallets: path checks, reading the file, meeting the chain.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use bitcoin::{BlockHash, Txid};
use common::lossless;
use interfaces::{BlockRange, BlockRef, Chain};
use log::warn;
use rpc::code;
use zeroize::Zeroizing;

use super::Wallet;
use super::follow::subscribe;
use super::scan::{Progress, ScanEnd};
use crate::db::{Database, DbError};
use crate::error::{Error, Result};
use crate::events::Events;
use crate::options::Options;
use crate::records::canonical;
use crate::records::{CLIENT_VERSION, Change, RecordError, TxState};
use crate::resend::next_resend;
use crate::state::{State, Tip, flags};

/// Blocks this much older than a wallet's first key can hold nothing for it, seconds.
pub(crate) const TIMESTAMP_WINDOW: i64 = 2 * 60 * 60;

/// Wallet to make.
pub(crate) struct Creation {
    /// Name, relative to the wallet directory.
    pub(crate) name: String,
    /// Flags beyond those every descriptor wallet has.
    pub(crate) flags: u64,
    /// Encrypts the keys with this, unless empty.
    pub(crate) passphrase: Zeroizing<String>,
}

/// Finds a wallet's directory; refuses names that point outside in a roundabout way.
pub(crate) fn wallet_path(options: &Options, name: &str) -> Result<PathBuf> {
    let given = lossless::to_path(name);
    let path = given.as_path();
    let normal: PathBuf = path.components().collect();
    let relative = matches!(path.components().next(), Some(Component::CurDir | Component::ParentDir));
    let mut below = path.components().skip_while(|part| *part == Component::ParentDir);
    let roundabout = path.components().nth(1).is_some()
        && below.any(|part| matches!(part, Component::CurDir | Component::ParentDir))
        || relative && name.ends_with('/');
    if roundabout || normal.as_os_str() != lossless::to_os(name.trim_end_matches('/')) && path != Path::new("/") {
        return Err(Error::wallet("Wallet name given as a path must be normalized"));
    }
    if relative {
        return Err(Error::wallet(
            "Wallet name given as a relative path cannot begin with ./ or ../, for wallets not in the walletdir, \
             please use an absolute path.",
        ));
    }
    if path == Path::new("/") {
        return Err(Error::wallet("Wallet name cannot be the root path"));
    }
    let full = options.wallet_dir.join(path);
    match full.symlink_metadata() {
        Ok(_) if !full.is_dir() => Err(Error::wallet(format!(
            "Invalid -wallet path '{name}'. -wallet path should point to a directory where wallet.dat and \
             database/log.?????????? files can be stored, a location where such a directory could be created, or (for \
             backwards compatibility) the name of an existing data file in -walletdir (\"{}\")",
            options.wallet_dir.display()
        ))),
        _ => Ok(full),
    }
}

/// Code of a refusal to open a file.
fn open_code(error: &DbError) -> i32 {
    match error {
        DbError::NotFound(_) | DbError::BadFormat(_) | DbError::WrongChain { .. } | DbError::Legacy(_) => {
            code::WALLET_NOT_FOUND
        }
        _ => code::WALLET_ERROR,
    }
}

fn verification_failed(error: &Error) -> Error {
    let code = match error {
        Error::Db(error) => open_code(error),
        Error::Refused { code, .. } => *code,
        Error::Chain(_) => code::WALLET_ERROR,
    };
    Error::refused(code, format!("Wallet file verification failed. {error}"))
}

impl Wallet {
    fn new(name: &str, directory: PathBuf, options: Arc<Options>, chain: Arc<dyn Chain>, state: State) -> Arc<Self> {
        Arc::new(Wallet {
            name: name.to_owned(),
            directory,
            options,
            chain,
            scan: Progress::default(),
            events: Events::default(),
            relock: Mutex::new(()),
            state: Mutex::new(state),
            paying: Mutex::new(()),
            subscription: Mutex::new(None),
            warning: Mutex::new(None),
            closed: AtomicBool::new(false),
            next_resend: AtomicI64::new(next_resend(common::clock::now())),
            caught_up: AtomicBool::new(false),
        })
    }

    /// Makes a wallet and opens it. Gives warnings to show beside it.
    pub(crate) fn create(
        options: Arc<Options>,
        chain: Arc<dyn Chain>,
        creation: &Creation,
    ) -> Result<(Arc<Self>, Vec<String>)> {
        let Creation { name, flags: own, passphrase } = creation;
        if name.is_empty() {
            return Err(Error::refused(code::INVALID_PARAMETER, "Wallet name cannot be empty"));
        }
        let watch_only = own & flags::DISABLE_PRIVATE_KEYS != 0;
        if watch_only && !passphrase.is_empty() {
            return Err(Error::wallet(
                "Passphrase provided but private keys are disabled. A passphrase is only used to encrypt private keys, \
                 so cannot be used for wallets with private keys disabled.",
            ));
        }
        let warnings = option_warnings(&options, &*chain).map_err(|error| error.within("Wallet creation failed."))?;
        let made = wallet_path(&options, name).and_then(|path| {
            let db = Database::create(&path, options.network, options.unsafe_sync)?;
            Ok((path, db))
        });
        // Whatever the reason, creating fails with the code for wallet errors.
        let (path, db) = made.map_err(|error| Error::wallet(format!("Wallet file verification failed. {error}")))?;
        let mut state = State::new(db, options.network);
        let flags = own | flags::DESCRIPTORS | flags::LAST_HARDENED_CACHED;
        state.commit(vec![Change::Version(CLIENT_VERSION), Change::Flags(flags)])?;
        if passphrase.is_empty() && own & (flags::BLANK | flags::DISABLE_PRIVATE_KEYS) == 0 {
            let changes = state.fresh_descriptors(options.keypool, None)?;
            state.commit(changes)?;
        }
        let status = chain.status()?;
        state.tip = Some(Tip { hash: status.tip.hash, height: status.tip.height });
        let wallet = Wallet::new(name, path, options, chain, state);
        // Until it is published there is no wallet of that name, and none is left behind by a failure.
        let mut made = wallet.attach(true);
        if !passphrase.is_empty() {
            made = made.and_then(|()| wallet.encrypt(passphrase));
        }
        made = made.and_then(|()| Ok(wallet.state().db.publish()?));
        if let Err(error) = made {
            wallet.close();
            return Err(error);
        }
        wallet.log("Wallet completed creation");
        wallet.post_load();
        Ok((wallet, warnings))
    }

    /// Opens a wallet and catches up with the chain. Gives warnings to show beside it.
    pub(crate) fn load(options: Arc<Options>, chain: Arc<dyn Chain>, name: &str) -> Result<(Arc<Self>, Vec<String>)> {
        let opened = wallet_path(&options, name).and_then(|path| {
            let db = Database::open(&path, options.network, options.unsafe_sync)?;
            Ok((path, db))
        });
        let (path, db) = opened.map_err(|error| verification_failed(&error))?;
        let failed = |error: Error| error.within("Wallet loading failed.");
        let mut warnings = option_warnings(&options, &*chain).map_err(failed)?;
        let (mut state, rescan) = read(db, &options).map_err(failed)?;
        if rescan {
            warnings.push(format!(
                "Error reading {}! Transaction data may be missing or incorrect. Rescanning wallet.",
                state.db.path().display()
            ));
            state.best_block.clear();
        }
        let watch_only = state.has_flag(flags::DISABLE_PRIVATE_KEYS);
        let active = state.active.values().filter_map(|id| state.managers.get(id));
        if watch_only && active.into_iter().any(|manager| manager.has_private_keys()) {
            warnings.push(format!("Warning: Private keys detected in wallet {{{name}}} with disabled private keys"));
        }
        state.finish_rewrite();
        state.top_up_all(options.keypool)?;
        let wallet = Wallet::new(name, path, options, chain, state);
        wallet.attach(false).map_err(failed)?;
        wallet.log("Wallet completed loading");
        wallet.post_load();
        Ok((wallet, warnings))
    }

    /// Meets the chain: registers for events, finds out where recorded blocks are, reads what was missed. Events that
    /// come meanwhile are taken in, but the file does not say so before the past is in it too.
    fn attach(self: &Arc<Self>, new: bool) -> Result<()> {
        let chain = &*self.chain;
        let recorded = self.state().best_block.clone();
        if let (false, Some(last)) = (self.options.cross_chain, recorded.last()) {
            let genesis = chain.block_at(0)?;
            if genesis.is_some_and(|genesis| genesis.hash != *last) {
                return Err(Error::wallet(
                    "Wallet files should not be reused across chains. Restart bitcoind with -walletcrosschain to \
                     override.",
                ));
            }
        }
        let reservation = self.reserve_scan()?;
        subscribe(self)?;
        self.synchronise(new, &reservation)?;
        // The wallet is usable either way, and this is tried again when it is loaded next.
        if let Err(error) = self.state().unlock_spent() {
            warn!("[{}] cannot unlock coins that are spent: {error}", self.name);
        }
        Ok(())
    }

    /// Finds out where recorded blocks are and reads what came after the last block in the file. News that come meanwhile
    /// are taken in, but the file does not say so before the past is in it too.
    pub(crate) fn synchronise(&self, new: bool, reservation: &super::scan::Reservation<'_>) -> Result<()> {
        let chain = &*self.chain;
        let (recorded, news) = {
            let state = self.state();
            (state.best_block.clone(), state.news)
        };
        let status = chain.status()?;
        let tip = Tip { hash: status.tip.hash, height: status.tip.height };
        let start = if new { Some(tip.height) } else { chain.find_fork(recorded)?.map(|block| block.height) };
        let mut start = start.unwrap_or(0);
        let displaced = {
            let mut state = self.state();
            // News that came since are younger.
            if state.news == news {
                state.tip = Some(tip);
            }
            locate(&mut state, chain)?
        };
        if let Some(time) = self.state().first_time(&displaced) {
            // They may be in blocks of this chain that were read before. A clock that was ahead of all blocks says nothing,
            // and blocks that are not stored any more must not keep the wallet closed.
            let first = chain.find_first_block(time.saturating_sub(TIMESTAMP_WINDOW), 0)?;
            let first = first.map_or(0, |block| block.height).max(status.first_stored_height.unwrap_or(0));
            start = start.min(first);
        }
        if !new && start != tip.height {
            let birth = self.state().birth_time();
            let first = birth
                .and_then(|birth| chain.find_first_block(birth.saturating_sub(TIMESTAMP_WINDOW), start).transpose());
            let first = match (birth, first.transpose()?) {
                (None, _) => Some(start),
                (Some(_), found) => found.map(|block| block.height),
            };
            if let Some(first) = first {
                self.catch_up(first, tip, reservation)?;
            }
        }
        let mut state = self.state();
        if let Some(reason) = state.behind.reason.as_ref().filter(|_| state.behind.paused) {
            return Err(Error::wallet(reason.clone()));
        }
        self.caught_up.store(true, Ordering::SeqCst);
        // Written down, or the next start would search for them again.
        let settled = displaced.iter().filter_map(|txid| state.txs.get(txid)).cloned();
        let settled = settled.map(|tx| Change::Tx(Box::new(tx))).collect();
        state.commit(settled)?;
        self.write_best_block(&mut state)
    }

    fn catch_up(&self, first: u32, tip: Tip, reservation: &super::scan::Reservation<'_>) -> Result<()> {
        let range = BlockRange { last: tip.hash, min_height: first, max_height: None };
        if !self.chain.has_blocks(range)? {
            return Err(Error::wallet(
                "Prune: last wallet synchronisation goes beyond pruned data. You need to -reindex (download the whole \
                 blockchain again in case of a pruned node)",
            ));
        }
        self.log(&format!("Rescanning last {} blocks (from block {first})...", tip.height - first.min(tip.height)));
        let left = self.state().news.disconnected;
        match self.scan_blocks(first, None, reservation)? {
            ScanEnd::Done(last) => {
                let mut state = self.state();
                // Events may have come further already, or have taken back what was read.
                let last = last.filter(|(height, _)| i64::from(*height) > state.height());
                if let Some((height, hash)) = last.filter(|_| state.news.disconnected == left) {
                    state.tip = Some(Tip { hash, height });
                }
                Ok(())
            }
            ScanEnd::Unreadable(_) | ScanEnd::Aborted => {
                Err(Error::wallet("Failed to rescan the wallet during initialization"))
            }
        }
    }

    /// Takes in the mempool, then offers the node the payments it does not have: one recorded just before a crash
    /// gets out now.
    fn post_load(&self) {
        if let Err(error) = self.take_mempool().and_then(|()| self.resubmit()) {
            warn!("[{}] cannot take in the mempool: {error}", self.name);
        }
    }

    /// Takes in the mempool's transactions.
    pub(crate) fn take_mempool(&self) -> Result<()> {
        let transactions = self.chain.mempool_transactions()?;
        let mut state = self.state();
        for tx in &transactions {
            let known = state.txs.get(&tx.compute_txid()).map(|known| known.state);
            if !matches!(known, Some(TxState::Confirmed { .. })) {
                state.note_mempool_conflicts(tx);
                self.see_in_mempool(&mut state, tx)?;
            }
        }
        self.publish(state);
        Ok(())
    }
}

/// Returns what the options warn of beside a wallet.
fn option_warnings(options: &Options, chain: &dyn Chain) -> Result<Vec<String>> {
    options.warnings(chain.fee_policy()?.relay_min.into()).map_err(|error| Error::wallet(error.to_string()))
}

/// Reads a wallet file. The flag says that transactions were unreadable and have to be searched for again.
fn read(db: Database, options: &Options) -> Result<(State, bool)> {
    let path = db.path().display().to_string();
    let corrupt = |detail: &dyn std::fmt::Display| {
        warn!("{path}: {detail}");
        Error::wallet(format!("Error loading {path}: Wallet corrupted"))
    };
    let (mut changes, mut rescan) = (Vec::new(), false);
    let (records, mended) = canonical::mend(db.records()?, options.network);
    for (key, value) in records {
        match Change::decode(&key, &value, options.network) {
            Ok(Some(change)) => changes.push(change),
            Ok(None) => {}
            Err(RecordError::Damaged { kind, source }) if kind == "tx" => {
                warn!("{path}: {kind} record: {source}");
                rescan = true;
            }
            Err(RecordError::UnknownDescriptor(detail)) => {
                warn!("{path}: unrecognized descriptor: {detail}");
                return Err(Error::wallet(format!(
                    "Unrecognized descriptor found. Loading wallet {path}\n\nThe wallet might have been created on a \
                     newer version.\nPlease try running the latest software version.\n"
                )));
            }
            Err(RecordError::Legacy(kind)) => {
                warn!("{path}: legacy entry of type {kind}");
                return Err(Error::wallet(format!(
                    "Unexpected legacy entry in descriptor wallet found. Loading wallet {path}\n\nThe wallet might \
                     have been tampered with or created with malicious intent.\n"
                )));
            }
            Err(error) => return Err(corrupt(&error)),
        }
    }
    let plain = |change: &Change| matches!(change, Change::Key(..));
    let encrypted = |change: &Change| matches!(change, Change::EncryptedKey(..));
    if changes.iter().any(plain) && changes.iter().any(encrypted) {
        return Err(corrupt(&"Wallet contains both unencrypted and encrypted keys"));
    }
    // Descriptors first: keys and caches belong to one. Transactions last: scripts tell which outputs are ours.
    changes.sort_by_key(|change| match change {
        Change::Flags(_) => 0,
        Change::Descriptor(..) => 1,
        Change::Tx(_) => 3,
        _ => 2,
    });
    let mut state = State::new(db, options.network);
    let first_tx = changes.partition_point(|change| !matches!(change, Change::Tx(_)));
    let transactions = changes.split_off(first_tx);
    changes.into_iter().for_each(|change| state.apply(change));
    check_flags(&state, &path)?;
    if let Some(id) = state.active.values().find(|id| !state.managers.contains_key(id)) {
        return Err(corrupt(&format!("active descriptor {id} is missing")));
    }
    state.expand_all().map_err(|error| corrupt(&error))?;
    transactions.into_iter().for_each(|change| state.apply(change));
    state.touched.clear();
    // Only now: a file that is refused is left as it was.
    if !mended.is_empty() {
        warn!("{path}: descriptors are brought into their canonical form");
        state.db.write(&mended)?;
    }
    state.order_unordered()?;
    if state.version != Some(CLIENT_VERSION) {
        state.commit(vec![Change::Version(CLIENT_VERSION)])?;
    }
    Ok((state, rescan))
}

fn check_flags(state: &State, path: &str) -> Result<()> {
    let known: u64 = flags::NAMES.iter().map(|(flag, _)| flag).sum();
    if (state.flags & !known) >> 32 != 0 {
        return Err(Error::wallet(format!("Error loading {path}: Wallet requires newer version of Bitcoin Core")));
    }
    if !state.has_flag(flags::DESCRIPTORS) {
        return Err(Error::wallet(format!(
            "Error loading {path}: Wallet is a legacy wallet. Please migrate to a descriptor wallet using the migration \
             tool (migratewallet RPC)."
        )));
    }
    if state.has_flag(flags::EXTERNAL_SIGNER) {
        return Err(Error::wallet(format!(
            "Error loading {path}: External signer wallet being loaded without external signer support compiled"
        )));
    }
    Ok(())
}

/// Fills in the heights of the blocks in transaction states. A block that left the chain confirms nothing; returns the
/// transactions in such blocks.
fn locate(state: &mut State, chain: &dyn Chain) -> Result<Vec<Txid>> {
    let mut blocks: HashMap<BlockHash, Option<BlockRef>> = HashMap::new();
    let mut displaced = Vec::new();
    for (txid, tx) in &mut state.txs {
        let (TxState::Confirmed { block, .. } | TxState::Conflicted { block, .. }) = tx.state else { continue };
        let found = match blocks.entry(block) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(chain.find_block(block)?.filter(|found| found.active)),
        };
        let height = found.as_ref().map(|found| found.height);
        if height.is_none() {
            displaced.push(*txid);
        }
        tx.state = match tx.state {
            TxState::Confirmed { position, .. } if height.is_some() => TxState::Confirmed { block, height, position },
            TxState::Conflicted { .. } if height.is_some() => TxState::Conflicted { block, height },
            _ => TxState::Inactive { abandoned: tx.tx.is_coinbase() },
        };
    }
    state.block_times.extend(blocks.into_iter().filter_map(|(hash, found)| Some((hash, found?.time))));
    Ok(displaced)
}

impl State {
    /// When the first of these transactions came, Unix seconds.
    fn first_time(&self, txids: &[Txid]) -> Option<i64> {
        let known = txids.iter().filter_map(|txid| self.txs.get(txid));
        known.map(|tx| tx.time().min(i64::from(tx.time_received))).min()
    }

    /// When the wallet's first key was made; `None` if it has none.
    pub(crate) fn birth_time(&self) -> Option<i64> {
        self.managers.values().map(|manager| i64::try_from(manager.record.creation_time).unwrap_or(i64::MAX)).min()
    }

    /// Derives addresses ahead of use in all active descriptors; what is locked stays as it is.
    pub(crate) fn top_up_all(&mut self, keypool: i32) -> Result<()> {
        let changes = self
            .managers
            .values()
            .filter(|manager| self.active.values().any(|id| *id == manager.id))
            .filter_map(|manager| manager.top_up(&self.secp, manager.record.next_index, keypool, self.master.as_ref()))
            .flatten()
            .collect();
        self.commit(changes)
    }

    /// Gives a position to transactions that older versions recorded without one.
    fn order_unordered(&mut self) -> Result<()> {
        let mut missing: Vec<_> = self.txs.values().filter(|tx| tx.position == -1).cloned().collect();
        if missing.is_empty() {
            return Ok(());
        }
        missing.sort_by_key(crate::records::WalletTx::time);
        let first = self.order.last().map_or(0, |(position, _)| position + 1).max(self.next_position);
        let mut changes = Vec::new();
        for (position, mut tx) in (first..).zip(missing) {
            tx.position = position;
            changes.push(Change::Tx(Box::new(tx)));
            changes.push(Change::NextPosition(position + 1));
        }
        self.commit(changes)
    }
}
