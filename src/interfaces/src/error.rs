//! The outer error of every interface method: the question could not be asked.
//! It is separate from refusals, which each method returns as data of its own.

use std::fmt;
use std::pin::Pin;

/// Result of an interface call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Result of an interface call that is under way, on any executor; dropping it gives the call up.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// Why a call could not be carried out. Never says "no": a refusal is part of the method's own result type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The process that serves the object is gone, or the connection to it is.
    Disconnected {
        /// What was being called, as `Interface.method`, or empty before the first call.
        call: String,
    },
    /// The other side does not offer this method or object.
    Unsupported {
        /// What was being called, as `Interface.method`.
        call: String,
    },
    /// No answer within the call's deadline.
    TimedOut {
        /// What was being called, as `Interface.method`.
        call: String,
    },
    /// Over a limit that one side sets the other: too many calls at once, too many objects, too much memory.
    Overloaded {
        /// What was being called, as `Interface.method`.
        call: String,
        /// Which limit.
        limit: String,
    },
    /// The caller gave the call up.
    Cancelled {
        /// What was being called, as `Interface.method`.
        call: String,
    },
    /// The other side failed while serving the call, or sent something that cannot be read.
    Internal {
        /// What the other side said.
        message: String,
    },
}

impl Error {
    /// Builds an [`Error::Internal`] from anything that can be displayed.
    pub fn internal(message: impl fmt::Display) -> Self {
        Error::Internal { message: message.to_string() }
    }

    /// Builds an [`Error::Overloaded`] of the call that is being served.
    pub fn overloaded(limit: impl fmt::Display) -> Self {
        Error::Overloaded { call: String::new(), limit: limit.to_string() }
    }

    /// Builds an [`Error::Unsupported`] for `call`, written `Interface.method`.
    pub fn unsupported(call: &str) -> Self {
        Error::Unsupported { call: call.to_owned() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Disconnected { call } if call.is_empty() => f.write_str("other process disconnected"),
            Error::Disconnected { call } => write!(f, "other process disconnected during {call}"),
            Error::Unsupported { call } => write!(f, "other process does not support {call}"),
            Error::Cancelled { call } => write!(f, "{call} was cancelled"),
            Error::TimedOut { call } => write!(f, "no answer to {call} in time"),
            Error::Overloaded { call, limit } if call.is_empty() => f.write_str(limit),
            Error::Overloaded { call, limit } => write!(f, "{call} was not taken: {limit}"),
            Error::Internal { message } => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}
