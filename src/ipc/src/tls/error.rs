//! Why a connection across a network could not be set up, or ended.

use std::io;
use std::path::{Path, PathBuf};

use rustls::{AlertDescription, CertificateError};

use super::pins::{Fingerprint, Unpinned};

/// Why a connection across a network could not be set up, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The key cannot be read or made.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is there and holds no key.
    #[error("{} holds no key with a certificate; move it away to have a new one made", path.display())]
    NoKey {
        /// Where it is.
        path: PathBuf,
    },
    /// Others could read the key, or change whom it is shown to.
    #[error("{} must belong to this user and be closed to others (chmod 600)", path.display())]
    Open {
        /// Where it is.
        path: PathBuf,
    },
    /// No key could be made.
    #[error("no key could be made: {reason}")]
    Make {
        /// Why.
        reason: String,
    },
    /// A text that is no fingerprint.
    #[error("'{text}' is not a fingerprint: 64 hexadecimal digits are")]
    Fingerprint {
        /// What was given.
        text: String,
    },
    /// Nobody takes connections there.
    #[error("{host}: {}", crate::error::system_text(source))]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the system said.
        source: io::Error,
    },
    /// The connection broke.
    #[error("{}", crate::error::system_text(.0))]
    Io(#[from] io::Error),
    /// The other side left before it had shown its key.
    #[error("the other side closed the connection before it was set up")]
    Left,
    /// The other side took too long.
    #[error("the other side was not there or had not shown its key in time")]
    TimedOut,
    /// The other side speaks another protocol.
    #[error("the other side does not speak TLS 1.3")]
    NotTls,
    /// A client that is not on the list.
    #[error("its key is not known; to let it in, add this line to {}: {fingerprint}", list.display())]
    UnknownClient {
        /// Its key.
        fingerprint: Fingerprint,
        /// Where those that are known are listed.
        list: PathBuf,
    },
    /// A server with another key than it should have.
    #[error(
        "the server has another key than expected; if this is its fingerprint, which its log shows at the start, append \
         to the address: ,fingerprint={fingerprint}"
    )]
    UnknownServer {
        /// Its key.
        fingerprint: Fingerprint,
    },
    /// The server does not know this program's key.
    #[error(
        "the server does not know this program's key; to be let in, add this line to ipc/authorized there: {fingerprint}"
    )]
    Refused {
        /// This program's key.
        fingerprint: Fingerprint,
    },
    /// Anything else of the protocol.
    #[error("{0}")]
    Protocol(rustls::Error),
}

impl From<rustls::Error> for Error {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidMessage(_)
            | rustls::Error::PeerIncompatible(_)
            | rustls::Error::InappropriateMessage { .. }
            | rustls::Error::PeerSentOversizedRecord
            | rustls::Error::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure) => {
                Error::NotTls
            }
            other => Error::Protocol(other),
        }
    }
}

/// Returns the key that was not accepted, if that is what went wrong.
fn unpinned(error: &Error) -> Option<Fingerprint> {
    let Error::Protocol(rustls::Error::InvalidCertificate(CertificateError::Other(other))) = error else { return None };
    other.0.downcast_ref::<Unpinned>().map(|Unpinned(fingerprint)| *fingerprint)
}

impl Error {
    /// The same for a server to say of its client. `list` is where clients are listed.
    pub(super) fn of_client(self, list: &Path) -> Self {
        match unpinned(&self) {
            Some(fingerprint) => Error::UnknownClient { fingerprint, list: list.to_owned() },
            None => self,
        }
    }

    /// The same for a client to say of its server. `own` is the client's key.
    pub(super) fn of_server(self, own: Fingerprint) -> Self {
        if let Some(fingerprint) = unpinned(&self) {
            return Error::UnknownServer { fingerprint };
        }
        match self {
            // With TLS 1.3, a server looks at the client's key when the client has done its part.
            Error::Protocol(rustls::Error::AlertReceived(
                AlertDescription::CertificateUnknown
                | AlertDescription::BadCertificate
                | AlertDescription::AccessDenied
                | AlertDescription::CertificateRequired,
            )) => Error::Refused { fingerprint: own },
            other => other,
        }
    }

    /// Says whether waiting and trying again may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Error::Unreachable { .. } | Error::Io(_) | Error::Left | Error::TimedOut)
    }
}
