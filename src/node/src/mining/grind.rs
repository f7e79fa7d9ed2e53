//! Proof of work by trying nonces, for chains where that takes moments.

use bitcoin::{Block, Target};

/// Nonces tried unless the caller says otherwise.
pub const DEFAULT_MAX_TRIES: u64 = 1_000_000;

/// How trying ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// The block has proof of work.
    Found,
    /// All tries are used up, or the program ends.
    GaveUp,
    /// No nonce is left; another block may do.
    NoNonce,
}

/// Tries nonces until the block's hash meets its target. Takes what it used off `tries`.
pub fn grind(block: &mut Block, tries: &mut u64, stopping: impl Fn() -> bool) -> Ground {
    let target = Target::from_compact(block.header.bits);
    loop {
        if *tries == 0 || stopping() {
            return Ground::GaveUp;
        }
        if block.header.nonce == u32::MAX {
            return Ground::NoNonce;
        }
        if target.is_met_by(block.block_hash()) {
            return Ground::Found;
        }
        block.header.nonce += 1;
        *tries -= 1;
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::{CompactTarget, Network};

    use super::*;

    #[test]
    fn ends_as_it_must() {
        let check = |bits: u32, nonce: u32, mut tries: u64, stopping: bool, expected: Ground| {
            let mut block = bitcoin::constants::genesis_block(Network::Regtest);
            block.header.bits = CompactTarget::from_consensus(bits);
            block.header.nonce = nonce;
            assert_eq!(grind(&mut block, &mut tries, || stopping), expected);
            if expected == Ground::Found {
                assert!(Target::from_compact(block.header.bits).is_met_by(block.block_hash()));
            }
        };
        const EASY: u32 = 0x207f_ffff;
        const HARD: u32 = 0x1700_0001;
        check(EASY, 0, 1000, false, Ground::Found);
        check(EASY, 0, 0, false, Ground::GaveUp);
        check(EASY, 0, 1000, true, Ground::GaveUp);
        check(HARD, 0, 100, false, Ground::GaveUp);
        check(HARD, u32::MAX - 1, 100, false, Ground::NoNonce);
    }
}
