//! What the engine says of blocks and chains, as plain data.

use bitcoin::block::Header;
use bitcoin::{BlockHash, Work};

/// An entry of the block index: a header and what is known of its block. A copy; it does not change with the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockIndex {
    /// Hash of the header.
    pub hash: BlockHash,
    /// Distance from the genesis block.
    pub height: u32,
    /// The header.
    pub header: Header,
    /// Median time past of the block itself (BIP113), Unix seconds.
    pub median_time: i64,
    /// Latest header time among the block and its ancestors, Unix seconds.
    pub max_time: i64,
    /// Work of the chain up to and including this block.
    pub chainwork: Work,
    /// Transactions of the block; 0 if it was never here.
    pub n_tx: u32,
    /// Transactions of the chain up to here; 0 if some block was never here.
    pub chain_tx_count: u64,
    /// What is known of the block.
    pub status: BlockStatus,
    /// On the active chain.
    pub active: bool,
    /// Number of blocks of the active chain from this one on, itself included; 0 if it is not on it.
    pub confirmations: u32,
    /// The next block of the active chain, if this one is on it and is not the tip.
    pub next: Option<BlockHash>,
}

impl BlockIndex {
    /// Returns the previous block's hash; `None` for the genesis block.
    pub fn previous(&self) -> Option<BlockHash> {
        (self.height > 0).then_some(self.header.prev_blockhash)
    }

    /// Returns the header time, Unix seconds.
    pub fn time(&self) -> i64 {
        i64::from(self.header.time)
    }

    /// Returns the chain's work as 64 hexadecimal digits, as RPC prints it.
    pub fn chainwork_hex(&self) -> String {
        format!("{:064x}", self.chainwork)
    }
}

/// What is known of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockStatus {
    /// How far it was validated.
    pub validity: Validity,
    /// The block is on disk.
    pub have_data: bool,
    /// Its undo data is on disk.
    pub have_undo: bool,
    /// It, or a block below it, is invalid.
    pub failed: bool,
}

/// How far a block was validated; each step implies the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Validity {
    /// Nothing.
    Unknown,
    /// The header connects to a known one.
    Tree,
    /// The transactions are well formed.
    Transactions,
    /// The spent coins exist and amounts add up.
    Chain,
    /// The scripts are satisfied.
    Scripts,
}

/// End of a branch of the block tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainTip {
    /// Its height.
    pub height: u32,
    /// Its hash.
    pub hash: BlockHash,
    /// Blocks between it and the active chain.
    pub branch_length: u32,
    /// What is known of the branch.
    pub status: ChainTipStatus,
}

/// What is known of a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChainTipStatus {
    /// The active chain.
    Active,
    /// It has an invalid block.
    Invalid,
    /// Blocks are missing.
    HeadersOnly,
    /// Fully validated once.
    ValidFork,
    /// All blocks are here, never validated.
    ValidHeaders,
    /// None of these.
    Unknown,
}

impl ChainTipStatus {
    /// Returns the word `getchaintips` uses.
    pub fn name(self) -> &'static str {
        match self {
            ChainTipStatus::Active => "active",
            ChainTipStatus::Invalid => "invalid",
            ChainTipStatus::HeadersOnly => "headers-only",
            ChainTipStatus::ValidFork => "valid-fork",
            ChainTipStatus::ValidHeaders => "valid-headers",
            ChainTipStatus::Unknown => "unknown",
        }
    }
}

/// State of the chain at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct ChainInfo {
    /// Tip of the active chain.
    pub tip: BlockIndex,
    /// Height of the best known header; -1 if there is none.
    pub headers: i64,
    /// Hash of the best known header.
    pub best_header: Option<BlockHash>,
    /// Estimated share of the chain that is verified, 0 to 1.
    pub verification_progress: f64,
    /// Still catching up with the network.
    pub initial_block_download: bool,
    /// Bytes of block and undo files.
    pub size_on_disk: u64,
    /// Block files are being read in (`-reindex`, `-loadblock`).
    pub importing: bool,
    /// Entries of the block index, all branches and headers without blocks included.
    pub block_index_size: u64,
    /// Bytes of memory the coins database may take.
    pub coins_db_cache: u64,
    /// Bytes of memory coins that are not written yet may take.
    pub coins_cache: u64,
    /// Pruning, if it is on.
    pub prune: Option<PruneInfo>,
}

/// State of pruning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneInfo {
    /// Lowest height from which on every block is on disk.
    pub first_stored_height: u32,
    /// Bytes to stay under; `None` if pruning is on demand only.
    pub target_size: Option<u64>,
    /// Something was ever pruned.
    pub have_pruned: bool,
}

/// State of rule changes as of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployments {
    /// The block.
    pub hash: BlockHash,
    /// Its height.
    pub height: u32,
    /// Each rule change, in the order RPC lists them.
    pub deployments: Vec<Deployment>,
    /// Names of the script flags in force for the block, sorted; `NONE` alone if there are none.
    pub script_flags: Vec<String>,
}

/// A rule change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its name, such as `segwit`.
    pub name: String,
    /// The next block has to follow it.
    pub active: bool,
    /// Height of activation: fixed for a buried one, reached or foreseeable for a signalled one.
    pub height: Option<i64>,
    /// How miners signal it; `None` if its height is fixed ("buried").
    pub signalling: Option<Signalling>,
}

/// A rule change miners signal (BIP9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signalling {
    /// Bit of the block version, while signalling applies.
    pub bit: Option<u32>,
    /// Start, Unix seconds, or a special value.
    pub start_time: i64,
    /// End, Unix seconds.
    pub timeout: i64,
    /// Lowest height of activation.
    pub min_activation_height: i64,
    /// State at the block: `defined`, `started`, `locked_in`, `active`, `failed`.
    pub status: String,
    /// Height since when it is in that state.
    pub since: i64,
    /// State at the next block.
    pub status_next: String,
    /// Counts of the current period, while signalling applies.
    pub statistics: Option<SignalStatistics>,
    /// One character a block of the period: `#` signalled, `-` did not. While signalling applies.
    pub signals: Option<String>,
}

/// Counts of a signalling period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalStatistics {
    /// Blocks of a period.
    pub period: u32,
    /// Blocks that have to signal; 0 once locked in.
    pub threshold: u32,
    /// Blocks of the period so far.
    pub elapsed: u32,
    /// Blocks that signalled so far.
    pub count: u32,
    /// The threshold can still be reached.
    pub possible: bool,
}
