//! What a program that connects by itself may have this one hold for it: less than one of our own.
//!
//! Each limit is an option after the address of a socket. Over one, a call fails and says so, and no other client
//! notices.
//!
//! **Invariant:** no number that is accepted lets a client bring down this program, and none keeps every client out.

use std::ops::RangeInclusive;
use std::time::Duration;

use multiprocess::Options;

use crate::{Error, Result};

/// Bytes in a megabyte.
const MB: usize = 1 << 20;

/// How long a client may take for a message that it has begun, beside the time for its bytes.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(30);

/// The numbers that may follow an address, and what they may be.
///
/// Messages are copied level by level on the stack of whatever thread takes them, which has 2 MB if nobody asked for
/// more: an optimized build needs some 450 bytes a level.
const NUMBERS: [(&str, RangeInclusive<usize>); 8] = [
    ("connections", 1..=65_536),
    ("memory", 1..=1 << 20),
    ("calls", 4..=1_000_000),
    ("objects", 3..=10_000_000),
    ("threads", 1..=4096),
    ("nesting", 16..=256),
    ("message", 1..=4096),
    ("buffers", 1..=1 << 20),
];

/// Reads the number of the option `key=value`.
///
/// # Errors
/// If no option of this name has one, or it is out of range.
pub(crate) fn number(key: &str, value: &str) -> Result<usize> {
    let option = || format!("{key}={value}");
    let found = NUMBERS.iter().find(|(name, _)| *name == key);
    let (_, range) = found.ok_or_else(|| Error::BindOption { option: option() })?;
    let number = value.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| Error::BindNumber { option: option(), least: *range.start(), most: *range.end() })
}

/// Limits of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls in progress (`calls=`).
    pub calls: usize,
    /// Objects of ours that it holds, and of its own that are held here (`objects=`).
    pub objects: usize,
    /// Threads made for it (`threads=`).
    pub threads: usize,
    /// Depth of structs and lists in a message (`nesting=`).
    pub nesting: usize,
    /// Megabytes of a message (`message=`).
    pub message: usize,
    /// Megabytes of calls in progress and of answers it has not read (`buffers=`).
    pub buffers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { calls: 1024, objects: 10_000, threads: 64, nesting: 64, message: 128, buffers: 256 }
    }
}

impl Limits {
    /// Sets the limit with this name, if there is one.
    pub(crate) fn set(&mut self, name: &str, value: usize) {
        let Limits { calls, objects, threads, nesting, message, buffers } = self;
        let limit = match name {
            "calls" => calls,
            "objects" => objects,
            "threads" => threads,
            "nesting" => nesting,
            "message" => message,
            "buffers" => buffers,
            _ => return,
        };
        *limit = value;
    }

    /// As the runtime takes them, for a peer of this name.
    pub(crate) fn options(self, peer: String) -> Options {
        let Limits { calls, objects, threads, nesting, message, buffers } = self;
        Options {
            peer,
            message_bytes: message.saturating_mul(MB),
            nesting,
            threads,
            calls,
            objects,
            bytes: buffers.saturating_mul(MB),
            message_timeout: Some(MESSAGE_TIMEOUT),
            ..Options::default()
        }
    }
}
