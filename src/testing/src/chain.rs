//! A chain in memory.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bitcoin::{
    Amount, Block, BlockHash, FeeRate, Network, OutPoint, Transaction, TxOut, Txid, constants::genesis_block,
};
use interfaces::{
    BlockRange, BlockRef, BroadcastError, BumpFees, Chain, ChainNotifications, ChainStatus, Coin, ConnectedBlock,
    Error, FeeEstimate, FeePolicy, MempoolAncestry, MempoolRemovalReason, Result, ScanPage, ScanRequest, ScannedBlock,
    Subscription, WalletSettingUpdate,
};

use crate::blocks::{block_on, coinbase, script};
use crate::events::Events;

/// Seconds between the blocks of a fake chain.
const SPACING: u32 = 600;

/// A chain in memory: genesis of regtest, and what the test adds. Nothing is verified beyond what the interface says.
pub struct FakeChain {
    state: Mutex<State>,
    events: Events<dyn ChainNotifications>,
    warnings: Arc<Mutex<Vec<String>>>,
    on_abort: Mutex<Option<AbortHook>>,
}

/// Runs while [`Chain::abort_node`] is called.
pub type AbortHook = Arc<dyn Fn() + Send + Sync>;

struct State {
    blocks: Vec<Block>,
    stale: Vec<(u32, Block)>,
    mempool: Vec<Transaction>,
    sequence: u64,
    settings: BTreeSet<String>,
    aborted: Option<String>,
}

impl FakeChain {
    /// Makes a chain with `height` blocks after genesis, each with a coinbase to `script(height % 4)`.
    pub fn new(height: u32) -> Arc<FakeChain> {
        let state = State {
            blocks: vec![genesis_block(Network::Regtest)],
            stale: Vec::new(),
            mempool: Vec::new(),
            sequence: 0,
            settings: BTreeSet::new(),
            aborted: None,
        };
        let chain = FakeChain {
            state: Mutex::new(state),
            events: Events::new(),
            warnings: Arc::default(),
            on_abort: Mutex::default(),
        };
        for _ in 0..height {
            chain.mine();
        }
        Arc::new(chain)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a block with the mempool's transactions and tells subscribers.
    pub fn mine(&self) -> BlockHash {
        let mut state = self.state();
        let height = state.height() + 1;
        let mut transactions = vec![coinbase(height, script((height % 4) as u8))];
        transactions.append(&mut state.mempool);
        let tip = state.blocks.last().expect("there is a genesis block");
        let block = block_on(tip.block_hash(), tip.header.time + SPACING, transactions);
        state.blocks.push(block.clone());
        let connected = ConnectedBlock { block: state.reference(height), data: block };
        let hash = connected.block.hash;
        self.events.send(move |to| drop(to.block_connected(connected.clone())));
        hash
    }

    /// Takes the tip off the chain and tells subscribers.
    pub fn disconnect_tip(&self) -> BlockHash {
        let mut state = self.state();
        let height = state.height();
        let reference = BlockRef { active: false, ..state.reference(height) };
        let block = state.blocks.pop().expect("there is a genesis block");
        state.stale.push((height, block.clone()));
        let hash = reference.hash;
        let event = ConnectedBlock { block: reference, data: block };
        self.events.send(move |to| drop(to.block_disconnected(event.clone())));
        hash
    }

    /// Takes a transaction out of the mempool and tells subscribers.
    pub fn remove_transaction(&self, txid: Txid, reason: MempoolRemovalReason) {
        let mut state = self.state();
        let Some(index) = state.mempool.iter().position(|tx| tx.compute_txid() == txid) else { return };
        let transaction = state.mempool.remove(index);
        state.sequence += 1;
        let sequence = state.sequence;
        self.events.send(move |to| drop(to.transaction_removed(transaction.clone(), reason, sequence)));
    }

    /// Tells subscribers that everything was written to disk.
    pub fn flushed(&self) {
        let locator = self.state().locator();
        self.events.send(move |to| drop(to.chain_state_flushed(locator.clone())));
    }

    /// Number of subscriptions in force.
    pub fn subscriptions(&self) -> usize {
        self.events.subscribers()
    }

    /// The warnings in force; those of [`Chain::init_warning`] stay for good.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What [`Chain::abort_node`] was told, if it was called.
    pub fn aborted(&self) -> Option<String> {
        self.state().aborted.clone()
    }

    /// Has `hook` run, on the caller's thread, while [`Chain::abort_node`] is called.
    pub fn on_abort(&self, hook: impl Fn() + Send + Sync + 'static) {
        *self.on_abort.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(hook));
    }

    /// The output a coinbase of the chain made.
    pub fn coinbase_at(&self, height: u32) -> OutPoint {
        OutPoint::new(self.state().blocks[height as usize].txdata[0].compute_txid(), 0)
    }
}

impl State {
    fn height(&self) -> u32 {
        u32::try_from(self.blocks.len() - 1).expect("a fake chain is short")
    }

    fn describe(&self, block: &Block, height: u32, active: bool) -> BlockRef {
        let time = i64::from(block.header.time);
        BlockRef { hash: block.block_hash(), height, time, median_time: time, max_time: time, active }
    }

    fn reference(&self, height: u32) -> BlockRef {
        self.describe(&self.blocks[height as usize], height, true)
    }

    fn height_of(&self, hash: BlockHash) -> Option<u32> {
        let index = self.blocks.iter().position(|block| block.block_hash() == hash)?;
        u32::try_from(index).ok()
    }

    fn locator(&self) -> Vec<BlockHash> {
        let (mut hashes, mut height, mut step) = (Vec::new(), self.height(), 1);
        loop {
            hashes.push(self.blocks[height as usize].block_hash());
            if height == 0 {
                return hashes;
            }
            if hashes.len() > 10 {
                step *= 2;
            }
            height = height.saturating_sub(step);
        }
    }

    fn transactions(&self) -> impl Iterator<Item = (Option<u32>, bool, &Transaction)> {
        let confirmed = self.blocks.iter().enumerate().skip(1).flat_map(|(height, block)| {
            let height = u32::try_from(height).ok();
            block.txdata.iter().enumerate().map(move |(position, tx)| (height, position == 0, tx))
        });
        confirmed.chain(self.mempool.iter().map(|tx| (None, false, tx)))
    }

    fn coin(&self, outpoint: OutPoint) -> Option<Coin> {
        if self.transactions().any(|(_, _, tx)| tx.input.iter().any(|input| input.previous_output == outpoint)) {
            return None;
        }
        self.output(outpoint)
    }

    fn output(&self, outpoint: OutPoint) -> Option<Coin> {
        let (height, coinbase, tx) = self.transactions().find(|(_, _, tx)| tx.compute_txid() == outpoint.txid)?;
        let output: TxOut = tx.output.get(outpoint.vout as usize)?.clone();
        Some(Coin { output, height, coinbase })
    }

    fn accept(&mut self, tx: &Transaction, max_fee: Amount) -> std::result::Result<(), BroadcastError> {
        let txid = tx.compute_txid();
        if self.transactions().any(|(height, _, known)| height.is_some() && known.compute_txid() == txid) {
            return Err(BroadcastError::AlreadyInUtxoSet);
        }
        let mut paid = Amount::ZERO;
        for input in &tx.input {
            let coin = self.coin(input.previous_output).ok_or(BroadcastError::MissingInputs)?;
            paid += coin.output.value;
        }
        let spent: Amount = tx.output.iter().map(|output| output.value).sum();
        let fee = paid
            .checked_sub(spent)
            .ok_or(BroadcastError::MempoolRejected { reason: "bad-txns-in-belowout".to_owned() })?;
        if max_fee > Amount::ZERO && fee > max_fee {
            return Err(BroadcastError::MaxFeeExceeded);
        }
        self.mempool.push(tx.clone());
        self.sequence += 1;
        Ok(())
    }
}

impl Chain for FakeChain {
    fn status(&self) -> Result<ChainStatus> {
        let state = self.state();
        let tip = state.reference(state.height());
        Ok(ChainStatus {
            chain: "regtest".to_owned(),
            now: tip.time + 1,
            tip,
            initial_block_download: false,
            first_stored_height: None,
        })
    }

    fn block_at(&self, height: u32) -> Result<Option<BlockRef>> {
        let state = self.state();
        Ok((height <= state.height()).then(|| state.reference(height)))
    }

    fn find_block(&self, hash: BlockHash) -> Result<Option<BlockRef>> {
        let state = self.state();
        let stale = state.stale.iter().find(|(_, block)| block.block_hash() == hash);
        let active = state.height_of(hash).map(|height| state.reference(height));
        Ok(active.or_else(|| stale.map(|(height, block)| state.describe(block, *height, false))))
    }

    fn tip_locator(&self) -> Result<Vec<BlockHash>> {
        Ok(self.state().locator())
    }

    fn find_fork(&self, locator: Vec<BlockHash>) -> Result<Option<BlockRef>> {
        let state = self.state();
        let last = locator.iter().find_map(|hash| state.height_of(*hash));
        Ok(last.map(|height| state.reference(height)))
    }

    fn find_first_block(&self, min_time: i64, min_height: u32) -> Result<Option<BlockRef>> {
        let state = self.state();
        let mut blocks = (min_height..=state.height()).map(|height| state.reference(height));
        Ok(blocks.find(|block| block.max_time >= min_time))
    }

    fn has_blocks(&self, range: BlockRange) -> Result<bool> {
        let state = self.state();
        let Some(last) = state.height_of(range.last) else { return Ok(false) };
        Ok(range.min_height <= range.max_height.unwrap_or(last))
    }

    fn scan(&self, request: ScanRequest) -> Result<ScanPage> {
        let state = self.state();
        let stop = request.stop_height.unwrap_or(u32::MAX).min(state.height());
        let mut page = ScanPage { blocks: Vec::new(), last: None, next_height: None, unreadable: None };
        for height in request.start_height..=stop {
            if height - request.start_height >= request.max_blocks {
                page.next_height = Some(height);
                break;
            }
            let mut found =
                ScannedBlock { block: state.reference(height), positions: Vec::new(), transactions: Vec::new() };
            for (position, tx) in state.blocks[height as usize].txdata.iter().enumerate() {
                let pays = tx.output.iter().any(|output| request.scripts.contains(&output.script_pubkey));
                let spends = tx.input.iter().any(|input| {
                    let spent = state.output(input.previous_output);
                    spent.is_some_and(|coin| request.scripts.contains(&coin.output.script_pubkey))
                });
                if pays || spends {
                    found.positions.push(u32::try_from(position).map_err(Error::internal)?);
                    found.transactions.push(tx.clone());
                }
            }
            page.last = Some(found.block.clone());
            if !found.transactions.is_empty() {
                page.blocks.push(found);
            }
        }
        Ok(page)
    }

    fn find_coins(&self, outpoints: Vec<OutPoint>) -> Result<Vec<Option<Coin>>> {
        let state = self.state();
        Ok(outpoints.into_iter().map(|outpoint| state.coin(outpoint)).collect())
    }

    fn broadcast(
        &self,
        transaction: Transaction,
        max_fee: Amount,
        _relay: bool,
    ) -> Result<std::result::Result<(), BroadcastError>> {
        let mut state = self.state();
        if let Err(refusal) = state.accept(&transaction, max_fee) {
            return Ok(Err(refusal));
        }
        let sequence = state.sequence;
        self.events.send(move |to| drop(to.transaction_added(transaction.clone(), sequence)));
        Ok(Ok(()))
    }

    fn mempool_transactions(&self) -> Result<Vec<Transaction>> {
        Ok(self.state().mempool.clone())
    }

    fn mempool_ancestry(&self, txids: Vec<Txid>) -> Result<Vec<Option<MempoolAncestry>>> {
        let state = self.state();
        let known = |txid: &Txid| state.mempool.iter().any(|tx| tx.compute_txid() == *txid);
        let alone = MempoolAncestry { ancestors: 1, descendants: 1, cluster: 1 };
        Ok(txids.iter().map(|txid| known(txid).then(|| alone.clone())).collect())
    }

    fn fee_policy(&self) -> Result<FeePolicy> {
        let rate = FeeRate::from_sat_per_kwu;
        Ok(FeePolicy {
            mempool_min: rate(250),
            relay_min: rate(251),
            incremental: rate(252),
            dust: rate(750),
            ancestor_limit: 25,
            descendant_limit: 26,
        })
    }

    fn estimate_fee(&self, target: u32, conservative: bool) -> Result<FeeEstimate> {
        Ok(FeeEstimate { rate: conservative.then(|| FeeRate::from_sat_per_kwu(1234)), target: target.max(2) })
    }

    fn subscribe(&self, notifications: Arc<dyn ChainNotifications>) -> Result<Arc<dyn Subscription>> {
        Ok(self.events.subscribe(notifications))
    }

    fn sync_notifications(&self, old_tip: Option<BlockHash>) -> Result<()> {
        if old_tip != Some(self.status()?.tip.hash) {
            self.events.sync();
        }
        Ok(())
    }

    fn update_wallet_setting(&self, update: WalletSettingUpdate) -> Result<bool> {
        let mut state = self.state();
        if update.load_on_startup {
            state.settings.insert(update.name);
        } else {
            state.settings.remove(&update.name);
        }
        Ok(true)
    }

    fn abort_node(&self, message: String) -> Result<()> {
        self.state().aborted = Some(message);
        let hook = self.on_abort.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(hook) = hook {
            hook();
        }
        Ok(())
    }

    /// Those of the mempool lack one satoshi per 1000 of the rate each.
    fn bump_fees(&self, txids: Vec<Txid>, rate: u64) -> Result<BumpFees> {
        let state = self.state();
        let lacks = |txid: &Txid| {
            let known = state.mempool.iter().any(|tx| tx.compute_txid() == *txid);
            Amount::from_sat(if known { rate / 1000 } else { 0 })
        };
        let each: Vec<Amount> = txids.iter().map(lacks).collect();
        Ok(BumpFees { together: each.iter().copied().sum(), each })
    }

    fn exceeds_cluster_limits(&self, transaction: Transaction) -> Result<bool> {
        Ok(transaction.output.is_empty())
    }

    fn init_warning(&self, message: String) -> Result<()> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        Ok(())
    }

    fn raise_warning(&self, message: String) -> Result<Arc<dyn Subscription>> {
        self.init_warning(message.clone())?;
        Ok(Arc::new(Raised { message, warnings: self.warnings.clone() }))
    }
}

/// Keeps a warning of a fake chain in force.
struct Raised {
    message: String,
    warnings: Arc<Mutex<Vec<String>>>,
}

impl Subscription for Raised {}

impl Drop for Raised {
    fn drop(&mut self) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        warnings.retain(|warning| *warning != self.message);
    }
}
