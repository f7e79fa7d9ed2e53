//! Questions about the block tree and the active chain.

use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::{Block, BlockHash, CompactTarget, TxMerkleNode, Work};

use crate::error::op_error;
use crate::{Coin, Error, Kernel, ffi};

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

impl Kernel {
    /// Returns the tip of the active chain. [`Error::NoTip`] before the genesis block is connected.
    pub fn tip(&self) -> Result<BlockIndex, Error> {
        self.call(|engine| engine.tip())?.into_option().ok_or(Error::NoTip)
    }

    /// Returns the entry with this hash, on the active chain or not.
    pub fn block_index(&self, hash: &BlockHash) -> Result<Option<BlockIndex>, Error> {
        Ok(self.call(|engine| engine.entry(hash.as_byte_array()))?.into_option())
    }

    /// Returns the active chain's entry at `height`; `None` above the tip.
    pub fn block_index_at(&self, height: u32) -> Result<Option<BlockIndex>, Error> {
        Ok(self.call(|engine| engine.entry_at(height))?.into_option())
    }

    /// Returns up to `count` entries of the active chain from `start` up.
    pub fn block_indexes(&self, start: u32, count: u32) -> Result<Vec<BlockIndex>, Error> {
        Ok(self.call(|engine| engine.entries(start, count))?.iter().map(BlockIndex::from).collect())
    }

    /// Returns the active chain's hash at `height`; `None` above the tip.
    pub fn hash_at(&self, height: u32) -> Result<Option<BlockHash>, Error> {
        let hash = self.call(|engine| engine.hash_at(height))?;
        Ok(hash.found.then(|| BlockHash::from_byte_array(hash.bytes)))
    }

    /// Returns the ancestor of a block at `height`; `None` if the block is unknown or not that high.
    pub fn ancestor(&self, hash: &BlockHash, height: u32) -> Result<Option<BlockIndex>, Error> {
        Ok(self.call(|engine| engine.ancestor(hash.as_byte_array(), height))?.into_option())
    }

    /// Returns the known header with the most work that is not known to be invalid.
    pub fn best_header(&self) -> Result<Option<BlockIndex>, Error> {
        Ok(self.call(|engine| engine.best_header())?.into_option())
    }

    /// Returns the ends of all branches, highest first.
    pub fn chain_tips(&self) -> Result<Vec<ChainTip>, Error> {
        Ok(self.call(|engine| engine.chain_tips())?.iter().map(ChainTip::from).collect())
    }

    /// Returns the state of the chain, all of one moment.
    pub fn chain_info(&self) -> Result<ChainInfo, Error> {
        let info = self.call(|engine| engine.chain_info())?;
        let best_header = info.best_header.into_option();
        Ok(ChainInfo {
            tip: info.tip.into_option().ok_or(Error::NoTip)?,
            headers: best_header.as_ref().map_or(-1, |header| i64::from(header.height)),
            best_header: best_header.map(|header| header.hash),
            verification_progress: info.verification_progress,
            initial_block_download: info.initial_block_download,
            size_on_disk: info.size_on_disk,
            importing: info.importing,
            prune: info.prune_mode.then_some(PruneInfo {
                first_stored_height: info.first_stored_height,
                target_size: (!info.prune_manual).then_some(info.prune_target),
                have_pruned: info.have_pruned,
            }),
        })
    }

    /// Says whether the node still catches up with the network. Takes no lock.
    pub fn is_initial_block_download(&self) -> Result<bool, Error> {
        self.call(|engine| engine.initial_block_download())
    }

    /// Returns the estimated share of the chain that is verified at a block, 0 to 1.
    pub fn verification_progress(&self, hash: &BlockHash) -> Result<f64, Error> {
        let progress = self.call(|engine| engine.verification_progress(hash.as_byte_array()))?;
        if progress < 0.0 { Err(Error::BlockNotFound(*hash)) } else { Ok(progress) }
    }

    /// Returns the state of rule changes as of a block; of the tip if `None`.
    pub fn deployments(&self, hash: Option<&BlockHash>) -> Result<Deployments, Error> {
        let entry = match hash {
            Some(hash) => self.call(|engine| engine.deployments(false, hash.as_byte_array()))?,
            None => self.call(|engine| engine.deployments(true, &[0; 32]))?,
        };
        if !entry.found {
            return Err(hash.map_or(Error::NoTip, |hash| Error::BlockNotFound(*hash)));
        }
        Ok(Deployments {
            hash: BlockHash::from_byte_array(entry.hash),
            height: entry.height,
            deployments: entry.deployments.into_iter().map(Deployment::from).collect(),
            script_flags: entry.script_flags,
        })
    }

    /// Returns the locator of the tip: hashes backwards, exponentially spaced, down to genesis.
    pub fn locator(&self) -> Result<Vec<BlockHash>, Error> {
        let hashes = self.call(|engine| engine.locator())?;
        Ok(hashes.iter().map(|hash| BlockHash::from_byte_array(hash.bytes)).collect())
    }

    /// Returns the first block of `locator` that is on the active chain; `None` if none is.
    pub fn find_fork(&self, locator: &[BlockHash]) -> Result<Option<BlockIndex>, Error> {
        let hashes: Vec<ffi::Hash> = locator.iter().map(|hash| ffi::Hash { bytes: hash.to_byte_array() }).collect();
        Ok(self.call(|engine| engine.find_fork(&hashes))?.into_option())
    }

    /// Returns the first block of the active chain at or above `min_height` whose [`BlockIndex::max_time`] is at least
    /// `min_time`.
    pub fn find_first_block(&self, min_time: i64, min_height: u32) -> Result<Option<BlockIndex>, Error> {
        Ok(self.call(|engine| engine.find_first_block(min_time, min_height))?.into_option())
    }

    /// Says whether every block from `min_height` to `max_height` (that of `last` if `None`) is on disk, going back from
    /// `last`.
    pub fn has_blocks(&self, last: &BlockHash, min_height: u32, max_height: Option<u32>) -> Result<bool, Error> {
        let max_height = max_height.map_or(-1, i64::from);
        self.call(|engine| engine.has_blocks(last.as_byte_array(), min_height, max_height))
    }

    /// Reads a block from disk, serialized. Errors say why it is not there.
    pub fn read_block(&self, hash: &BlockHash) -> Result<Vec<u8>, Error> {
        let read = self.call(|engine| engine.read_block(hash.as_byte_array()))?;
        op_error(read.status, hash, read.message)?;
        Ok(read.data)
    }

    /// Reads a block from disk.
    pub fn block(&self, hash: &BlockHash) -> Result<Block, Error> {
        let raw = self.read_block(hash)?;
        bitcoin::consensus::deserialize(&raw).map_err(|error| Error::BlockUnreadable(*hash, error.to_string()))
    }

    /// Reads up to `count` blocks of the active chain from height `start` up, serialized. Ends early at the tip or
    /// before a block that cannot be read; the caller tells which by asking for that one.
    pub fn read_blocks(&self, start: u32, count: u32) -> Result<Vec<(BlockIndex, Vec<u8>)>, Error> {
        let blocks = self.call(|engine| engine.read_blocks(start, count))?;
        Ok(blocks.into_iter().map(|block| (BlockIndex::from(&block.index), block.data)).collect())
    }

    /// Reads the coins a block spent: a list for every transaction but the coinbase, an entry for every input, in
    /// order. Empty for the genesis block.
    pub fn read_undo(&self, hash: &BlockHash) -> Result<Vec<Vec<Coin>>, Error> {
        let read = self.call(|engine| engine.read_undo(hash.as_byte_array()))?;
        op_error(read.status, hash, read.message)?;
        let mut coins = read.coins.into_iter().filter_map(Coin::from_entry);
        Ok(read.counts.iter().map(|count| coins.by_ref().take(*count as usize).collect()).collect())
    }
}

impl ffi::IndexEntry {
    /// Returns the entry unless it says that there is none.
    pub(crate) fn into_option(self) -> Option<BlockIndex> {
        self.found.then(|| BlockIndex::from(&self))
    }
}

impl From<&ffi::IndexEntry> for BlockIndex {
    fn from(entry: &ffi::IndexEntry) -> BlockIndex {
        BlockIndex {
            hash: BlockHash::from_byte_array(entry.hash),
            height: entry.height,
            header: Header {
                version: Version::from_consensus(entry.version),
                prev_blockhash: BlockHash::from_byte_array(entry.previous),
                merkle_root: TxMerkleNode::from_byte_array(entry.merkle_root),
                time: entry.time,
                bits: CompactTarget::from_consensus(entry.bits),
                nonce: entry.nonce,
            },
            median_time: entry.median_time,
            max_time: entry.max_time,
            chainwork: Work::from_be_bytes(entry.chainwork),
            n_tx: entry.n_tx,
            chain_tx_count: entry.chain_tx_count,
            status: BlockStatus {
                validity: match entry.validity {
                    5.. => Validity::Scripts,
                    4 => Validity::Chain,
                    3 => Validity::Transactions,
                    2 => Validity::Tree,
                    _ => Validity::Unknown,
                },
                have_data: entry.have_data,
                have_undo: entry.have_undo,
                failed: entry.failed,
            },
            active: entry.active,
            confirmations: entry.confirmations,
            next: entry.has_next.then(|| BlockHash::from_byte_array(entry.next)),
        }
    }
}

impl From<&ffi::TipEntry> for ChainTip {
    fn from(entry: &ffi::TipEntry) -> ChainTip {
        ChainTip {
            height: entry.height,
            hash: BlockHash::from_byte_array(entry.hash),
            branch_length: entry.branch_length,
            status: match entry.status {
                0 => ChainTipStatus::Active,
                1 => ChainTipStatus::Invalid,
                2 => ChainTipStatus::HeadersOnly,
                3 => ChainTipStatus::ValidFork,
                4 => ChainTipStatus::ValidHeaders,
                _ => ChainTipStatus::Unknown,
            },
        }
    }
}

impl From<ffi::DeploymentEntry> for Deployment {
    fn from(entry: ffi::DeploymentEntry) -> Deployment {
        let statistics = entry.has_statistics.then_some(SignalStatistics {
            period: entry.period,
            threshold: entry.threshold,
            elapsed: entry.elapsed,
            count: entry.count,
            possible: entry.possible,
        });
        Deployment {
            name: entry.name,
            active: entry.active,
            height: entry.has_height.then_some(entry.height),
            signalling: entry.signalled.then_some(Signalling {
                bit: entry.has_statistics.then_some(entry.bit),
                start_time: entry.start_time,
                timeout: entry.timeout,
                min_activation_height: entry.min_activation_height,
                status: entry.status,
                since: entry.since,
                status_next: entry.status_next,
                statistics,
                signals: entry.has_statistics.then_some(entry.signals),
            }),
        }
    }
}
