//! What a program that connects by itself may have this one hold for it: less than one of our own.
//!
//! Each limit is an option after the address of a socket. Over one, a call fails and says so, and no other client
//! notices.

use multiprocess::Options;

/// Bytes in a megabyte.
const MB: usize = 1 << 20;

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
    /// Sets the limit with this name; `false` if there is none.
    pub(crate) fn set(&mut self, name: &str, value: usize) -> bool {
        let Limits { calls, objects, threads, nesting, message, buffers } = self;
        let limit = match name {
            "calls" => calls,
            "objects" => objects,
            "threads" => threads,
            "nesting" => nesting,
            "message" => message,
            "buffers" => buffers,
            _ => return false,
        };
        *limit = value;
        true
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
            ..Options::default()
        }
    }
}
