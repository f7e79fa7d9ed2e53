//! What we know of a peer's chain, and it of ours; and how far the exchange of headers is.

use bitcoin::{BlockHash, Work};
use kernel::{BlockIndex, BlockSpot, Error, Kernel};

use crate::time::Time;

/// A block of the tree and the work of its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub hash: BlockHash,
    pub height: u32,
    pub work: Work,
}

impl From<&BlockIndex> for Known {
    fn from(index: &BlockIndex) -> Known {
        Known { hash: index.hash, height: index.height, work: index.chainwork }
    }
}

/// What each side knows of the other's chain.
#[derive(Debug, Default)]
pub(crate) struct ChainView {
    /// The best block the peer is known to have.
    pub best: Option<Known>,
    /// The last block it named that we do not know.
    pub unknown: Option<BlockHash>,
    /// Where its chain and ours part.
    pub common: Option<BlockSpot>,
    /// The last header we sent it.
    pub sent: Option<Known>,
    /// Blocks to announce with their headers.
    pub to_announce: Vec<BlockHash>,
    /// Blocks to announce by hash.
    pub to_list: Vec<BlockHash>,
    /// The last block of a list it asked for: when it fetches this, it is told that there are more.
    pub continuation: Option<BlockHash>,
    /// It wants new blocks announced by header (BIP130).
    pub wants_headers: bool,
    /// We told it that we do.
    pub told_headers: bool,
}

impl ChainView {
    /// Looks up a block it named, which may be known by now.
    pub(crate) fn resolve(&mut self, kernel: &Kernel) -> Result<(), Error> {
        if let Some(hash) = self.unknown
            && let Some(index) = kernel.block_index(&hash)?
        {
            self.unknown = None;
            self.raise(&index);
        }
        Ok(())
    }

    /// Notes that it has a block.
    pub(crate) fn has(&mut self, kernel: &Kernel, hash: BlockHash) -> Result<(), Error> {
        self.resolve(kernel)?;
        match kernel.block_index(&hash)? {
            Some(index) => self.raise(&index),
            None => self.unknown = Some(hash),
        }
        Ok(())
    }

    fn raise(&mut self, index: &BlockIndex) {
        if self.best.is_none_or(|best| index.chainwork >= best.work) {
            self.best = Some(index.into());
        }
    }

    /// Says whether it knows a header.
    pub(crate) fn knows(&self, kernel: &Kernel, hash: BlockHash, height: u32) -> Result<bool, Error> {
        for known in [self.best, self.sent].into_iter().flatten() {
            if known.height >= height
                && (known.hash == hash
                    || kernel.ancestor(&known.hash, height)?.is_some_and(|ancestor| ancestor.hash == hash))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The first exchange of headers with a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadersSync {
    /// It was not asked.
    NotStarted,
    /// It was asked and has until then to bring us near the present.
    Syncing {
        /// When it is given up.
        deadline: Time,
    },
    /// It is done: what is new comes of itself.
    Done,
}

impl HeadersSync {
    /// Says whether it was asked.
    pub(crate) fn is_started(self) -> bool {
        self != HeadersSync::NotStarted
    }
}

/// Whether an outbound peer keeps up with us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChainSync {
    /// It is one of those that are kept whatever their chain.
    Protected,
    /// It does, as far as we know.
    Level,
    /// It lacks the work of a block that was our tip.
    Behind {
        /// That block.
        target: Known,
        /// When its time is over.
        deadline: Time,
        /// It was asked for its headers once more.
        asked: bool,
    },
}
