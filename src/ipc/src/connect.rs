//! Reaching a program that listens, and telling each other who both are.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use interfaces::{Identity, Init};
use multiprocess::Options;
use rustix::io::Errno;

use crate::address::{ConnectAddress, Place};
use crate::event_loop::event_loop;
use crate::glue::InitClient;
use crate::patience::Patience;
use crate::reconnect::Linked;
use crate::spawn::connect_stream;
use crate::{Error, Result, socket, tls};

/// A connection to a program that listens.
#[derive(Clone)]
pub struct Connected {
    /// The connection; ends when the last clone is dropped.
    pub link: multiprocess::Connection,
    /// The other side's bootstrap object, also for asynchronous calls.
    pub init: Arc<InitClient>,
    /// Who the other side is, if it was asked and says so. Programs of Bitcoin Core do not.
    pub peer: Option<Identity>,
}

impl Linked for Connected {
    fn on_disconnect(&self, callback: Box<dyn FnOnce() + Send>) {
        self.link.on_disconnect(callback);
    }
}

/// Connects to a program that listens; returns its bootstrap object and the connection, which ends when it is dropped.
/// `address` is `unix`, `unix:<path>`, `fd:<n>` or `tls:<host>:<port>`, `datadir` where relative paths start and keys are,
/// `name` that of the default socket, and of the other side in the log.
///
/// It takes 30 seconds at most, or as long as a limit around it says ([`multiprocess::within`]), and ends with the token
/// around it.
///
/// # Errors
/// [`Error::Connect`] if nobody listens there, or is too busy to take connections, [`Error::Tls`] if the other side is not
/// who it should be or does not know this program's key; the others if the address makes no sense or nothing can be set up.
pub fn connect(address: &str, datadir: &Path, name: &str) -> Result<(multiprocess::Connection, Arc<dyn Init>)> {
    let Connected { link, init, .. } = connect_with(address, datadir, name, None, Options::default())?;
    Ok((link, init))
}

/// Like [`connect`], telling each other who both are before anything else.
///
/// # Errors
/// As [`connect`], and [`Error::Connect`] if the other side hangs up or does not answer, [`Error::Refused`] if it does not
/// want to talk to `own`.
pub fn connect_as(address: &str, datadir: &Path, name: &str, own: &Identity) -> Result<Connected> {
    connect_with(address, datadir, name, Some(own), Options::default())
}

/// Like [`connect_as`], which `own` may be left out of, with limits and deadlines for what follows: those of the
/// connection's calls, not of connecting. Its `peer` is `name`.
///
/// # Errors
/// As [`connect_as`].
pub fn connect_with(
    address: &str,
    datadir: &Path,
    name: &str,
    own: Option<&Identity>,
    options: Options,
) -> Result<Connected> {
    let ConnectAddress { place, fingerprint } = ConnectAddress::parse(address, datadir, name)?;
    let patience = Patience::of_thread();
    let (socket, ended) = match place {
        Place::Unix(path) => (socket::connect(&path, &patience)?, None),
        Place::Descriptor(fd) => (socket::adopt_connected(fd)?, None),
        Place::Tls { host, keys } => {
            let tls::Outgoing { socket, ended } = tls::connect(&host, &keys, fingerprint, &patience)?;
            (socket.into(), Some(ended))
        }
    };
    let (link, init) = connect_stream(&event_loop()?, socket, Options { peer: name.to_owned(), ..options })?;
    // Over TLS, the other side decides whether it lets us in after we have done our part: an answer shows that it does.
    let own = match own {
        None if ended.is_none() => return Ok(Connected { link, init, peer: None }),
        own => own.cloned().unwrap_or_default(),
    };
    let failed = |error: Errno| Error::Connect { source: io::Error::from(error) };
    let left = patience.deadline().saturating_duration_since(Instant::now());
    let peer = match multiprocess::within(left, || init.introduce(own)) {
        Ok(peer) => Some(peer),
        Err(interfaces::Error::Unsupported { .. }) => None,
        Err(interfaces::Error::Disconnected { .. }) => {
            return Err(match ended {
                Some(ended) => ended.take().unwrap_or(tls::Error::Left).into(),
                None => failed(Errno::CONNRESET),
            });
        }
        Err(interfaces::Error::TimedOut { .. }) => return Err(failed(Errno::TIMEDOUT)),
        Err(interfaces::Error::Cancelled { .. }) => return Err(failed(Errno::CANCELED)),
        Err(error) => return Err(Error::Refused { reason: error.to_string() }),
    };
    match &peer {
        Some(peer) => log::debug!(target: "ipc", "{name} is {peer}"),
        None => log::debug!(target: "ipc", "{name} does not say who it is"),
    }
    Ok(Connected { link, init, peer })
}
