//! How far two nodes know each other. Nothing but negotiation passes before the end of it.

use std::net::SocketAddr;

/// The steps.
#[derive(Debug)]
pub(crate) enum Handshake {
    /// Its version did not come yet.
    AwaitingVersion {
        /// Ours went.
        sent: bool,
    },
    /// Both versions are known and features are being negotiated.
    Negotiating(Version),
    /// All messages may pass.
    Established(Version),
}

/// What the peer said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    /// Its version.
    pub version: u32,
    /// The lower of its version and ours.
    pub common: u32,
    /// What it offers.
    pub services: u64,
    /// Its name, with safe characters only.
    pub user_agent: String,
    /// It wants transactions from the start.
    pub relay: bool,
    /// Its clock against ours, in seconds.
    pub time_offset: i64,
    /// Our address as it sees it.
    pub local: Option<SocketAddr>,
    /// Transactions are named with their witness (BIP339).
    pub wtxid_relay: bool,
    /// Addresses come in the later form (BIP155).
    pub address_v2: bool,
}

impl Handshake {
    /// Returns what the peer said of itself, once it did.
    pub(crate) fn version(&self) -> Option<&Version> {
        match self {
            Handshake::AwaitingVersion { .. } => None,
            Handshake::Negotiating(version) | Handshake::Established(version) => Some(version),
        }
    }

    /// Returns the version both understand; 0 before it is known.
    pub(crate) fn common(&self) -> u32 {
        self.version().map_or(0, |version| version.common)
    }

    /// Says whether all messages may pass.
    pub(crate) fn is_established(&self) -> bool {
        matches!(self, Handshake::Established(_))
    }

    /// Ends the negotiation. Returns whether that was not done before.
    pub(crate) fn establish(&mut self) -> bool {
        match std::mem::replace(self, Handshake::AwaitingVersion { sent: true }) {
            Handshake::Negotiating(version) => {
                *self = Handshake::Established(version);
                true
            }
            other => {
                *self = other;
                false
            }
        }
    }
}
