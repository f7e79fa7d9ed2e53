//! The blocks a peer is asked for.

use std::collections::VecDeque;

use bitcoin::BlockHash;
use kernel::BlockSpot;

use crate::time::Time;

/// Most blocks a peer is asked for at a time.
pub(crate) const MAX_IN_FLIGHT: usize = 16;

/// The blocks a peer is asked for, first asked first.
#[derive(Debug, Default)]
pub(crate) struct Downloads {
    blocks: VecDeque<BlockSpot>,
    since: Time,
    stalling: Option<Time>,
}

impl Downloads {
    /// Returns the blocks.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &BlockSpot> {
        self.blocks.iter()
    }

    /// Says whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Returns how many more it can be asked for.
    pub(crate) fn room(&self) -> usize {
        MAX_IN_FLIGHT.saturating_sub(self.blocks.len())
    }

    /// Returns the block that is awaited first, and since when.
    pub(crate) fn first(&self) -> Option<(BlockSpot, Time)> {
        self.blocks.front().map(|block| (*block, self.since))
    }

    /// Notes that a block is asked for.
    pub(crate) fn add(&mut self, block: BlockSpot, now: Time) {
        if self.blocks.is_empty() {
            self.since = now;
        }
        self.blocks.push_back(block);
    }

    /// Notes that a block is not awaited any more.
    pub(crate) fn remove(&mut self, hash: &BlockHash, now: Time) {
        let Some(at) = self.blocks.iter().position(|block| block.hash == *hash) else { return };
        if at == 0 {
            self.since = self.since.max(now);
        }
        self.blocks.remove(at);
        self.stalling = None;
    }

    /// Returns since when everyone else waits for this peer.
    pub(crate) fn stalling(&self) -> Option<Time> {
        self.stalling
    }

    /// Notes that everyone else waits for this peer. Returns whether that is new.
    pub(crate) fn start_stalling(&mut self, now: Time) -> bool {
        let new = self.stalling.is_none();
        self.stalling.get_or_insert(now);
        new
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bitcoin::hashes::Hash;

    use super::*;

    fn spot(n: u8) -> BlockSpot {
        BlockSpot { hash: BlockHash::from_byte_array([n; 32]), height: n.into() }
    }

    #[test]
    fn the_clock_runs_for_the_first_block() {
        let second = Duration::from_secs;
        let mut downloads = Downloads::default();
        downloads.add(spot(1), second(10));
        downloads.add(spot(2), second(20));
        assert_eq!(downloads.first(), Some((spot(1), second(10))));
        assert!(downloads.start_stalling(second(25)) && !downloads.start_stalling(second(26)));
        downloads.remove(&spot(2).hash, second(30));
        assert_eq!(downloads.first(), Some((spot(1), second(10))));
        assert_eq!(downloads.stalling(), None);
        downloads.add(spot(3), second(35));
        downloads.remove(&spot(1).hash, second(40));
        assert_eq!(downloads.first(), Some((spot(3), second(40))));
        assert_eq!(downloads.room(), MAX_IN_FLIGHT - 1);
    }
}
