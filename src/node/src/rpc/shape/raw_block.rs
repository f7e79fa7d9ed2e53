//! A serialized block, gone through without making anything of its transactions: all that their ids and sizes take.

use bitcoin::hashes::{Hash, HashEngine, sha256d};

/// Bytes of a header.
const HEADER: usize = 80;

/// What there is to know of a block's transactions without looking into them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    /// Ids in order.
    pub txids: Vec<[u8; 32]>,
    /// Bytes of the block without witnesses.
    pub stripped_size: usize,
    /// Where the first transaction begins.
    pub first: usize,
}

/// Goes through a block; `None` if it is none.
pub(crate) fn outline(block: &[u8]) -> Option<Outline> {
    let mut rest = Rest(block.get(HEADER..)?);
    let count = rest.compact_size()?;
    let first = block.len() - rest.0.len();
    // A transaction has at least ten bytes.
    let mut txids = Vec::with_capacity(count.min(block.len() / 10));
    let mut stripped_size = first;
    for _ in 0..count {
        let (txid, stripped) = rest.transaction()?;
        txids.push(txid);
        stripped_size += stripped;
    }
    rest.0.is_empty().then_some(Outline { txids, stripped_size, first })
}

/// What is still to be gone through.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn compact_size(&mut self) -> Option<usize> {
        let first = *self.take(1)?.first()?;
        let width = match first {
            0xfd => 2,
            0xfe => 4,
            0xff => 8,
            small => return Some(usize::from(small)),
        };
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(self.take(width)?);
        usize::try_from(u64::from_le_bytes(bytes)).ok()
    }

    fn skip_bytes(&mut self) -> Option<()> {
        let count = self.compact_size()?;
        self.take(count).map(drop)
    }

    /// Id, and size without witnesses.
    fn transaction(&mut self) -> Option<([u8; 32], usize)> {
        let version = self.take(4)?;
        let has_witness = self.0.starts_with(&[0, 1]);
        if has_witness {
            self.take(2)?;
        }
        let begin = self.0;
        let inputs = self.compact_size()?;
        for _ in 0..inputs {
            self.take(36)?;
            self.skip_bytes()?;
            self.take(4)?;
        }
        for _ in 0..self.compact_size()? {
            self.take(8)?;
            self.skip_bytes()?;
        }
        let middle = begin.get(..begin.len() - self.0.len())?;
        if has_witness {
            for _ in 0..inputs {
                for _ in 0..self.compact_size()? {
                    self.skip_bytes()?;
                }
            }
        }
        let lock_time = self.take(4)?;
        let mut engine = sha256d::Hash::engine();
        for part in [version, middle, lock_time] {
            engine.input(part);
        }
        Some((sha256d::Hash::from_engine(engine).to_byte_array(), version.len() + middle.len() + lock_time.len()))
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::consensus::serialize;
    use bitcoin::constants::genesis_block;
    use bitcoin::{Network, Witness};

    use super::*;

    #[test]
    fn agrees_with_a_block_that_is_decoded() {
        let mut block = genesis_block(Network::Regtest);
        let mut other = block.txdata[0].clone();
        other.input[0].witness = Witness::from_slice(&[vec![7; 300], vec![]]);
        other.input.push(other.input[0].clone());
        other.output.extend(vec![other.output[0].clone(); 300]);
        block.txdata.push(other);
        block.txdata.push(block.txdata[0].clone());
        let raw = serialize(&block);
        let got = outline(&raw).unwrap();
        let expected: Vec<[u8; 32]> = block.txdata.iter().map(|tx| tx.compute_txid().to_byte_array()).collect();
        assert_eq!((got.txids, got.first), (expected, 81));
        let weight = 3 * got.stripped_size + raw.len();
        assert_eq!(weight as u64, block.weight().to_wu());
        for cut in 0..raw.len() {
            assert_eq!(outline(&raw[..cut]), None, "{cut}");
        }
        assert_eq!(outline(&[&raw[..], &[0]].concat()), None);
        assert_eq!(outline(&[0xff; 100]), None);
    }
}
