//! Reading payloads within bounds, and writing them.
//!
//! **Invariant:** a list is read only after its count was found to be within its bound, and memory is reserved for no
//! more entries than the payload has bytes for.

use bitcoin::VarInt;
use bitcoin::consensus::encode::{Decodable, Encodable};

/// Why a payload cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    /// It is too short, or has a value that means nothing.
    #[error("{0}")]
    Malformed(String),
    /// A list in it has more entries than any may have.
    #[error("{0} entries")]
    TooMany(u64),
}

/// The payload ends too early; reading from memory fails for no other reason.
pub(crate) fn end_of_data() -> WireError {
    // As Core words it, for those who read logs.
    WireError::Malformed("DataStream::read(): end of data: iostream error".to_owned())
}

/// Reads one value off the front.
pub(crate) fn take<T: Decodable>(input: &mut &[u8]) -> Result<T, WireError> {
    T::consensus_decode(input).map_err(|error| match error {
        bitcoin::consensus::encode::Error::Io(_) => end_of_data(),
        other => WireError::Malformed(other.to_string()),
    })
}

/// Reads a count of at most `most` off the front.
pub(crate) fn take_count(input: &mut &[u8], most: usize) -> Result<usize, WireError> {
    let VarInt(count) = take(input)?;
    match usize::try_from(count) {
        Ok(count) if count <= most => Ok(count),
        _ => Err(WireError::TooMany(count)),
    }
}

/// Reads a list of at most `most` values, each of at least `size` bytes.
pub(crate) fn take_list<T: Decodable>(input: &mut &[u8], most: usize, size: usize) -> Result<Vec<T>, WireError> {
    let count = take_count(input, most)?;
    let mut list = Vec::with_capacity(count.min(input.len() / size.max(1)));
    for _ in 0..count {
        list.push(take(input)?);
    }
    Ok(list)
}

/// Reads a text of at most `most` bytes.
pub(crate) fn take_bytes(input: &mut &[u8], most: usize) -> Result<Vec<u8>, WireError> {
    let count = take_count(input, most)?;
    if input.len() < count {
        return Err(end_of_data());
    }
    let (bytes, rest) = input.split_at(count);
    *input = rest;
    Ok(bytes.to_vec())
}

/// Reads a fixed number of bytes and passes over them.
pub(crate) fn skip(input: &mut &[u8], count: usize) -> Result<(), WireError> {
    *input = input.get(count..).ok_or_else(end_of_data)?;
    Ok(())
}

/// The flag of a transaction with witnesses.
const WITNESSES: u8 = 1;

/// Walks over a transaction and finds out whether it has bytes for all that its counts promise. What reads it afterwards
/// makes room by those counts.
pub(crate) fn check_transaction(mut input: &[u8]) -> Result<(), WireError> {
    let input = &mut input;
    skip(input, 4)?;
    let mut inputs = take_covered(input, 41)?;
    // No input where the first would be stands for a form with more (BIP144), of which flags follow.
    let mut flags: u8 = 0;
    if inputs == 0 {
        flags = take(input)?;
        inputs = take_covered(input, 41)?;
    }
    for _ in 0..inputs {
        skip(input, 36)?;
        skip_bytes(input)?;
        skip(input, 4)?;
    }
    for _ in 0..take_covered(input, 9)? {
        skip(input, 8)?;
        skip_bytes(input)?;
    }
    if flags & WITNESSES != 0 {
        let mut values = 0;
        for _ in 0..inputs {
            let count = take_covered(input, 1)?;
            values += count;
            for _ in 0..count {
                skip_bytes(input)?;
            }
        }
        if values == 0 {
            return Err(WireError::Malformed("Superfluous witness record".to_owned()));
        }
    }
    if flags & !WITNESSES != 0 {
        return Err(WireError::Malformed("Unknown transaction optional data".to_owned()));
    }
    skip(input, 4)
}

/// Reads a count of entries of at least `size` bytes each, which must be there.
fn take_covered(input: &mut &[u8], size: usize) -> Result<usize, WireError> {
    take_count(input, input.len() / size).map_err(|error| match error {
        WireError::TooMany(_) => end_of_data(),
        malformed => malformed,
    })
}

/// Reads a text and passes over it.
fn skip_bytes(input: &mut &[u8]) -> Result<(), WireError> {
    let count = take_covered(input, 1)?;
    skip(input, count)
}

/// Writes a value behind what is there.
pub(crate) fn put(out: &mut Vec<u8>, value: &(impl Encodable + ?Sized)) {
    value.consensus_encode(out).expect("writing to memory does not fail");
}

/// Writes a value.
pub(crate) fn encoded(value: &(impl Encodable + ?Sized)) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, value);
    out
}

/// Writes a list.
pub(crate) fn encoded_list<T: Encodable>(values: &[T]) -> Vec<u8> {
    let mut out = encoded(&VarInt::from(values.len()));
    for value in values {
        put(&mut out, value);
    }
    out
}

#[cfg(test)]
mod tests {
    use bitcoin::p2p::message_blockdata::Inventory;

    use super::*;

    #[test]
    fn lists_are_bounded() {
        let list = vec![Inventory::Unknown { inv_type: 7, hash: [1; 32] }; 3];
        let bytes = encoded_list(&list);
        assert_eq!(take_list::<Inventory>(&mut &bytes[..], 3, 36), Ok(list));
        assert_eq!(take_list::<Inventory>(&mut &bytes[..], 2, 36), Err(WireError::TooMany(3)));
        for cut in 0..bytes.len() {
            let result = take_list::<Inventory>(&mut &bytes[..cut], 3, 36);
            assert!(matches!(result, Err(WireError::Malformed(_))), "cut to {cut}");
        }
        let huge = encoded(&VarInt(u64::MAX));
        assert_eq!(take_list::<Inventory>(&mut &huge[..], 50_000, 36), Err(WireError::TooMany(u64::MAX)));
    }

    #[test]
    fn transactions_have_bytes_for_what_they_promise() {
        use bitcoin::{OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness};
        let mut transaction = Transaction {
            version: bitcoin::transaction::Version::TWO,
            lock_time: bitcoin::absolute::LockTime::ZERO,
            input: vec![TxIn {
                previous_output: OutPoint::null(),
                script_sig: ScriptBuf::from_bytes(vec![1; 300]),
                sequence: Sequence::MAX,
                witness: Witness::new(),
            }],
            output: vec![TxOut::NULL; 3],
        };
        for witness in [Witness::new(), Witness::from_slice(&[vec![2; 70], vec![]])] {
            transaction.input[0].witness = witness;
            let bytes = encoded(&transaction);
            assert_eq!(check_transaction(&bytes), Ok(()));
            for cut in 0..bytes.len() {
                assert!(check_transaction(&bytes[..cut]).is_err(), "cut to {cut}");
            }
        }
        // One input with 4,000,000 witnesses, of which none is there.
        let mut bytes = vec![2, 0, 0, 0, 0, 1, 1];
        bytes.extend([0; 41]);
        bytes.extend([0, 0xfe, 0x00, 0x09, 0x3d, 0x00, 0, 0, 0, 0]);
        assert_eq!(check_transaction(&bytes), Err(end_of_data()));
        // Without any, and with a flag nobody knows.
        for (flags, text) in [(1, "Superfluous witness record"), (4, "Unknown transaction optional data")] {
            let mut bytes = vec![2, 0, 0, 0, 0, flags, 1];
            bytes.extend([0; 41]);
            bytes.extend([0; 10]);
            assert_eq!(check_transaction(&bytes), Err(WireError::Malformed(text.to_owned())));
        }
    }

    #[test]
    fn texts_are_bounded() {
        let bytes = [3, b'a', b'b', b'c', 9];
        let mut input = &bytes[..];
        assert_eq!(take_bytes(&mut input, 3), Ok(b"abc".to_vec()));
        assert_eq!(input, [9]);
        assert_eq!(take_bytes(&mut &bytes[..], 2), Err(WireError::TooMany(3)));
        assert!(take_bytes(&mut &bytes[..2], 3).is_err());
        assert!(skip(&mut &bytes[..], 6).is_err());
    }
}
