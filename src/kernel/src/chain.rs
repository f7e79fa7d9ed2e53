//! Questions about the block tree and the active chain.

mod convert;
mod types;

use bitcoin::hashes::Hash;
use bitcoin::{Block, BlockHash};

pub use self::types::{
    BlockIndex, BlockStatus, ChainInfo, ChainTip, ChainTipStatus, Deployment, Deployments, PruneInfo, SignalStatistics,
    Signalling, Validity,
};
use crate::error::op_error;
use crate::{Coin, Error, Kernel, ffi};

impl Kernel {
    /// Calls `run`, in which questions about the chain wait for nobody; does not call it if there is somebody to wait for.
    /// Everybody else waits until `run` returns, so it is to be short.
    pub fn at_rest(&self, run: impl FnOnce()) {
        if let Ok(rest) = self.call(|engine| engine.at_rest())
            && !rest.is_null()
        {
            run();
        }
    }

    /// Returns the tip of the active chain. [`Error::NoTip`] before the genesis block is connected.
    pub fn tip(&self) -> Result<BlockIndex, Error> {
        self.call(|engine| engine.tip())?.into_option().ok_or(Error::NoTip)
    }

    /// Returns the hash of the tip that validation reached last, without waiting for validation that goes on. Whoever
    /// moved the tip and has returned moved it to this one or an earlier one. `None` before there is one.
    pub fn latest_tip(&self) -> Option<BlockHash> {
        let latest = self.call(|engine| engine.latest_tip()).ok()?;
        latest.found.then(|| BlockHash::from_byte_array(latest.bytes))
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
            block_index_size: info.block_index_size,
            coins_db_cache: info.coins_db_cache,
            coins_cache: info.coins_cache,
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
