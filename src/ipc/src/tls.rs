//! Connections across a network (`tls:<host>:<port>`): encrypted, with both sides known by the fingerprint of their key.
//!
//! TLS 1.3 alone, self-signed certificates, no names and no authorities: a certificate is accepted because its SHA-256
//! is on a list ([`pins`]), and nothing else about it matters. The runtime knows only Unix sockets; a thread for each
//! connection carries bytes between one end of a socket pair and the network ([`session`], `doc/adr/0006`).
//!
//! **Invariant:** nothing that came over the network reaches the runtime before both sides' keys were checked.

mod credentials;
mod error;
mod lobby;
mod pins;
mod session;

use std::io;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::sockopt;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};

pub(crate) use credentials::Credentials;
pub use error::Error;
pub(crate) use lobby::Lobby;
pub use pins::Fingerprint;
pub(crate) use pins::authorized_path;
pub(crate) use session::Session;

use pins::{Authorized, Pins};

use crate::patience::Patience;

/// Result of what concerns TLS.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// How long the other side may take to be there and to show its key.
pub(crate) const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// Silence after which the system asks whether the other side is still there, and between its questions.
const KEEPALIVE: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(15)];

/// Directory of keys and lists of keys, in the data directory of the chain.
pub(crate) const DIRECTORY: &str = "ipc";

/// Listens at an address of this machine.
pub(crate) fn bind(host: &str) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(host)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Takes a connection: returns it and who is there, once that is a client on the list in `keys`.
pub(crate) fn accept(stream: TcpStream, own: &Credentials, keys: &Path) -> Result<(Session, String)> {
    let deadline = Instant::now() + HANDSHAKE_LIMIT;
    let authorized = Authorized::read(keys, own.fingerprint())?;
    let pins = Arc::new(Pins::new(authorized.fingerprints(), provider()));
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(pins)
        .with_single_cert(own.chain(), own.key())?;
    // A session that is resumed would not be checked against the list.
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    let tls = ServerConnection::new(Arc::new(config))?;
    let session = prepare(stream, tls.into())?.set_up(deadline);
    let session = session.map_err(|error| error.of_client(&authorized_path(keys)))?;
    let name = session.peer().map(|found| authorized.name_of(found)).unwrap_or_default();
    Ok((session, name))
}

/// A connection to a server, which a thread carries to the other end of `socket`.
pub(crate) struct Outgoing {
    pub socket: UnixStream,
    /// Why it ended, once it has.
    pub ended: Ended,
}

/// Why a connection ended; written before the end can be seen.
#[derive(Clone, Default)]
pub(crate) struct Ended(Arc<Mutex<Option<Error>>>);

impl Ended {
    fn set(&self, error: Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// Returns why, once.
    pub(crate) fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Connects to a server, which must have the key `pin`, or this program's own if there is none: then both share a data
/// directory.
///
/// All of it is done by the thread that carries bytes afterwards: to look up a host's name takes as long as it takes, and
/// is not waited for beyond [`HANDSHAKE_LIMIT`].
pub(crate) fn connect(host: &str, keys: &Path, pin: Option<Fingerprint>, patience: &Patience) -> Result<Outgoing> {
    let own = Credentials::load_or_make(keys)?;
    let patience = patience.at_most(HANDSHAKE_LIMIT);
    let (deadline, host) = (patience.deadline(), host.to_owned());
    let (socket, carried) = UnixStream::pair()?;
    let ended = Ended::default();
    let reason = ended.clone();
    let (done, result) = channel();
    std::thread::Builder::new().name("ipc-tls".into()).spawn(move || {
        let mut session = match set_up(&host, &own, pin, deadline) {
            Ok(session) => session,
            Err(error) => return drop(done.send(Err(error))),
        };
        // Nobody waits for it any more.
        if done.send(Ok(())).is_err() {
            return;
        }
        if let Err(error) = session.carry(&carried) {
            let error = error.of_server(own.fingerprint());
            log::debug!(target: "ipc", "a connection ended: {error}");
            reason.set(error);
        }
        drop(carried);
        session.finish();
    })?;
    loop {
        match result.recv_timeout(patience.pause()) {
            Ok(result) => return result.map(|()| Outgoing { socket, ended }),
            Err(RecvTimeoutError::Timeout) => patience.check().map_err(|error| match error {
                Errno::TIMEDOUT => Error::TimedOut,
                error => Error::Io(error.into()),
            })?,
            Err(RecvTimeoutError::Disconnected) => return Err(Error::Left),
        }
    }
}

/// Opens a connection to a server and exchanges keys with it.
fn set_up(host: &str, own: &Credentials, pin: Option<Fingerprint>, deadline: Instant) -> Result<Session> {
    let stream = reach(host, deadline)?;
    let pins = Arc::new(Pins::new(vec![pin.unwrap_or(own.fingerprint())], provider()));
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(pins)
        .with_client_auth_cert(own.chain(), own.key())?;
    config.enable_sni = false;
    config.resumption = rustls::client::Resumption::disabled();
    let name = ServerName::from(stream.peer_addr()?.ip());
    let tls = ClientConnection::new(Arc::new(config), name)?;
    prepare(stream, tls.into())?.set_up(deadline).map_err(|error| error.of_server(own.fingerprint()))
}

/// Opens a connection to the first of a host's addresses that takes one.
fn reach(host: &str, deadline: Instant) -> Result<TcpStream> {
    let unreachable = |source| Error::Unreachable { host: host.to_owned(), source };
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in host.to_socket_addrs().map_err(unreachable)? {
        let left = deadline.checked_duration_since(Instant::now()).ok_or(Error::TimedOut)?;
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(unreachable(last))
}

/// Sets a connection up so that answers leave at once, and that a machine that went away is noticed.
fn prepare(stream: TcpStream, tls: rustls::Connection) -> Result<Session> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    let [idle, interval] = KEEPALIVE;
    let kept = sockopt::set_socket_keepalive(&stream, true)
        .and_then(|()| sockopt::set_tcp_keepidle(&stream, idle))
        .and_then(|()| sockopt::set_tcp_keepintvl(&stream, interval));
    kept.map_err(io::Error::from)?;
    Ok(Session::new(stream, tls))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
