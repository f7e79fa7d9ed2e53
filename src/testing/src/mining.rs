//! A node that makes blocks without an engine: its chain is a list, its rules are few.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bitcoin::block::{Header, Version};
use bitcoin::hashes::{Hash, HashEngine, sha256d};
use bitcoin::{
    Amount, Block, BlockHash, OutPoint, ScriptBuf, SignedAmount, Target, Transaction, TxMerkleNode, Txid, Wtxid,
};
use interfaces::{
    BlockCheck, BlockCheckOptions, BlockCreateOptions, BlockTemplate, BlockWaitOptions, CoinbaseTx, Error, Mining,
    Result, TipRef,
};

use crate::blocks::{block_on, coinbase, payment, script};

/// Fee of the one transaction of the mempool.
const FEE: SignedAmount = SignedAmount::from_sat(1000);

/// How often a wait looks whether its caller is still there.
const TICK: Duration = Duration::from_millis(20);

/// A chain on which anything with proof of work is valid.
pub struct FakeMining {
    node: Arc<Node>,
    interrupted: AtomicBool,
}

struct Node {
    blocks: Mutex<Vec<Block>>,
    changed: Condvar,
    mempool: Vec<Transaction>,
}

impl FakeMining {
    /// Makes a node with one block and one transaction that waits to be mined.
    #[expect(clippy::new_without_default, reason = "a fake is not a plain value")]
    pub fn new() -> Self {
        let genesis = block_on(BlockHash::all_zeros(), 1_700_000_000, vec![coinbase(0, script(0))]);
        let waiting = payment(OutPoint::new(Txid::from_byte_array([3; 32]), 0), Amount::from_sat(5000), script(3));
        let node = Node { blocks: Mutex::new(vec![genesis]), changed: Condvar::new(), mempool: vec![waiting] };
        FakeMining { node: Arc::new(node), interrupted: AtomicBool::new(false) }
    }

    /// Makes another client's object of the same node.
    pub fn for_another_client(&self) -> Self {
        FakeMining { node: self.node.clone(), interrupted: AtomicBool::new(false) }
    }
}

impl Node {
    fn blocks(&self) -> MutexGuard<'_, Vec<Block>> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tip(&self) -> TipRef {
        let blocks = self.blocks();
        let height = i32::try_from(blocks.len() - 1).unwrap();
        TipRef { hash: blocks.last().unwrap().block_hash(), height }
    }

    /// Waits for another tip than `old`; `None` if interrupted, `Some(false)` if time is up.
    fn wait(&self, old: BlockHash, milliseconds: f64, interrupted: &AtomicBool) -> Option<bool> {
        // What is less than nothing, or no number, is no time; what is too long is for ever.
        let limit = Duration::try_from_secs_f64(milliseconds.max(0.0) / 1000.0).ok();
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut blocks = self.blocks();
        loop {
            if interrupted.swap(false, Ordering::SeqCst) || interfaces::caller_has_given_up() {
                return None;
            }
            if blocks.last().unwrap().block_hash() != old {
                return Some(true);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Some(false);
            }
            blocks = self.changed.wait_timeout(blocks, left.unwrap_or(TICK).min(TICK)).unwrap().0;
        }
    }

    fn interrupt(&self, flag: &AtomicBool) {
        flag.store(true, Ordering::SeqCst);
        let _blocks = self.blocks();
        self.changed.notify_all();
    }

    fn check(&self, block: &Block, options: BlockCheckOptions) -> BlockCheck {
        let refuse = |reason: &str| BlockCheck { result: false, reason: reason.to_owned(), debug: String::new() };
        if options.check_pow && !Target::from_compact(block.header.bits).is_met_by(block.block_hash()) {
            return refuse("high-hash");
        }
        if options.check_merkle_root && !block.check_merkle_root() {
            return refuse("bad-txnmrklroot");
        }
        if block.header.prev_blockhash != self.tip().hash {
            return refuse("inconclusive-not-best-prevblk");
        }
        BlockCheck { result: true, reason: String::new(), debug: String::new() }
    }

    /// Takes a block; the flag says whether it is new.
    fn submit(&self, block: &Block) -> (BlockCheck, bool) {
        if self.blocks().iter().any(|known| known.block_hash() == block.block_hash()) {
            return (BlockCheck { result: false, reason: "duplicate".to_owned(), debug: String::new() }, false);
        }
        let check = self.check(block, BlockCheckOptions::default());
        if check.result {
            self.blocks().push(block.clone());
            self.changed.notify_all();
        }
        (check, true)
    }

    fn template(self: &Arc<Self>, options: BlockCreateOptions) -> Arc<dyn BlockTemplate> {
        let tip = self.tip();
        let height = u32::try_from(tip.height + 1).unwrap();
        let waiting = self.mempool.iter().filter(|_| options.use_mempool).cloned();
        let transactions = std::iter::once(coinbase(height, script(1))).chain(waiting).collect();
        let mut block = block_on(tip.hash, 1_700_000_000 + height, transactions);
        block.header.merkle_root = TxMerkleNode::all_zeros();
        Arc::new(FakeTemplate {
            node: self.clone(),
            height,
            options,
            block: Mutex::new(block),
            interrupted: AtomicBool::new(false),
        })
    }
}

impl Mining for FakeMining {
    fn is_test_chain(&self) -> Result<bool> {
        Ok(true)
    }

    fn is_initial_block_download(&self) -> Result<bool> {
        Ok(false)
    }

    fn tip(&self) -> Result<Option<TipRef>> {
        Ok(Some(self.node.tip()))
    }

    fn wait_tip_changed(&self, current_tip: BlockHash, timeout: f64) -> Result<Option<TipRef>> {
        Ok(self.node.wait(current_tip, timeout, &self.interrupted).map(|_| self.node.tip()))
    }

    fn create_new_block(&self, options: BlockCreateOptions, _cooldown: bool) -> Result<Option<Arc<dyn BlockTemplate>>> {
        let BlockCreateOptions { use_mempool: _, block_reserved_weight: weight, .. } = options;
        let sigops = options.coinbase_output_max_additional_sigops;
        if weight < 2000 {
            return Err(Error::internal(format!(
                "block_reserved_weight ({weight}) is lower than minimum safety value of (2000)"
            )));
        }
        if weight > 4_000_000 {
            return Err(Error::internal(format!(
                "block_reserved_weight ({weight}) exceeds consensus maximum block weight (4000000)"
            )));
        }
        if sigops > 80_000 {
            return Err(Error::internal(format!(
                "coinbase_output_max_additional_sigops ({sigops}) exceeds consensus maximum block sigops cost (80000)"
            )));
        }
        Ok(Some(self.node.template(options)))
    }

    fn check_block(&self, block: Block, options: BlockCheckOptions) -> Result<BlockCheck> {
        Ok(self.node.check(&block, options))
    }

    fn interrupt(&self) -> Result<()> {
        self.node.interrupt(&self.interrupted);
        Ok(())
    }

    fn submit_block(&self, block: Block) -> Result<BlockCheck> {
        Ok(self.node.submit(&block).0)
    }

    fn transactions_by_txid(&self, txids: Vec<Txid>) -> Result<Vec<Option<Transaction>>> {
        let find = |id: Txid| self.node.mempool.iter().find(|tx| tx.compute_txid() == id).cloned();
        Ok(txids.into_iter().map(find).collect())
    }

    fn transactions_by_wtxid(&self, wtxids: Vec<Wtxid>) -> Result<Vec<Option<Transaction>>> {
        let find = |id: Wtxid| self.node.mempool.iter().find(|tx| tx.compute_wtxid() == id).cloned();
        Ok(wtxids.into_iter().map(find).collect())
    }
}

struct FakeTemplate {
    node: Arc<Node>,
    height: u32,
    options: BlockCreateOptions,
    block: Mutex<Block>,
    interrupted: AtomicBool,
}

impl FakeTemplate {
    fn locked(&self) -> MutexGuard<'_, Block> {
        self.block.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlockTemplate for FakeTemplate {
    fn block_header(&self) -> Result<Header> {
        Ok(self.locked().header)
    }

    fn block(&self) -> Result<Block> {
        Ok(self.locked().clone())
    }

    fn tx_fees(&self) -> Result<Vec<SignedAmount>> {
        Ok(vec![FEE; self.locked().txdata.len() - 1])
    }

    fn tx_sigops(&self) -> Result<Vec<i64>> {
        Ok(vec![1; self.locked().txdata.len() - 1])
    }

    fn coinbase_tx(&self) -> Result<CoinbaseTx> {
        let made = coinbase(self.height, ScriptBuf::new());
        let input = &made.input[0];
        Ok(CoinbaseTx {
            version: 2,
            sequence: input.sequence.0,
            script_sig_prefix: input.script_sig.clone(),
            witness: Some(vec![0; 32]),
            block_reward_remaining: made.output[0].value,
            required_outputs: Vec::new(),
            lock_time: 0,
        })
    }

    /// Only of blocks with one or two transactions, which is all there are.
    fn coinbase_merkle_path(&self) -> Result<Vec<TxMerkleNode>> {
        let others = self.locked().txdata.iter().skip(1).map(Transaction::compute_txid).collect::<Vec<_>>();
        assert!(others.len() <= 1);
        Ok(others.into_iter().map(TxMerkleNode::from).collect())
    }

    fn submit_solution(&self, version: u32, timestamp: u32, nonce: u32, coinbase: Option<Transaction>) -> Result<bool> {
        let Some(coinbase) = coinbase else { return Ok(false) };
        let mut block = self.locked();
        block.txdata[0] = coinbase;
        block.header.version = Version::from_consensus(version as i32);
        block.header.time = timestamp;
        block.header.nonce = nonce;
        block.header.merkle_root = block.compute_merkle_root().unwrap();
        let (check, new) = self.node.submit(&block);
        Ok(check.result || !new)
    }

    fn wait_next(&self, options: BlockWaitOptions) -> Result<Option<Arc<dyn BlockTemplate>>> {
        let old = self.locked().header.prev_blockhash;
        let changed = self.node.wait(old, options.timeout, &self.interrupted);
        Ok((changed == Some(true)).then(|| self.node.template(self.options)))
    }

    fn interrupt_wait(&self) -> Result<()> {
        self.node.interrupt(&self.interrupted);
        Ok(())
    }
}

/// The merkle root of a block, from its coinbase and the path the template gives.
pub(crate) fn merkle_root(coinbase: &Transaction, path: &[TxMerkleNode]) -> TxMerkleNode {
    let start = TxMerkleNode::from(coinbase.compute_txid());
    path.iter().fold(start, |node, other| {
        let mut engine = sha256d::Hash::engine();
        engine.input(node.as_ref());
        engine.input(other.as_ref());
        TxMerkleNode::from_raw_hash(sha256d::Hash::from_engine(engine))
    })
}
