//! Making blocks: what pools and template providers ask of a node.

use std::sync::Arc;

use bitcoin::block::Header;
use bitcoin::{Amount, Block, BlockHash, ScriptBuf, SignedAmount, Transaction, TxMerkleNode, TxOut, Txid, Wtxid};

use crate::Result;

/// A node that makes and takes blocks.
///
/// Implemented by the node; called by mining software from any of its threads. A method that waits ends when the node
/// shuts down, when the client is gone, and at [`Mining::interrupt`]; it then returns `None`. One interruption ends one
/// wait, also one that begins later.
pub trait Mining: Send + Sync {
    /// Says whether the chain is one for tests only.
    fn is_test_chain(&self) -> Result<bool>;

    /// Says whether the node is still catching up with the chain.
    fn is_initial_block_download(&self) -> Result<bool>;

    /// Returns the tip, `None` before there is one.
    fn tip(&self) -> Result<Option<TipRef>>;

    /// Waits until there is a tip and it is not `current_tip`, the latter for at most `timeout` milliseconds
    /// (`f64::MAX` is for ever), and returns the tip.
    fn wait_tip_changed(&self, current_tip: BlockHash, timeout: f64) -> Result<Option<TipRef>>;

    /// Makes a template for the block after the tip. With `cooldown` it waits until the node has caught up and the tip
    /// with the headers known. The error says which option is out of range, or that the client holds too much.
    fn create_new_block(&self, options: BlockCreateOptions, cooldown: bool) -> Result<Option<Arc<dyn BlockTemplate>>>;

    /// Validates a block on top of the tip without keeping it.
    fn check_block(&self, block: Block, options: BlockCheckOptions) -> Result<BlockCheck>;

    /// Ends one wait of this object.
    fn interrupt(&self) -> Result<()>;

    /// Takes a complete block. It counts as accepted only if it is new and was found valid.
    fn submit_block(&self, block: Block) -> Result<BlockCheck>;

    /// Returns transactions of the mempool by id, in the order asked for.
    fn transactions_by_txid(&self, txids: Vec<Txid>) -> Result<Vec<Option<Transaction>>>;

    /// Returns transactions of the mempool by the hash that includes their witnesses, in the order asked for.
    fn transactions_by_wtxid(&self, wtxids: Vec<Wtxid>) -> Result<Vec<Option<Transaction>>>;
}

/// A block to be completed by a miner. Stays as it is, whatever happens to chain and mempool, until dropped.
///
/// Implemented by the node; called by mining software from any of its threads.
pub trait BlockTemplate: Send + Sync {
    /// Returns the header; its merkle root is that of [`BlockTemplate::block`] once a solution was submitted.
    fn block_header(&self) -> Result<Header>;

    /// Returns the block; its coinbase is a placeholder until a solution is submitted.
    fn block(&self) -> Result<Block>;

    /// Returns the fee of each transaction, without the coinbase.
    fn tx_fees(&self) -> Result<Vec<SignedAmount>>;

    /// Returns the signature operations of each transaction as the block limit counts them, without the coinbase.
    fn tx_sigops(&self) -> Result<Vec<i64>>;

    /// Returns what the coinbase must have.
    fn coinbase_tx(&self) -> Result<CoinbaseTx>;

    /// Returns the hashes that lead from the coinbase to the merkle root, deepest first.
    fn coinbase_merkle_path(&self) -> Result<Vec<TxMerkleNode>>;

    /// Puts coinbase and header fields into the block, valid or not, and hands it in. Returns whether it was taken or
    /// known; `false` without a coinbase.
    fn submit_solution(&self, version: u32, timestamp: u32, nonce: u32, coinbase: Option<Transaction>) -> Result<bool>;

    /// Waits for a better template: on another tip, or with fees higher by a threshold. `None` when time is up, at
    /// [`BlockTemplate::interrupt_wait`], and when the node shuts down.
    fn wait_next(&self, options: BlockWaitOptions) -> Result<Option<Arc<dyn BlockTemplate>>>;

    /// Ends one wait of this object.
    fn interrupt_wait(&self) -> Result<()>;
}

/// A block at the tip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TipRef {
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: i32,
}

/// What validation said of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockCheck {
    /// It is good.
    pub result: bool,
    /// Why it is not, as BIP22 words it.
    pub reason: String,
    /// More for logs.
    pub debug: String,
}

/// What a template is to be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockCreateOptions {
    /// Take transactions from the mempool.
    pub use_mempool: bool,
    /// Weight kept free for header, transaction count and coinbase.
    pub block_reserved_weight: u64,
    /// Signature operations kept free for the outputs of the coinbase.
    pub coinbase_output_max_additional_sigops: u64,
}

impl Default for BlockCreateOptions {
    fn default() -> Self {
        BlockCreateOptions {
            use_mempool: true,
            block_reserved_weight: 8000,
            coinbase_output_max_additional_sigops: 400,
        }
    }
}

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockWaitOptions {
    /// Milliseconds to wait at most; `f64::MAX` is for ever.
    pub timeout: f64,
    /// How much higher fees must be; from [`Amount::MAX_MONEY`] on, only another tip counts.
    pub fee_threshold: SignedAmount,
}

impl Default for BlockWaitOptions {
    fn default() -> Self {
        BlockWaitOptions { timeout: f64::MAX, fee_threshold: SignedAmount::MAX_MONEY }
    }
}

/// What to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockCheckOptions {
    /// The merkle root is that of the transactions.
    pub check_merkle_root: bool,
    /// There is proof of work.
    pub check_pow: bool,
}

impl Default for BlockCheckOptions {
    fn default() -> Self {
        BlockCheckOptions { check_merkle_root: true, check_pow: true }
    }
}

/// What a template's coinbase must have; the miner adds outputs and may add to the script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoinbaseTx {
    /// Version.
    pub version: u32,
    /// Sequence number of the input.
    pub sequence: u32,
    /// Start of the input's script: the height (BIP34).
    pub script_sig_prefix: ScriptBuf,
    /// The only element of the input's witness, if there is one (BIP141).
    pub witness: Option<Vec<u8>>,
    /// What the miner's own outputs may pay.
    pub block_reward_remaining: Amount,
    /// Last outputs: the commitment to the witnesses.
    pub required_outputs: Vec<TxOut>,
    /// Lock time.
    pub lock_time: u32,
}
