//! Listening for programs that connect by themselves (`-ipcbind`), unlike the children that [`crate::spawn`] starts.
//!
//! A thread accepts; each connection gets a bootstrap object of its own. Whoever is not the same user is turned away, or
//! across a network whoever has no known key, and so is whoever comes when the limit is reached: others do not notice.

mod door;
mod remote;

use std::collections::HashMap;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use interfaces::Init;
use multiprocess::{MessageMemory, Options};
use rustix::event::{PollFd, PollFlags, poll};

use crate::address::BindAddress;
use crate::serve::Server;
use crate::{Error, Limits, Result};
use door::{Arrival, Door};
use remote::Remote;

/// Connections at a time, unless the address says otherwise.
const CONNECTIONS: usize = 64;

/// How long calls that are being served may take to end when the listener closes.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// How long closed connections may take to let go of what they held: clients may be slow to notice.
const RELEASE_LIMIT: Duration = Duration::from_millis(250);

/// Lines about connections that were not taken, at most one in this time: anybody can cause them.
const LINE_PAUSE: Duration = Duration::from_secs(1);

/// Pause after a failure to accept, such as for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// What a connection gets: its bootstrap object, and what is to be dropped when it is gone.
pub struct Guest {
    /// The bootstrap object.
    pub init: Arc<dyn Init>,
    /// Dropped once the connection ended.
    pub until_gone: Box<dyn Send>,
}

/// A socket that is listened on. Dropping it does what [`Listener::close`] does.
pub struct Listener {
    address: String,
    shared: Arc<Shared>,
    /// Closed to end the thread.
    wake: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    welcome: Box<dyn Fn() -> Guest + Send + Sync>,
    limit: usize,
    limits: Limits,
    /// What messages of all connections count towards.
    memory: Option<Arc<dyn MessageMemory>>,
    /// Held while a connection gets its place, so that no more get one than there are.
    turn: Mutex<()>,
    open: Mutex<HashMap<u64, Server>>,
    next_id: AtomicU64,
    closed: AtomicBool,
    /// When the last line was written about a connection that was not taken.
    last_line: Mutex<Option<Instant>>,
    /// What connections across a network need.
    remote: Option<Remote>,
}

/// Listens at an address; `welcome` makes what each connection gets.
///
/// # Errors
/// If the socket is in use, cannot be made, or is none.
pub fn listen(address: &BindAddress, welcome: impl Fn() -> Guest + Send + Sync + 'static) -> Result<Listener> {
    listen_with(address, None, welcome)
}

/// Like [`listen`]; long messages that arrive, and those that are begun, count towards `memory`, which several sockets may
/// share. A client whose message is more than there is loses its connection.
///
/// # Errors
/// As [`listen`].
pub fn listen_within(
    address: &BindAddress,
    memory: Arc<dyn MessageMemory>,
    welcome: impl Fn() -> Guest + Send + Sync + 'static,
) -> Result<Listener> {
    listen_with(address, Some(memory), welcome)
}

fn listen_with(
    address: &BindAddress,
    memory: Option<Arc<dyn MessageMemory>>,
    welcome: impl Fn() -> Guest + Send + Sync + 'static,
) -> Result<Listener> {
    let (door, remote) = Door::open(&address.place)?;
    let named = door.address(&address.place);
    if let Some(remote) = &remote {
        log::info!("{named} has the key {}; {}", remote.fingerprint(), remote.welcomes());
    }
    let (wake, woken) = UnixStream::pair().map_err(Error::Setup)?;
    let shared = Arc::new(Shared {
        welcome: Box::new(welcome),
        limit: address.connections.unwrap_or(CONNECTIONS),
        limits: address.limits,
        memory,
        turn: Mutex::default(),
        open: Mutex::default(),
        next_id: AtomicU64::new(1),
        closed: AtomicBool::new(false),
        last_line: Mutex::default(),
        remote,
    });
    let accepting = shared.clone();
    let thread = std::thread::Builder::new()
        .name("ipc-listen".into())
        .spawn(move || accept(&door, &woken, &accepting))
        .map_err(Error::Setup)?;
    Ok(Listener { address: named, shared, wake: Some(wake), thread: Some(thread) })
}

/// Takes connections until the other end of `woken` is closed.
fn accept(door: &Door, woken: &UnixStream, shared: &Arc<Shared>) {
    while !shared.closed.load(Ordering::Acquire) {
        let mut ready = [PollFd::new(door, PollFlags::IN), PollFd::new(woken, PollFlags::IN)];
        if let Err(error) = poll(&mut ready, None)
            && error != rustix::io::Errno::INTR
        {
            log::error!(target: "ipc", "no more connections are taken: {error}");
            return;
        }
        match door.accept() {
            Ok(arrival) => {
                if let Err(error) = Shared::take(shared, arrival) {
                    shared.complain(format_args!("a connection was not taken: {error}"));
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => {
                shared.complain(format_args!("a connection could not be taken: {error}"));
                std::thread::sleep(PAUSE);
            }
        }
    }
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, HashMap<u64, Server>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(shared: &Arc<Self>, arrival: Arrival) -> Result<()> {
        match arrival {
            Arrival::Local(stream) => {
                let name = door::local_name(&stream)?;
                stream.set_nonblocking(false).map_err(Error::Setup)?;
                Self::admit(shared, stream, name)
            }
            Arrival::Remote(stream, address) => remote::take(shared, stream, address),
        }
    }

    /// Writes a line about a connection that was not taken, if it is time for one.
    fn complain(&self, line: std::fmt::Arguments<'_>) {
        let mut last = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if last.is_none_or(|last| now.duration_since(last) >= LINE_PAUSE) {
            *last = Some(now);
            drop(last);
            log::warn!(target: "ipc", "{line}");
        } else {
            log::debug!(target: "ipc", "{line}");
        }
    }

    /// Serves a connection that may have what the socket offers. One too many is told so.
    fn admit(shared: &Arc<Self>, stream: UnixStream, name: String) -> Result<()> {
        let _turn = shared.turn();
        if shared.closed.load(Ordering::Acquire) {
            return Err(Error::Closed);
        }
        let limit = shared.limit;
        if shared.open().len() >= limit {
            let error = Error::TooMany { limit };
            multiprocess::refuse(&stream, multiprocess::Error::Overloaded(error.to_string()));
            return Err(error);
        }
        let Guest { init, until_gone } = (shared.welcome)();
        log::debug!(target: "ipc", "{name} connected");
        let options = Options { memory: shared.memory.clone(), ..shared.limits.options(name) };
        let server = Server::start_with(stream, options, init)?;
        let connection = server.connection().clone();
        let id = shared.next_id.fetch_add(1, Ordering::Relaxed);
        shared.open().insert(id, server);
        let weak = Arc::downgrade(shared);
        connection.on_disconnect(move || {
            drop(until_gone);
            if let Some(shared) = weak.upgrade() {
                let gone = shared.open().remove(&id);
                drop(gone);
            }
        });
        Ok(())
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener {
    /// Returns the address in full.
    pub fn address(&self) -> String {
        self.address.clone()
    }

    /// Takes no more connections, lets calls that are being served end within a limit, and closes those there are. The
    /// file stays, so that clients find a node that is not running rather than none.
    pub fn close(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        drop(self.wake.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!(target: "ipc", "the thread that takes connections panicked");
        }
        if let Some(remote) = &self.shared.remote {
            remote.turn_away();
        }
        // Who is getting a place at this moment has it.
        drop(self.shared.turn());
        let open = std::mem::take(&mut *self.shared.open());
        let deadline = Instant::now() + DRAIN_LIMIT;
        for server in open.values() {
            let left = deadline.saturating_duration_since(Instant::now());
            if !server.connection().wait_served(left) {
                log::warn!(target: "ipc", "{} is disconnected during a call", server.connection().peer());
            }
            server.close();
        }
        // What the connections held is let go before the program goes on to its end.
        let deadline = Instant::now() + RELEASE_LIMIT;
        for server in open.values() {
            server.connection().wait_idle(deadline.saturating_duration_since(Instant::now()));
        }
        if let Some(remote) = &self.shared.remote {
            remote.wait_sent();
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.end();
    }
}
