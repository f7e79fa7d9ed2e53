//! Bitcoin Core's stream format for wallet records: little-endian integers, compact sizes, length-prefixed bytes.
//!
//! Separate from rust-bitcoin's consensus encoding because wallet records mix in C++ containers (maps, pairs, strings)
//! and are read leniently: a record may carry more than this version knows.
//!
//! **Invariant:** a reader never panics and never allocates more than the input is long, whatever the input.

use bitcoin::consensus::{Decodable, encode};

/// Why a record could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReadError {
    /// The record ends before the value does.
    #[error("end of data")]
    End,
    /// The bytes are there but make no valid value.
    #[error("invalid {0}")]
    Invalid(&'static str),
}

/// Appends values to a record.
#[derive(Debug, Default, Clone)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// Starts a record key: Core prefixes every key with the record type as a string.
    pub(crate) fn key(kind: &str) -> Self {
        Writer::default().string(kind)
    }

    /// Appends bytes without a length.
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Appends a compact size.
    pub(crate) fn size(self, size: usize) -> Self {
        match size {
            0..=0xfc => self.raw(&[size as u8]),
            0xfd..=0xffff => self.raw(&[0xfd]).raw(&(size as u16).to_le_bytes()),
            0x1_0000..=0xffff_ffff => self.raw(&[0xfe]).raw(&(size as u32).to_le_bytes()),
            _ => self.raw(&[0xff]).raw(&(size as u64).to_le_bytes()),
        }
    }

    /// Appends bytes with their length.
    pub(crate) fn bytes(self, bytes: &[u8]) -> Self {
        self.size(bytes.len()).raw(bytes)
    }

    /// Appends a string with its length.
    pub(crate) fn string(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// Appends one byte.
    pub(crate) fn u8(self, value: u8) -> Self {
        self.raw(&[value])
    }

    /// Appends an unsigned 32-bit integer.
    pub(crate) fn u32(self, value: u32) -> Self {
        self.raw(&value.to_le_bytes())
    }

    /// Appends a signed 32-bit integer.
    pub(crate) fn i32(self, value: i32) -> Self {
        self.raw(&value.to_le_bytes())
    }

    /// Appends an unsigned 64-bit integer.
    pub(crate) fn u64(self, value: u64) -> Self {
        self.raw(&value.to_le_bytes())
    }

    /// Appends a signed 64-bit integer.
    pub(crate) fn i64(self, value: i64) -> Self {
        self.raw(&value.to_le_bytes())
    }

    /// Returns the record.
    pub(crate) fn done(self) -> Vec<u8> {
        self.0
    }
}

/// Takes values off a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Reader(bytes)
    }

    /// Says whether everything was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes `count` bytes.
    pub(crate) fn raw(&mut self, count: usize) -> Result<&'a [u8], ReadError> {
        if count > self.0.len() {
            return Err(ReadError::End);
        }
        let (head, tail) = self.0.split_at(count);
        self.0 = tail;
        Ok(head)
    }

    /// Takes a fixed number of bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        self.raw(N)?.try_into().map_err(|_| ReadError::End)
    }

    /// Takes a compact size.
    pub(crate) fn size(&mut self) -> Result<usize, ReadError> {
        let value = match self.u8()? {
            0xfd => u64::from(u16::from_le_bytes(self.array()?)),
            0xfe => u64::from(u32::from_le_bytes(self.array()?)),
            0xff => u64::from_le_bytes(self.array()?),
            small => u64::from(small),
        };
        usize::try_from(value).map_err(|_| ReadError::Invalid("size"))
    }

    /// Takes bytes with their length.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], ReadError> {
        let size = self.size()?;
        self.raw(size)
    }

    /// Takes a text with its length. Texts that users typed are read as [`Reader::bytes`]: they need not be UTF-8.
    pub(crate) fn string(&mut self) -> Result<String, ReadError> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| ReadError::Invalid("string"))
    }

    /// Takes one byte.
    pub(crate) fn u8(&mut self) -> Result<u8, ReadError> {
        Ok(self.array::<1>()?[0])
    }

    /// Takes an unsigned 32-bit integer.
    pub(crate) fn u32(&mut self) -> Result<u32, ReadError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Takes a signed 32-bit integer.
    pub(crate) fn i32(&mut self) -> Result<i32, ReadError> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    /// Takes an unsigned 64-bit integer.
    pub(crate) fn u64(&mut self) -> Result<u64, ReadError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Takes a signed 64-bit integer.
    pub(crate) fn i64(&mut self) -> Result<i64, ReadError> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// Takes a value in Bitcoin's consensus encoding.
    pub(crate) fn consensus<T: Decodable>(&mut self, what: &'static str) -> Result<T, ReadError> {
        let (value, used) = encode::deserialize_partial(self.0).map_err(|_| ReadError::Invalid(what))?;
        self.raw(used)?;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(size: usize, bytes: &[u8]) {
        assert_eq!(Writer::default().size(size).done(), bytes);
        assert_eq!(Reader::new(bytes).size(), Ok(size));
    }

    #[test]
    fn compact_sizes_round_trip() {
        check(0, &[0]);
        check(0xfc, &[0xfc]);
        check(0xfd, &[0xfd, 0xfd, 0]);
        check(0x1_0000, &[0xfe, 0, 0, 1, 0]);
    }

    #[test]
    fn short_input_is_an_error() {
        assert_eq!(Reader::new(&[5, 1, 2]).bytes(), Err(ReadError::End));
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).bytes(), Err(ReadError::End));
        assert_eq!(Reader::new(&[1, 2]).u32(), Err(ReadError::End));
    }
}
