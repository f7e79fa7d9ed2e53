//! Why a call between processes could not be carried out.
//!
//! The kinds are those an exception of Cap'n Proto can have, so that they survive the wire in both directions and
//! mean the same to a C++ peer.

use capnp::ErrorKind;

use crate::trace;

/// Prefix that capnp-rpc puts before what the other side said.
const REMOTE: &str = "remote exception: ";

/// Prefix of what is over a limit.
const OVERLOADED: &str = "over a limit of the connection: ";

/// Why a call could not be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The other process, or the connection to it, is gone.
    #[error("disconnected")]
    Disconnected,
    /// The other side does not have the method.
    #[error("{0}")]
    Unsupported(String),
    /// No answer in time.
    #[error("timed out")]
    TimedOut,
    /// Over a limit of the connection; see [`crate::Options`].
    #[error("over a limit of the connection: {0}")]
    Overloaded(String),
    /// The caller gave the call up ([`crate::CancelToken`]).
    #[error("cancelled")]
    Cancelled,
    /// The other side failed while serving the call.
    #[error("{0}")]
    Failed(String),
    /// The other side sent something that cannot be read.
    #[error("malformed message: {0}")]
    Malformed(String),
}

impl Error {
    /// Builds an [`Error::Failed`].
    pub fn failed(message: impl Into<String>) -> Self {
        Error::Failed(message.into())
    }

    /// Builds an [`Error::Malformed`].
    pub fn malformed(message: impl std::fmt::Display) -> Self {
        Error::Malformed(message.to_string())
    }
}

impl From<capnp::Error> for Error {
    fn from(error: capnp::Error) -> Self {
        let mut text = error.extra.as_str();
        while let Some(rest) = text.strip_prefix(REMOTE) {
            text = rest;
        }
        // They get into logs.
        let text = trace::one_line(text);
        match error.kind {
            ErrorKind::Disconnected => Error::Disconnected,
            ErrorKind::Unimplemented => Error::Unsupported(text),
            ErrorKind::Overloaded if text == Error::TimedOut.to_string() => Error::TimedOut,
            ErrorKind::Overloaded => Error::Overloaded(text.strip_prefix(OVERLOADED).unwrap_or(&text).to_owned()),
            ErrorKind::Failed => Error::Failed(text),
            _ => Error::Malformed(trace::one_line(&error.to_string())),
        }
    }
}

impl From<capnp::NotInSchema> for Error {
    fn from(error: capnp::NotInSchema) -> Self {
        Error::malformed(error)
    }
}

impl From<std::str::Utf8Error> for Error {
    fn from(error: std::str::Utf8Error) -> Self {
        Error::malformed(error)
    }
}

impl From<Error> for capnp::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Disconnected => ErrorKind::Disconnected,
            Error::Unsupported(_) => ErrorKind::Unimplemented,
            Error::TimedOut | Error::Overloaded(_) => ErrorKind::Overloaded,
            Error::Cancelled | Error::Failed(_) | Error::Malformed(_) => ErrorKind::Failed,
        };
        capnp::Error { kind, extra: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_survive_the_wire() {
        for error in [
            Error::Disconnected,
            Error::Unsupported("x".into()),
            Error::TimedOut,
            Error::failed("boom"),
            Error::Overloaded("y".into()),
        ] {
            let mut sent = capnp::Error::from(error.clone());
            sent.extra = format!("{REMOTE}{}", sent.extra);
            assert_eq!(Error::from(sent), error);
        }
    }

    #[test]
    fn a_malformed_message_is_a_failure_to_the_other_side() {
        let sent = capnp::Error::from(Error::malformed("txid"));
        assert_eq!(Error::from(sent), Error::failed("malformed message: txid"));
    }
}
