//! The peer-to-peer network: connections, the wire protocol, and what peers and this node tell each other.
//!
//! Three kinds of thread. The *socket* thread ([`socket`]) accepts, reads and writes and knows no message. The *message*
//! thread owns everything the protocol remembers ([`manager`]); it alone handles messages, one at a time, so messages of
//! one peer take effect in order and before the answer to a later ping. *Connecting* threads ([`connect`]) wait for
//! connections of our own to be made. They share connections ([`link`]) and leave each other work in the [`inbox`].
//!
//! **Invariant:** nothing a peer sends makes the node allocate past the bound of its message, panic, or wait for it.
//! **Invariant:** the engine is called on the message thread only, never with a lock held, and the engine's event thread
//! is never made to wait: it only leaves work in the inbox.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod address;
mod config;
mod connect;
mod counters;
mod eviction;
#[doc(hidden)]
pub mod fuzz;
mod inbox;
mod known;
mod link;
mod links;
mod listen;
mod manager;
mod message_type;
mod network;
mod orphans;
mod peer;
mod permissions;
mod presync;
mod rounder;
mod socket;
mod stats;
mod time;
mod transport;
mod tx_download;
mod tx_request;
mod wire;

pub use address::{Family, lookup, services_names};
pub use config::{Bind, Config, ConfigError, upload_target};
pub use counters::TIMEFRAME;
pub use link::ConnectionKind;
pub use network::{AddedNode, FetchError, Network, StartError};
pub use permissions::Permissions;
pub use stats::{OrphanInfo, PeerInfo, Totals, UploadTarget};

/// Number of a connection; later ones have higher numbers.
pub type PeerId = i64;

/// Version of the protocol this node speaks.
pub const PROTOCOL_VERSION: u32 = 70_017;
