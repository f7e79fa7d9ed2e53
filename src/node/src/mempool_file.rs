//! `mempool.dat` in Bitcoin Core's format: the transactions of the mempool with the time they arrived, fee deltas set by
//! the user, and what was not announced to any peer yet. Separate from loading and dumping, so that the format can be
//! tested without an engine.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::consensus::encode::{Decodable, Encodable, VarInt};
use bitcoin::io::{Cursor, Read};
use bitcoin::{Transaction, Txid};

/// Version without obfuscation (`-persistmempoolv1`).
const VERSION_PLAIN: u64 = 1;
/// Version whose content is XORed with a key from the file's head.
const VERSION_OBFUSCATED: u64 = 2;
/// Bytes of the obfuscation key.
const KEY_SIZE: usize = 8;
/// Least bytes of an entry: bounds what a damaged count can make us allocate.
const MIN_ENTRY_SIZE: usize = 60 + 8 + 8;

/// What the file holds.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct MempoolFile {
    /// Transactions, parents first.
    pub entries: Vec<Entry>,
    /// Fee deltas of transactions that are not in the mempool, in satoshi.
    pub deltas: BTreeMap<Txid, i64>,
    /// Transactions not announced yet.
    pub unbroadcast: BTreeSet<Txid>,
}

/// One transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The transaction.
    pub transaction: Transaction,
    /// When it entered the mempool, Unix seconds.
    pub time: i64,
    /// The user's fee delta in satoshi.
    pub fee_delta: i64,
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Written by another program or a later version.
    #[error("unknown version {0}")]
    Version(u64),
    /// Cut off or damaged.
    #[error("{0}")]
    Content(#[from] bitcoin::consensus::encode::Error),
    /// Cut off or damaged.
    #[error("{0}")]
    Read(#[from] bitcoin::io::Error),
}

impl MempoolFile {
    /// Returns the file's bytes, obfuscated with `key` if there is one.
    pub fn encode(&self, key: Option<[u8; KEY_SIZE]>) -> Vec<u8> {
        let mut out = Vec::new();
        let mut put = |value: &dyn PutInto| value.put(&mut out);
        put(&if key.is_some() { VERSION_OBFUSCATED } else { VERSION_PLAIN });
        if let Some(key) = &key {
            put(&key.to_vec());
        }
        put(&(self.entries.len() as u64));
        for Entry { transaction, time, fee_delta } in &self.entries {
            put(transaction);
            put(time);
            put(fee_delta);
        }
        put(&VarInt::from(self.deltas.len()));
        for (txid, delta) in &self.deltas {
            put(txid);
            put(delta);
        }
        put(&VarInt::from(self.unbroadcast.len()));
        for txid in &self.unbroadcast {
            put(txid);
        }
        if let Some(key) = key {
            obfuscate(&mut out, key, 8 + 1 + KEY_SIZE);
        }
        out
    }

    /// Reads a file's bytes.
    pub fn decode(mut bytes: Vec<u8>) -> Result<Self, Error> {
        let mut cursor = Cursor::new(&bytes[..]);
        let version = u64::consensus_decode(&mut cursor)?;
        match version {
            VERSION_PLAIN => {}
            VERSION_OBFUSCATED => {
                let length = VarInt::consensus_decode(&mut cursor)?;
                let mut key = [0; KEY_SIZE];
                if length.0 != KEY_SIZE as u64 {
                    return Err(Error::Version(version));
                }
                cursor.read_exact(&mut key)?;
                obfuscate(&mut bytes, key, 8 + 1 + KEY_SIZE);
            }
            other => return Err(Error::Version(other)),
        }
        let start = if version == VERSION_PLAIN { 8 } else { 8 + 1 + KEY_SIZE };
        let mut cursor = Cursor::new(bytes.get(start..).unwrap_or_default());
        let count = u64::consensus_decode(&mut cursor)?;
        let most = (bytes.len() / MIN_ENTRY_SIZE) as u64;
        let mut file = MempoolFile { entries: Vec::with_capacity(count.min(most) as usize), ..MempoolFile::default() };
        for _ in 0..count {
            file.entries.push(Entry {
                transaction: Transaction::consensus_decode(&mut cursor)?,
                time: i64::consensus_decode(&mut cursor)?,
                fee_delta: i64::consensus_decode(&mut cursor)?,
            });
        }
        for _ in 0..VarInt::consensus_decode(&mut cursor)?.0 {
            file.deltas.insert(Txid::consensus_decode(&mut cursor)?, i64::consensus_decode(&mut cursor)?);
        }
        for _ in 0..VarInt::consensus_decode(&mut cursor)?.0 {
            file.unbroadcast.insert(Txid::consensus_decode(&mut cursor)?);
        }
        Ok(file)
    }
}

/// XORs everything from `start` on; the key is aligned to the file's first byte.
fn obfuscate(bytes: &mut [u8], key: [u8; KEY_SIZE], start: usize) {
    for (position, byte) in bytes.iter_mut().enumerate().skip(start) {
        *byte ^= key[position % KEY_SIZE];
    }
}

/// Object-safe encoding into memory, which cannot fail.
trait PutInto {
    fn put(&self, out: &mut Vec<u8>);
}

impl<T: Encodable> PutInto for T {
    fn put(&self, out: &mut Vec<u8>) {
        self.consensus_encode(out).expect("writing to memory cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::hashes::Hash;
    use bitcoin::{Amount, OutPoint, ScriptBuf, TxIn, TxOut, absolute, transaction};

    use super::*;

    fn example() -> MempoolFile {
        let transaction = Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: vec![TxIn {
                previous_output: OutPoint { txid: Txid::from_byte_array([7; 32]), vout: 1 },
                witness: vec![vec![1, 2, 3]].into(),
                ..TxIn::default()
            }],
            output: vec![TxOut { value: Amount::from_sat(5), script_pubkey: ScriptBuf::from_bytes(vec![0x51]) }],
        };
        let txid = transaction.compute_txid();
        MempoolFile {
            entries: vec![Entry { transaction, time: 1_700_000_000, fee_delta: -5 }],
            deltas: BTreeMap::from([(Txid::from_byte_array([1; 32]), 1000)]),
            unbroadcast: BTreeSet::from([txid]),
        }
    }

    #[test]
    fn round_trip_plain_and_obfuscated() {
        for key in [None, Some([1, 2, 3, 4, 5, 6, 7, 8])] {
            let bytes = example().encode(key);
            assert_eq!(bytes[0], if key.is_some() { 2 } else { 1 });
            assert_eq!(MempoolFile::decode(bytes).expect("own file"), example());
        }
    }

    #[test]
    fn damaged_files_are_refused() {
        let bytes = example().encode(Some([9; 8]));
        for length in 0..bytes.len() {
            assert!(MempoolFile::decode(bytes[..length].to_vec()).is_err(), "cut to {length}");
        }
        assert!(matches!(MempoolFile::decode(vec![3, 0, 0, 0, 0, 0, 0, 0]), Err(Error::Version(3))));
        let mut huge = 1u64.to_le_bytes().to_vec();
        huge.extend(u64::MAX.to_le_bytes());
        assert!(MempoolFile::decode(huge).is_err());
    }
}
