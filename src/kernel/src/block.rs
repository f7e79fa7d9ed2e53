//! Blocks on their way in: validation, and an operator's word over it.

use bitcoin::block::Header;
use bitcoin::consensus::encode::serialize;
use bitcoin::hashes::Hash;
use bitcoin::{Block, BlockHash};

use crate::error::op_error;
use crate::events::refuse_in_handler;
use crate::{BlockIndex, Error, Kernel, ffi};

/// What validation said of a block or header.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum BlockVerdict {
    /// It is valid.
    Valid,
    /// It breaks a rule.
    Invalid {
        /// Which kind of rule.
        kind: InvalidKind,
        /// Reject reason, such as `high-hash`.
        reason: String,
        /// More for logs; may be empty.
        debug: String,
    },
    /// Validation itself failed, for want of disk space for example.
    Failed {
        /// What failed.
        reason: String,
    },
}

impl BlockVerdict {
    /// Says whether the block is valid.
    pub fn is_valid(&self) -> bool {
        matches!(self, BlockVerdict::Valid)
    }
}

/// Kinds of rules blocks break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InvalidKind {
    /// A consensus rule not named below.
    Consensus,
    /// Known to be invalid from before.
    CachedInvalid,
    /// The header's proof of work or time.
    Header,
    /// The content is not what the header commits to.
    Mutated,
    /// The previous block is unknown.
    MissingPrevious,
    /// The previous block is invalid.
    InvalidPrevious,
    /// Its time is too far ahead.
    TimeFuture,
    /// Its chain has too little work.
    LowWork,
    /// No reason was kept.
    Unset,
}

/// What became of a block that was handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessedBlock {
    /// It was not stored before.
    pub new: bool,
    /// It was stored, or was before; it may be invalid all the same.
    pub accepted: bool,
    /// What validation said, if it came to that; a block with less work than the tip's is stored unchecked.
    pub verdict: Option<BlockVerdict>,
}

/// What became of headers that were handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadersOutcome {
    /// The first refusal, or `Valid`.
    pub verdict: BlockVerdict,
    /// Entry of the last header that was taken.
    pub last: Option<BlockIndex>,
}

impl Kernel {
    /// Hands in a serialized block, as the `submitblock` RPC does: adds the coinbase witness a miner may leave out,
    /// takes the block unasked. Returns when the chain with the most work is active. Unparsable bytes are
    /// [`Error::Decode`].
    pub fn submit_block(&self, block: &[u8]) -> Result<ProcessedBlock, Error> {
        self.process(block, true, true, true)
    }

    /// Hands in a serialized block as it is. `force` takes blocks nobody asked for; `min_pow_checked` says that the
    /// caller made sure of the header chain's work.
    pub fn process_block(&self, block: &[u8], force: bool, min_pow_checked: bool) -> Result<ProcessedBlock, Error> {
        self.process(block, false, force, min_pow_checked)
    }

    /// Hands in headers, each the child of the one before.
    pub fn process_headers(&self, headers: &[Header], min_pow_checked: bool) -> Result<HeadersOutcome, Error> {
        refuse_in_handler()?;
        let bytes: Vec<u8> = headers.iter().flat_map(serialize).collect();
        let outcome = self.call(|engine| engine.process_headers(&bytes, min_pow_checked))?;
        Ok(HeadersOutcome { verdict: (&outcome.verdict).into(), last: outcome.last.into_option() })
    }

    /// Validates a block on top of the tip without keeping it. A block on another one is refused with
    /// `inconclusive-not-best-prevblk`.
    pub fn test_block_validity(
        &self,
        block: &Block,
        check_pow: bool,
        check_merkle_root: bool,
    ) -> Result<BlockVerdict, Error> {
        let bytes = serialize(block);
        let verdict = self.call(|engine| engine.test_block_validity(&bytes, check_pow, check_merkle_root))?;
        Ok((&verdict).into())
    }

    /// Marks a block invalid, takes it and its descendants off the chain and connects the best of what is left.
    pub fn invalidate_block(&self, hash: &BlockHash) -> Result<(), Error> {
        refuse_in_handler()?;
        let result = self.call(|engine| engine.invalidate_block(hash.as_byte_array()))?;
        op_error(result.status, hash, result.message)
    }

    /// Takes the mark off a block, its ancestors and descendants and connects what has the most work.
    pub fn reconsider_block(&self, hash: &BlockHash) -> Result<(), Error> {
        refuse_in_handler()?;
        let result = self.call(|engine| engine.reconsider_block(hash.as_byte_array()))?;
        op_error(result.status, hash, result.message)
    }

    /// Prefers a block over others with the same work.
    pub fn precious_block(&self, hash: &BlockHash) -> Result<(), Error> {
        refuse_in_handler()?;
        let result = self.call(|engine| engine.precious_block(hash.as_byte_array()))?;
        op_error(result.status, hash, result.message)
    }

    /// Deletes block files below `height`. Needs [`Options::prune`](crate::Options::prune).
    pub fn prune_to(&self, height: u32) -> Result<(), Error> {
        let result = self.call(|engine| engine.prune_to(height))?;
        op_error(result.status, &BlockHash::all_zeros(), result.message)
    }

    fn process(
        &self,
        block: &[u8],
        fill_witness: bool,
        force: bool,
        min_pow_checked: bool,
    ) -> Result<ProcessedBlock, Error> {
        refuse_in_handler()?;
        let result = self.call(|engine| engine.process_block(block, fill_witness, force, min_pow_checked))?;
        op_error(result.status, &BlockHash::all_zeros(), result.message)?;
        Ok(ProcessedBlock {
            new: result.new_block,
            accepted: result.accepted,
            verdict: result.checked.then(|| (&result.verdict).into()),
        })
    }
}

impl From<&ffi::VerdictEntry> for BlockVerdict {
    fn from(entry: &ffi::VerdictEntry) -> BlockVerdict {
        match entry.mode {
            0 => BlockVerdict::Valid,
            1 => BlockVerdict::Invalid {
                kind: match entry.kind {
                    1 => InvalidKind::Consensus,
                    2 => InvalidKind::CachedInvalid,
                    3 => InvalidKind::Header,
                    4 => InvalidKind::Mutated,
                    5 => InvalidKind::MissingPrevious,
                    6 => InvalidKind::InvalidPrevious,
                    7 => InvalidKind::TimeFuture,
                    8 => InvalidKind::LowWork,
                    _ => InvalidKind::Unset,
                },
                reason: entry.reason.clone(),
                debug: entry.debug.clone(),
            },
            _ => BlockVerdict::Failed { reason: entry.reason.clone() },
        }
    }
}
