//! Connections from a network on their way in: each has a thread that checks its key, and carries its bytes afterwards.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Shared;
use crate::tls::{self, Credentials, Fingerprint, Lobby};
use crate::{Error, Result};

/// How long clients may take to read what was sent to them before the end.
const SENT_LIMIT: Duration = Duration::from_secs(2);

/// What connections across a network need.
pub(super) struct Remote {
    own: Credentials,
    keys: PathBuf,
    lobby: Arc<Lobby>,
    carried: Arc<Carried>,
}

/// Counts the connections that threads carry.
#[derive(Default)]
struct Carried {
    count: Mutex<usize>,
    fewer: Condvar,
}

impl Carried {
    fn count(&self) -> MutexGuard<'_, usize> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is counted.
struct Counted(Arc<Carried>);

impl Drop for Counted {
    fn drop(&mut self) {
        *self.0.count() -= 1;
        self.0.fewer.notify_all();
    }
}

impl Remote {
    /// Reads or makes this side's key.
    pub(super) fn new(keys: &Path) -> Result<Remote> {
        let own = Credentials::load_or_make(keys)?;
        Ok(Remote { own, keys: keys.to_owned(), lobby: Arc::default(), carried: Arc::default() })
    }

    /// Returns what clients know this side by.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.own.fingerprint()
    }

    /// Says who is let in.
    pub(super) fn welcomes(&self) -> String {
        format!("clients are let in whose keys are in {}", tls::authorized_path(&self.keys).display())
    }

    /// Ends the connections that have not shown a key.
    pub(super) fn turn_away(&self) {
        self.lobby.clear();
    }

    /// Waits until what was sent has gone out, for a limited time.
    pub(super) fn wait_sent(&self) {
        let deadline = Instant::now() + SENT_LIMIT;
        let mut count = self.carried.count();
        while *count > 0 {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return };
            count = self.carried.fewer.wait_timeout(count, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Takes a connection: starts the thread that checks its key.
pub(super) fn take(shared: &Arc<Shared>, stream: TcpStream, address: SocketAddr) -> Result<()> {
    let Some(remote) = &shared.remote else { return Err(Error::Closed) };
    let place = remote.lobby.enter(&stream).map_err(Error::Setup)?;
    *remote.carried.count() += 1;
    let counted = Counted(remote.carried.clone());
    let shared = shared.clone();
    let work = move || {
        let _counted = counted;
        let Some(remote) = &shared.remote else { return };
        let accepted = tls::accept(stream, &remote.own, &remote.keys);
        let (mut session, name) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                return shared.complain(format_args!("a connection from {address} was not taken: {error}"));
            }
        };
        let name = format!("{name}@{address}");
        let refused = |error| shared.complain(format_args!("the connection of {name} was not taken: {error}"));
        let (local, served) = match UnixStream::pair() {
            Ok(pair) => pair,
            Err(error) => return refused(Error::Setup(error)),
        };
        // One that is not admitted keeps its place until it has been told, so that there are never many of them.
        let admitted = Shared::admit(&shared, served, name.clone());
        let _place = admitted.is_err().then_some(place);
        if let Err(error) = admitted {
            refused(error);
        }
        // The listener may go away while this connection lasts.
        drop(shared);
        // One that was refused is told why the same way.
        if let Err(error) = session.carry(&local) {
            log::debug!(target: "ipc", "the connection of {name} ended: {error}");
        }
        session.finish();
    };
    std::thread::Builder::new().name("ipc-tls".into()).spawn(work).map_err(Error::Setup)?;
    Ok(())
}
