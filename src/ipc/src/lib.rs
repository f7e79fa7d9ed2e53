//! The interfaces between processes: each once as client and once as server over `multiprocess`, and the ways to reach
//! another process.
//!
//! [`spawn`] starts a program and returns its bootstrap object; the program calls [`serve_fd`]. Other programs reach one
//! another over sockets: [`listen`] and [`connect`]; [`Reconnecting`] does so again when the other side was away. In
//! between, an `Arc<dyn Trait>` passed to a method or returned from one becomes an object that the other process can
//! call, and its drop there releases it here.
//!
//! Clients, servers and conversions are generated from the traits in `interfaces` and the schemas in `schemas/`; where
//! the two differ, this crate does not build. A new method is a line in each.
//!
//! **Invariant:** no conversion and no method is written by hand.
#![deny(unsafe_code)]

mod address;
mod connect;
mod convert;
mod error;
mod event_loop;
mod glue;
mod info;
mod inherit;
mod limits;
mod listen;
mod parent;
mod patience;
mod reconnect;
mod redact;
mod schema;
mod serve;
mod show;
mod socket;
mod spawn;
mod tls;

/// Objects of other processes, with an asynchronous form of every method: `<method>_async` starts the call, and the
/// future it returns is the result on any executor. Dropping the future cancels the call. Objects that such a call
/// returns are clients again.
pub mod client {
    pub use crate::glue::{
        BlockTemplateClient, BlockTemplateV30Client, ChainClient, EchoClient, InitClient, MiningClient,
        MiningV30Client, RpcClient, WalletClient, WalletLoaderClient,
    };
}

/// Method tables of all interfaces, for tests that go through them.
#[doc(hidden)]
pub fn tables() -> &'static [&'static multiprocess::Interface] {
    glue::ALL
}

/// What the compiler says of the schemas, for tests that make messages of it.
#[doc(hidden)]
pub fn description() -> &'static [u8] {
    include_bytes!(concat!(env!("OUT_DIR"), "/glue.bin"))
}

pub use address::{BindAddress, Place};
pub use connect::{Connected, connect, connect_as, connect_with};
pub use error::{Error, Result};
pub use event_loop::host;
pub use info::info;
pub use limits::Limits;
pub use listen::{Guest, Listener, listen, listen_within};
pub use multiprocess::{CancelToken, Host, MessageMemory, Options, within};
pub use reconnect::{Linked, Pauses, Reconnecting, Remade, TipEvent, TipFollower};
pub use serve::{Server, serve_fd, serve_socket};
pub use spawn::{Connection, connect_on, connect_socket, connect_socket_with, find_program, spawn, spawn_with};
pub use tls::{Error as TlsError, Fingerprint};

/// Returns the fingerprint by which others know the programs of a data directory, after making its key if there is none.
///
/// # Errors
/// If the key cannot be read or made.
pub fn fingerprint(datadir: &std::path::Path) -> Result<Fingerprint> {
    Ok(tls::Credentials::load_or_make(&datadir.join(tls::DIRECTORY))?.fingerprint())
}
