//! How messages become bytes on a connection. A file for each transport.

pub(crate) mod v1;

/// Most bytes of a message's payload.
pub(crate) const MAX_PAYLOAD: usize = 4_000_000;

/// A message as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    /// Its name; none of ours perhaps.
    pub name: String,
    /// Its payload.
    pub payload: Vec<u8>,
    /// When the last byte of it came.
    pub time: crate::time::Time,
}

impl Received {
    /// Returns how many bytes of memory it takes.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Received>() + self.name.capacity() + self.payload.capacity()
    }
}

/// What a transport has found in the bytes it was given.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A message of this many bytes in all.
    Message {
        /// Its name.
        name: String,
        /// Its payload.
        payload: Vec<u8>,
        /// Its bytes on the wire.
        size: usize,
    },
    /// A message that is passed over because of what is said here.
    Refused {
        /// Why, for the log.
        reason: String,
        /// Its bytes on the wire.
        size: usize,
    },
}

/// Why no more of a connection can be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TransportError {
    /// The message is not of this network.
    #[error("Wrong MessageStart {0} received")]
    WrongStart(String),
    /// The message says that it is larger than any may be.
    #[error("Size too large ({0}, {1} bytes)")]
    TooLarge(String, u32),
}
