//! Making blocks as clients of Bitcoin Core 30 ask for it. Separate from [`crate::Mining`] because what differs (a
//! coinbase as a whole, no defaults, fewer methods) must not shape what new clients see.

mod over;

use std::sync::Arc;

use bitcoin::block::Header;
use bitcoin::{Block, BlockHash, ScriptBuf, SignedAmount, Transaction, TxMerkleNode};

use crate::{BlockCheck, BlockCheckOptions, BlockCreateOptions, BlockWaitOptions, Result, TipRef};

pub use over::mining_as_v30;

/// [`crate::Mining`] as it was in version 30. Implemented by the node over the present one.
pub trait MiningV30: Send + Sync {
    /// See [`crate::Mining::is_test_chain`].
    fn is_test_chain(&self) -> Result<bool>;

    /// See [`crate::Mining::is_initial_block_download`].
    fn is_initial_block_download(&self) -> Result<bool>;

    /// See [`crate::Mining::tip`].
    fn tip(&self) -> Result<Option<TipRef>>;

    /// See [`crate::Mining::wait_tip_changed`].
    fn wait_tip_changed(&self, current_tip: BlockHash, timeout: f64) -> Result<Option<TipRef>>;

    /// See [`crate::Mining::create_new_block`]; never waits for the node to catch up.
    fn create_new_block(&self, options: BlockCreateOptionsV30) -> Result<Option<Arc<dyn BlockTemplateV30>>>;

    /// See [`crate::Mining::check_block`].
    fn check_block(&self, block: Block, options: BlockCheckOptionsV30) -> Result<BlockCheck>;
}

/// [`crate::BlockTemplate`] as it was in version 30. Implemented by the node over the present one.
pub trait BlockTemplateV30: Send + Sync {
    /// See [`crate::BlockTemplate::block_header`].
    fn block_header(&self) -> Result<Header>;

    /// See [`crate::BlockTemplate::block`].
    fn block(&self) -> Result<Block>;

    /// See [`crate::BlockTemplate::tx_fees`].
    fn tx_fees(&self) -> Result<Vec<SignedAmount>>;

    /// See [`crate::BlockTemplate::tx_sigops`].
    fn tx_sigops(&self) -> Result<Vec<i64>>;

    /// Returns a coinbase that the miner is to change.
    fn coinbase_tx(&self) -> Result<Transaction>;

    /// Returns the script of the output that commits to the witnesses; empty without one.
    fn coinbase_commitment(&self) -> Result<ScriptBuf>;

    /// Returns which output of the coinbase that is; -1 without one.
    fn witness_commitment_index(&self) -> Result<i32>;

    /// See [`crate::BlockTemplate::coinbase_merkle_path`].
    fn coinbase_merkle_path(&self) -> Result<Vec<TxMerkleNode>>;

    /// See [`crate::BlockTemplate::submit_solution`].
    fn submit_solution(&self, version: u32, timestamp: u32, nonce: u32, coinbase: Option<Transaction>) -> Result<bool>;

    /// See [`crate::BlockTemplate::wait_next`].
    fn wait_next(&self, options: BlockWaitOptionsV30) -> Result<Option<Arc<dyn BlockTemplateV30>>>;

    /// See [`crate::BlockTemplate::interrupt_wait`].
    fn interrupt_wait(&self) -> Result<()>;
}

/// [`BlockCreateOptions`] without defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockCreateOptionsV30 {
    /// See [`BlockCreateOptions::use_mempool`].
    pub use_mempool: bool,
    /// See [`BlockCreateOptions::block_reserved_weight`].
    pub block_reserved_weight: u64,
    /// See [`BlockCreateOptions::coinbase_output_max_additional_sigops`].
    pub coinbase_output_max_additional_sigops: u64,
}

impl From<BlockCreateOptionsV30> for BlockCreateOptions {
    fn from(options: BlockCreateOptionsV30) -> Self {
        let BlockCreateOptionsV30 { use_mempool, block_reserved_weight, coinbase_output_max_additional_sigops } =
            options;
        BlockCreateOptions { use_mempool, block_reserved_weight, coinbase_output_max_additional_sigops }
    }
}

/// [`BlockWaitOptions`] without defaults.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockWaitOptionsV30 {
    /// See [`BlockWaitOptions::timeout`].
    pub timeout: f64,
    /// See [`BlockWaitOptions::fee_threshold`].
    pub fee_threshold: SignedAmount,
}

impl From<BlockWaitOptionsV30> for BlockWaitOptions {
    fn from(BlockWaitOptionsV30 { timeout, fee_threshold }: BlockWaitOptionsV30) -> Self {
        BlockWaitOptions { timeout, fee_threshold }
    }
}

/// [`BlockCheckOptions`] without defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockCheckOptionsV30 {
    /// See [`BlockCheckOptions::check_merkle_root`].
    pub check_merkle_root: bool,
    /// See [`BlockCheckOptions::check_pow`].
    pub check_pow: bool,
}

impl From<BlockCheckOptionsV30> for BlockCheckOptions {
    fn from(BlockCheckOptionsV30 { check_merkle_root, check_pow }: BlockCheckOptionsV30) -> Self {
        BlockCheckOptions { check_merkle_root, check_pow }
    }
}
