//! A scripted chain behind [`interfaces::Chain`]: blocks without work, a mempool that checks signatures, events that
//! are delivered when the test says so or a wallet asks.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::{
    Address, Amount, Block, BlockHash, CompactTarget, FeeRate, OutPoint, ScriptBuf, Sequence, Transaction, TxIn,
    TxMerkleNode, TxOut, Txid, Witness,
};
use interfaces::{
    BlockRange, BlockRef, BroadcastError, BumpFees, Chain, ChainNotifications, ChainStatus, Coin, ConnectedBlock,
    Error, FeeEstimate, FeePolicy, MempoolAncestry, MempoolRemovalReason, Result, ScanPage, ScanRequest, ScannedBlock,
    Subscription, WalletSettingUpdate,
};
use miniscript::interpreter::Interpreter;

enum Event {
    Added(Transaction),
    Removed(Transaction),
    Connected(ConnectedBlock),
    Disconnected(ConnectedBlock),
    Flushed,
}

#[derive(Default)]
struct Inner {
    blocks: Vec<Block>,
    stale: HashMap<BlockHash, Block>,
    mempool: Vec<Transaction>,
    events: Vec<Event>,
    subscribers: Vec<Arc<dyn ChainNotifications>>,
    settings: Vec<(String, bool)>,
    made: u32,
}

/// The scripted chain.
pub(super) struct FakeChain {
    inner: Mutex<Inner>,
    /// The node does not answer when offered a transaction.
    pub(super) deaf: AtomicBool,
    /// The node has not caught up with the network.
    pub(super) downloading: AtomicBool,
    /// Lowest height whose block is not pruned.
    pub(super) first_stored: AtomicU32,
    /// What happens to whoever asks for a locator, as wallets do to record how far they followed.
    pub(super) fault: Mutex<Fault>,
    /// What is done when a wallet asks for ancestry, as it does before it chooses among unconfirmed coins.
    pub(super) on_ancestry: Mutex<Option<Box<dyn FnMut() + Send>>>,
    /// Warnings about the start-up, in order.
    pub(super) warnings: Mutex<Vec<String>>,
    /// Warnings that were raised; those that are still up can be upgraded.
    raised: Mutex<Vec<Weak<String>>>,
    /// Transactions that were offered, in order.
    offers: Mutex<Vec<Txid>>,
    /// What happens once, after a call was answered and before the caller goes on.
    meanwhile: Mutex<Option<(&'static str, Meanwhile)>>,
}

type Meanwhile = Box<dyn FnOnce(&FakeChain) + Send>;

/// What goes wrong in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    Error,
    Panic,
}

struct Nothing;
impl Subscription for Nothing {}

/// Keeps a warning up.
struct Raised(#[expect(dead_code, reason = "only held")] Arc<String>);
impl Subscription for Raised {}

/// Blocks are young, so that none is older than the wallets that look for it.
fn block_time(height: u32) -> u32 {
    u32::try_from(common::clock::now()).unwrap() - 3600 + height
}

impl Inner {
    fn push(&mut self, script: ScriptBuf, txs: Vec<Transaction>) {
        self.made += 1;
        let height = self.blocks.len() as u32;
        let prev_blockhash = self.blocks.last().map_or(BlockHash::all_zeros(), Block::block_hash);
        let coinbase = Transaction {
            version: bitcoin::transaction::Version::TWO,
            lock_time: bitcoin::absolute::LockTime::ZERO,
            input: vec![TxIn {
                previous_output: OutPoint::null(),
                script_sig: ScriptBuf::from_bytes([&[4][..], &self.made.to_le_bytes()].concat()),
                sequence: Sequence::MAX,
                witness: Witness::new(),
            }],
            output: vec![TxOut { value: Amount::from_int_btc(50), script_pubkey: script }],
        };
        let header = Header {
            version: Version::TWO,
            prev_blockhash,
            merkle_root: TxMerkleNode::from_byte_array(coinbase.compute_txid().to_byte_array()),
            time: block_time(height),
            bits: CompactTarget::from_consensus(0x207f_ffff),
            nonce: 0,
        };
        self.blocks.push(Block { header, txdata: [vec![coinbase], txs].concat() });
    }

    fn reference(&self, height: usize) -> Option<BlockRef> {
        let block = self.blocks.get(height)?;
        let time = i64::from(block.header.time);
        let (hash, height) = (block.block_hash(), height as u32);
        Some(BlockRef { hash, height, time, median_time: time, max_time: time, active: true })
    }

    fn output(&self, outpoint: &OutPoint) -> Option<TxOut> {
        let txs = self.blocks.iter().flat_map(|block| &block.txdata).chain(&self.mempool);
        let mut spent = txs.clone().flat_map(|tx| &tx.input);
        if spent.any(|input| input.previous_output == *outpoint) {
            return None;
        }
        let tx = txs.into_iter().find(|tx| tx.compute_txid() == outpoint.txid)?;
        tx.output.get(outpoint.vout as usize).cloned()
    }

    /// Accepts a transaction whose inputs exist, are unspent and correctly signed.
    fn accept(&mut self, tx: &Transaction) -> std::result::Result<(), BroadcastError> {
        let rejected = |reason: &str| BroadcastError::MempoolRejected { reason: reason.to_owned() };
        let prevouts: Option<Vec<TxOut>> = tx.input.iter().map(|input| self.output(&input.previous_output)).collect();
        let prevouts = prevouts.ok_or(BroadcastError::MissingInputs)?;
        let secp = bitcoin::secp256k1::Secp256k1::new();
        for (index, (input, prevout)) in tx.input.iter().zip(&prevouts).enumerate() {
            let interpreter = Interpreter::from_txdata(
                &prevout.script_pubkey,
                &input.script_sig,
                &input.witness,
                input.sequence,
                tx.lock_time,
            )
            .map_err(|error| rejected(&error.to_string()))?;
            let all = bitcoin::sighash::Prevouts::All(&prevouts);
            for step in interpreter.iter(&secp, tx, index, &all) {
                step.map_err(|error| rejected(&error.to_string()))?;
            }
        }
        let value = |outputs: &[TxOut]| outputs.iter().map(|output| output.value).sum::<Amount>();
        let fee = value(&prevouts).checked_sub(value(&tx.output)).ok_or_else(|| rejected("in below out"))?;
        if fee.to_sat() < tx.vsize() as u64 {
            return Err(rejected("min relay fee not met"));
        }
        self.mempool.push(tx.clone());
        self.events.push(Event::Added(tx.clone()));
        Ok(())
    }
}

impl FakeChain {
    pub(super) fn new() -> Self {
        let mut inner = Inner::default();
        inner.push(ScriptBuf::new(), Vec::new());
        FakeChain {
            inner: Mutex::new(inner),
            deaf: AtomicBool::new(false),
            downloading: AtomicBool::new(false),
            first_stored: AtomicU32::new(0),
            fault: Mutex::new(Fault::None),
            on_ancestry: Mutex::default(),
            warnings: Mutex::default(),
            raised: Mutex::default(),
            offers: Mutex::default(),
            meanwhile: Mutex::default(),
        }
    }

    /// The warnings that are up now.
    pub(super) fn raised(&self) -> Vec<String> {
        self.raised.lock().unwrap().iter().filter_map(|raised| Some(raised.upgrade()?.to_string())).collect()
    }

    /// Has something happen right after the next call of `scan` or `status` was answered.
    pub(super) fn meanwhile(&self, call: &'static str, act: impl FnOnce(&FakeChain) + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some((call, Box::new(act)));
    }

    fn answered(&self, call: &str) {
        let act = self.meanwhile.lock().unwrap().take_if(|(awaited, _)| *awaited == call);
        if let Some((_, act)) = act {
            act(self);
        }
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Mines the mempool.
    pub(super) fn mine(&self, address: &str) {
        let txs = std::mem::take(&mut self.inner().mempool);
        self.mine_with(address, txs);
    }

    /// Mines these transactions.
    pub(super) fn mine_with(&self, address: &str, txs: Vec<Transaction>) {
        let script = address.parse::<Address<_>>().unwrap().assume_checked().script_pubkey();
        let mut inner = self.inner();
        inner.push(script, txs);
        let block = inner.reference(inner.blocks.len() - 1).unwrap();
        let data = inner.blocks.last().unwrap().clone();
        inner.events.push(Event::Connected(ConnectedBlock { block, data }));
    }

    /// Takes the tip off the chain; its transactions go back to the mempool if `keep`.
    pub(super) fn undo(&self, keep: bool) {
        let mut inner = self.inner();
        let block = inner.reference(inner.blocks.len() - 1).unwrap();
        let data = inner.blocks.pop().unwrap();
        inner.stale.insert(block.hash, data.clone());
        inner.events.push(Event::Disconnected(ConnectedBlock { block, data: data.clone() }));
        for tx in data.txdata.into_iter().skip(1).filter(|_| keep) {
            inner.accept(&tx).unwrap();
        }
    }

    /// Puts a block that left the chain back on its tip.
    pub(super) fn redo(&self, hash: BlockHash) {
        let mut inner = self.inner();
        let data = inner.stale.remove(&hash).unwrap();
        inner.blocks.push(data.clone());
        let block = inner.reference(inner.blocks.len() - 1).unwrap();
        inner.events.push(Event::Connected(ConnectedBlock { block, data }));
    }

    /// A locator as whoever follows to this height has it.
    pub(super) fn locator_at(&self, height: u32) -> Vec<BlockHash> {
        let inner = self.inner();
        inner.blocks.iter().take(height as usize + 1).rev().map(Block::block_hash).collect()
    }

    /// Says that the chain is on disk up to here.
    pub(super) fn flush(&self) {
        self.inner().events.push(Event::Flushed);
    }

    /// Loses the mempool without a word.
    pub(super) fn empty_mempool(&self) {
        self.inner().mempool.clear();
    }

    /// Puts a transaction into the mempool, signed or not, in place of those that spend the same.
    pub(super) fn replace(&self, tx: &Transaction) {
        let mut inner = self.inner();
        let spent: HashSet<OutPoint> = tx.input.iter().map(|input| input.previous_output).collect();
        let (out, keep): (Vec<_>, Vec<_>) = std::mem::take(&mut inner.mempool)
            .into_iter()
            .partition(|other| other.input.iter().any(|input| spent.contains(&input.previous_output)));
        inner.mempool = [keep, vec![tx.clone()]].concat();
        inner.events.extend(out.into_iter().map(Event::Removed));
        inner.events.push(Event::Added(tx.clone()));
    }

    pub(super) fn mempool(&self) -> Vec<Transaction> {
        self.inner().mempool.clone()
    }

    /// The wallets' process ends: what it was not told yet it is never told.
    pub(super) fn forget_subscribers(&self) {
        let mut inner = self.inner();
        inner.subscribers.clear();
        inner.events.clear();
    }

    pub(super) fn settings(&self) -> Vec<(String, bool)> {
        self.inner().settings.clone()
    }

    /// Takes the transactions that were offered since the last call.
    pub(super) fn take_offers(&self) -> Vec<Txid> {
        std::mem::take(&mut self.offers.lock().unwrap())
    }

    /// Delivers the events so far.
    pub(super) fn deliver(&self) {
        assert_eq!(self.try_deliver(), [""; 0]);
    }

    /// Delivers the events so far; returns the errors of those who could not take them in.
    pub(super) fn try_deliver(&self) -> Vec<String> {
        let (events, subscribers) = {
            let mut inner = self.inner();
            (std::mem::take(&mut inner.events), inner.subscribers.clone())
        };
        let mut errors = Vec::new();
        for event in &events {
            for subscriber in &subscribers {
                let taken = match event {
                    Event::Added(tx) => subscriber.transaction_added(tx.clone(), 0),
                    Event::Removed(tx) => subscriber.transaction_removed(tx.clone(), MempoolRemovalReason::Conflict, 0),
                    Event::Connected(block) => subscriber.block_connected(block.clone()),
                    Event::Disconnected(block) => subscriber.block_disconnected(block.clone()),
                    Event::Flushed => subscriber.chain_state_flushed(Vec::new()),
                };
                errors.extend(taken.err().map(|error| error.to_string()));
            }
        }
        errors
    }
}

impl Chain for FakeChain {
    fn status(&self) -> Result<ChainStatus> {
        let inner = self.inner();
        let tip = inner.reference(inner.blocks.len() - 1).unwrap();
        drop(inner);
        self.answered("status");
        Ok(ChainStatus {
            chain: "regtest".to_owned(),
            tip,
            initial_block_download: self.downloading.load(Ordering::SeqCst),
            first_stored_height: Some(self.first_stored.load(Ordering::SeqCst)).filter(|height| *height > 0),
            now: common::clock::now(),
        })
    }

    fn block_at(&self, height: u32) -> Result<Option<BlockRef>> {
        Ok(self.inner().reference(height as usize))
    }

    fn find_block(&self, hash: BlockHash) -> Result<Option<BlockRef>> {
        let inner = self.inner();
        if let Some(height) = inner.blocks.iter().position(|block| block.block_hash() == hash) {
            return Ok(inner.reference(height));
        }
        let stale = |block: &Block| {
            let time = i64::from(block.header.time);
            BlockRef { hash, height: 0, time, median_time: time, max_time: time, active: false }
        };
        Ok(inner.stale.get(&hash).map(stale))
    }

    fn tip_locator(&self) -> Result<Vec<BlockHash>> {
        let fault = *self.fault.lock().unwrap();
        match fault {
            Fault::None => {}
            Fault::Error => return Err(Error::Disconnected { call: "Chain.tip_locator".to_owned() }),
            Fault::Panic => panic!("a fault that a test asked for"),
        }
        let inner = self.inner();
        let (mut height, mut step, mut locator) = (inner.blocks.len() - 1, 1, Vec::new());
        loop {
            locator.push(inner.blocks[height].block_hash());
            if height == 0 {
                return Ok(locator);
            }
            height = height.saturating_sub(step);
            if locator.len() > 10 {
                step *= 2;
            }
        }
    }

    fn find_fork(&self, locator: Vec<BlockHash>) -> Result<Option<BlockRef>> {
        let found = locator.into_iter().filter_map(|hash| self.find_block(hash).ok().flatten());
        Ok(found.into_iter().find(|block| block.active))
    }

    fn find_first_block(&self, min_time: i64, min_height: u32) -> Result<Option<BlockRef>> {
        let inner = self.inner();
        let blocks = (min_height as usize..inner.blocks.len()).filter_map(|height| inner.reference(height));
        Ok(blocks.into_iter().find(|block| block.max_time >= min_time))
    }

    fn has_blocks(&self, range: BlockRange) -> Result<bool> {
        Ok(range.min_height >= self.first_stored.load(Ordering::SeqCst))
    }

    fn scan(&self, request: ScanRequest) -> Result<ScanPage> {
        let inner = self.inner();
        let scripts: HashSet<ScriptBuf> = request.scripts.into_iter().collect();
        let stop = request.stop_height.map_or(inner.blocks.len(), |stop| stop as usize + 1).min(inner.blocks.len());
        // Small pages, so that every test of a search crosses several.
        let end = stop.min(request.start_height as usize + request.max_blocks.min(7) as usize);
        let ours: HashSet<OutPoint> = inner
            .blocks
            .iter()
            .flat_map(|block| &block.txdata)
            .flat_map(|tx| {
                let txid = tx.compute_txid();
                (0..)
                    .zip(&tx.output)
                    .filter(|(_, output)| scripts.contains(&output.script_pubkey))
                    .map(move |(vout, _)| OutPoint::new(txid, vout))
            })
            .collect();
        let mut blocks = Vec::new();
        for height in request.start_height as usize..end {
            let matching: Vec<(u32, Transaction)> = (0..)
                .zip(&inner.blocks[height].txdata)
                .filter(|(_, tx)| {
                    tx.output.iter().any(|output| scripts.contains(&output.script_pubkey))
                        || tx.input.iter().any(|input| ours.contains(&input.previous_output))
                })
                .map(|(position, tx)| (position, tx.clone()))
                .collect();
            if !matching.is_empty() {
                let (positions, transactions) = matching.into_iter().unzip();
                blocks.push(ScannedBlock { block: inner.reference(height).unwrap(), positions, transactions });
            }
        }
        let last = end.checked_sub(1).and_then(|height| inner.reference(height));
        drop(inner);
        self.answered("scan");
        Ok(ScanPage { blocks, last, next_height: (end < stop).then_some(end as u32), unreadable: None })
    }

    fn find_coins(&self, outpoints: Vec<OutPoint>) -> Result<Vec<Option<Coin>>> {
        Ok(outpoints.iter().map(|_| None).collect())
    }

    fn broadcast(&self, tx: Transaction, _: Amount, _: bool) -> Result<std::result::Result<(), BroadcastError>> {
        self.offers.lock().unwrap().push(tx.compute_txid());
        if self.deaf.load(Ordering::SeqCst) {
            return Err(Error::Disconnected { call: "Chain.broadcast".to_owned() });
        }
        Ok(self.inner().accept(&tx))
    }

    fn mempool_transactions(&self) -> Result<Vec<Transaction>> {
        Ok(self.mempool())
    }

    fn mempool_ancestry(&self, txids: Vec<Txid>) -> Result<Vec<Option<MempoolAncestry>>> {
        if let Some(act) = &mut *self.on_ancestry.lock().unwrap() {
            act();
        }
        Ok(txids.iter().map(|_| Some(MempoolAncestry { ancestors: 1, descendants: 1, cluster: 1 })).collect())
    }

    fn fee_policy(&self) -> Result<FeePolicy> {
        let rate = FeeRate::from_sat_per_kwu(250);
        Ok(FeePolicy {
            mempool_min: rate,
            relay_min: rate,
            incremental: rate,
            dust: FeeRate::from_sat_per_kwu(750),
            ancestor_limit: 25,
            descendant_limit: 25,
        })
    }

    fn estimate_fee(&self, target: u32, _: bool) -> Result<FeeEstimate> {
        Ok(FeeEstimate { rate: None, target })
    }

    fn subscribe(&self, notifications: Arc<dyn ChainNotifications>) -> Result<Arc<dyn Subscription>> {
        self.inner().subscribers.push(notifications);
        Ok(Arc::new(Nothing))
    }

    fn sync_notifications(&self, _: Option<BlockHash>) -> Result<()> {
        self.deliver();
        Ok(())
    }

    fn update_wallet_setting(&self, update: WalletSettingUpdate) -> Result<bool> {
        self.inner().settings.push((update.name, update.load_on_startup));
        Ok(true)
    }

    fn abort_node(&self, message: String) -> Result<()> {
        panic!("{message}")
    }

    fn bump_fees(&self, txids: Vec<Txid>, _: u64) -> Result<BumpFees> {
        Ok(BumpFees { each: vec![Amount::ZERO; txids.len()], together: Amount::ZERO })
    }

    fn exceeds_cluster_limits(&self, _: Transaction) -> Result<bool> {
        Ok(false)
    }

    fn init_warning(&self, message: String) -> Result<()> {
        self.warnings.lock().unwrap().push(message);
        Ok(())
    }

    fn raise_warning(&self, message: String) -> Result<Arc<dyn Subscription>> {
        let message = Arc::new(message);
        self.raised.lock().unwrap().push(Arc::downgrade(&message));
        Ok(Arc::new(Raised(message)))
    }
}
