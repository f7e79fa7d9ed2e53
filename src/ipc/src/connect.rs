//! Reaching a program that listens, and telling each other who both are.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use interfaces::{Identity, Init};

use crate::address::{ConnectAddress, Place};
use crate::event_loop::event_loop;
use crate::glue::InitClient;
use crate::reconnect::Linked;
use crate::spawn::connect_on;
use crate::{Error, Result, socket, tls};

/// How long the other side may take to say who it is.
const INTRODUCTION_LIMIT: Duration = Duration::from_secs(30);

/// A connection to a program that listens.
#[derive(Clone)]
pub struct Connected {
    /// The connection; ends when the last clone is dropped.
    pub link: multiprocess::Connection,
    /// The other side's bootstrap object.
    pub init: Arc<InitClient>,
    /// Who the other side is, if it says so. Programs of Bitcoin Core do not.
    pub peer: Option<Identity>,
}

impl Linked for Connected {
    fn on_disconnect(&self, callback: Box<dyn FnOnce() + Send>) {
        self.link.on_disconnect(callback);
    }
}

/// Connects to a program that listens; returns its bootstrap object and the connection, which ends when it is dropped.
/// `address` is `unix`, `unix:<path>` or `tls:<host>:<port>`, `datadir` where relative paths start and keys are, `name` that
/// of the default socket.
///
/// # Errors
/// [`Error::Connect`] if nobody listens there, [`Error::Tls`] if the other side is not who it should be or does not know
/// this program's key; the others if the address makes no sense or nothing can be set up.
pub fn connect(address: &str, datadir: &Path, name: &str) -> Result<(multiprocess::Connection, Arc<dyn Init>)> {
    connect_within(address, datadir, name, None)
}

/// Like [`connect`], giving up after a time if whoever listens is too busy to take connections.
///
/// # Errors
/// As [`connect`].
pub fn connect_within(
    address: &str,
    datadir: &Path,
    name: &str,
    limit: Option<Duration>,
) -> Result<(multiprocess::Connection, Arc<dyn Init>)> {
    let Connected { link, init, .. } = connect_to(address, datadir, name, limit, None)?;
    Ok((link, init))
}

/// Like [`connect`], for asynchronous calls.
///
/// # Errors
/// As [`connect`].
pub fn connect_client(
    address: &str,
    datadir: &Path,
    name: &str,
) -> Result<(multiprocess::Connection, Arc<InitClient>)> {
    let Connected { link, init, .. } = connect_to(address, datadir, name, None, None)?;
    Ok((link, init))
}

/// Like [`connect`], telling each other who both are before anything else.
///
/// # Errors
/// As [`connect`], and [`Error::Connect`] if the other side hangs up, [`Error::Refused`] if it does not want to talk to
/// `own`.
pub fn connect_as(address: &str, datadir: &Path, name: &str, own: &Identity) -> Result<Connected> {
    connect_to(address, datadir, name, None, Some(own.clone()))
}

fn connect_to(
    address: &str,
    datadir: &Path,
    name: &str,
    limit: Option<Duration>,
    own: Option<Identity>,
) -> Result<Connected> {
    let ConnectAddress { place, fingerprint } = ConnectAddress::parse(address, datadir, name)?;
    let (socket, ended) = match place {
        Place::Unix(path) => (socket::connect(&path, limit)?, None),
        Place::Descriptor(fd) => return Err(Error::NotListening { fd }),
        Place::Tls { host, keys } => {
            let tls::Outgoing { socket, ended } = tls::connect(&host, &keys, fingerprint, limit)?;
            (socket.into(), Some(ended))
        }
    };
    let (link, init) = connect_on(&event_loop()?, socket, name)?;
    // Over TLS, the other side decides whether it lets us in after we have done our part: an answer shows that it does.
    let own = match own {
        None if ended.is_none() => return Ok(Connected { link, init, peer: None }),
        own => own.unwrap_or_default(),
    };
    let peer = match multiprocess::within(limit.unwrap_or(INTRODUCTION_LIMIT), || init.introduce(own)) {
        Ok(peer) => Some(peer),
        Err(interfaces::Error::Unsupported { .. }) => None,
        Err(interfaces::Error::Disconnected { .. }) => {
            return Err(match ended {
                Some(ended) => ended.take().unwrap_or(tls::Error::Left).into(),
                None => Error::Connect { source: io::Error::from(rustix::io::Errno::CONNRESET) },
            });
        }
        Err(interfaces::Error::TimedOut { .. }) => {
            return Err(Error::Connect { source: io::Error::from(rustix::io::Errno::TIMEDOUT) });
        }
        Err(error) => return Err(Error::Refused { reason: error.to_string() }),
    };
    match &peer {
        Some(peer) => log::debug!(target: "ipc", "{name} is {peer}"),
        None => log::debug!(target: "ipc", "{name} does not say who it is"),
    }
    Ok(Connected { link, init, peer })
}
