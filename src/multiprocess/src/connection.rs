//! A connection to another process, as seen from any thread.

use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use capnp::message::ReaderOptions;

use crate::event_loop::{Command, EventLoop};
use crate::io::Io;
use crate::reply::Lanes;
use crate::{Error, Interface, MessageMemory, Method, Object, Service};

/// Limits and names of a connection.
#[derive(Debug, Clone)]
pub struct Options {
    /// Name of the other side in the trace.
    pub peer: String,
    /// Longest message accepted, in bytes. Reading one counts, too: about half of this is usable.
    pub message_bytes: usize,
    /// Deepest nesting of a message's structs and lists.
    pub nesting: usize,
    /// Most threads made for the other side, beside one for calls that name none and have no pool, such as interruptions.
    /// Where it has more threads that call, some of them share.
    pub threads: usize,
    /// Most threads asked of the other side for calls that no thread waits for; so many are served at once.
    pub lanes: usize,
    /// Threads asked of the other side as a pool (`ThreadMap.makePool`) for those calls; where it makes one, they go
    /// there, and to lanes otherwise. None if not given.
    pub pool: usize,
    /// Bytes of unanswered calls of a stream that make the next one wait.
    pub window: usize,
    /// Most calls of the other side in progress.
    pub calls: usize,
    /// Most objects held for the other side: those of ours that it holds, and, separately, those of its own held here.
    pub objects: usize,
    /// Most bytes held for the other side: parameters of its calls in progress, and what it has not read.
    pub bytes: usize,
    /// What messages that arrive count towards from 64 KB on, until nobody reads them any more; nothing if not given. A
    /// message for which there is not enough ends the connection.
    pub memory: Option<Arc<dyn MessageMemory>>,
    /// How long the other side may take to send a message that it has begun, and a second more for each MB of it; for
    /// ever if not given. One that takes longer ends the connection.
    pub message_timeout: Option<Duration>,
    /// How long a dropped object may wait for the other side to destroy it. After one that waited in vain the next do not
    /// wait, until the other side answers a call.
    pub destroy_timeout: Duration,
    /// How long calls may take that are made without a limit of their own; for ever if not given.
    pub deadline: Option<Duration>,
    /// The same for calls of some interfaces, by name.
    pub deadlines: Vec<(&'static str, Duration)>,
}

impl Options {
    /// How long a call of this method may take.
    pub(crate) fn deadline_of(&self, method: &Method) -> Option<Duration> {
        let interface = method.name.split('.').next().unwrap_or_default();
        let own = self.deadlines.iter().find(|(name, _)| *name == interface);
        own.map(|(_, limit)| *limit).or(self.deadline)
    }

    /// How messages may be read.
    pub(crate) fn reader(&self) -> ReaderOptions {
        let mut options = ReaderOptions::new();
        options.traversal_limit_in_words(Some(self.message_bytes / 8));
        options.nesting_limit(i32::try_from(self.nesting).unwrap_or(i32::MAX));
        options
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            peer: "peer".to_owned(),
            message_bytes: 1 << 30,
            nesting: 64,
            threads: 256,
            lanes: 16,
            pool: 0,
            window: 1 << 16,
            calls: 4096,
            objects: 1 << 16,
            bytes: 1 << 30,
            memory: None,
            message_timeout: None,
            destroy_timeout: Duration::from_secs(5),
            deadline: None,
            deadlines: Vec::new(),
        }
    }
}

/// What the event loop is to make of a connection.
pub(crate) enum Role {
    /// Calls the other side's bootstrap object, which becomes capability 0.
    Client { interface: &'static Interface },
    /// Offers this bootstrap object.
    Server { service: Arc<dyn Service> },
}

/// A connection to another process.
///
/// Objects reached over it fail with [`crate::Error::Disconnected`] once it ended: when the other side went away, after
/// [`Connection::close`], or when the last clone of this handle outside of the runtime was dropped.
#[derive(Clone)]
pub struct Connection {
    pub(crate) shared: Arc<Shared>,
    _closer: Option<Arc<Closer>>,
}

/// Closes the connection with the last handle.
struct Closer(Arc<Shared>);

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.event_loop.reactor().push(Command::Close { connection: self.0.id });
    }
}

/// What every handle of a connection shares.
pub(crate) struct Shared {
    pub(crate) id: u64,
    pub(crate) event_loop: EventLoop,
    pub(crate) options: Options,
    pub(crate) io: Arc<Io>,
    closed: AtomicBool,
    /// The other side has answered a call.
    answered: AtomicBool,
    /// Over which limit of the other side this connection was, so that it was not taken.
    refused: OnceLock<String>,
    /// The other side has made the pool.
    pooled: AtomicBool,
    /// It did not destroy an object in time, and has not answered since.
    hung: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
    pub(crate) lanes: Lanes,
}

#[derive(Default)]
struct State {
    /// Everything the connection held was let go.
    ended: bool,
    /// Calls of the other side being served.
    active: usize,
    /// Bytes of their parameters.
    active_bytes: usize,
    /// Threads made for the other side.
    threads: usize,
    on_disconnect: Vec<Box<dyn FnOnce() + Send>>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Shared {
    fn new(event_loop: &EventLoop, stream: UnixStream, options: Options) -> std::io::Result<Arc<Shared>> {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(Shared {
            id,
            event_loop: event_loop.clone(),
            options,
            io: Io::new(stream, id, event_loop.reactor().epoll().clone())?,
            closed: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            refused: OnceLock::new(),
            pooled: AtomicBool::new(false),
            hung: AtomicBool::new(false),
            state: Mutex::default(),
            changed: Condvar::new(),
            lanes: Lanes::default(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn mark_closed(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Notes why the connection ended, if it was not taken: before any answer, for a limit.
    pub(crate) fn note_end(&self, reason: Error) {
        if let Error::Overloaded(limit) = reason
            && !self.answered.load(Ordering::Relaxed)
        {
            // Another one was first.
            let _ = self.refused.set(limit);
        }
    }

    /// What a call ends with: for what ended because the connection did, why that ended.
    pub(crate) fn explain(&self, error: Error) -> Error {
        match (error, self.refused.get()) {
            (Error::Disconnected, Some(limit)) => Error::Overloaded(limit.clone()),
            (error, _) => error,
        }
    }

    pub(crate) fn mark_pooled(&self) {
        self.pooled.store(true, Ordering::Release);
    }

    /// Says whether the other side has a pool for calls that name no thread.
    pub(crate) fn has_pool(&self) -> bool {
        self.pooled.load(Ordering::Acquire)
    }

    pub(crate) fn mark_answered(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    /// Notes whether the other side answers.
    pub(crate) fn mark_hung(&self, hung: bool) {
        self.hung.store(hung, Ordering::Relaxed);
    }

    /// Says whether it would be for nothing to wait for what a drop does there.
    pub(crate) fn is_hung(&self) -> bool {
        self.hung.load(Ordering::Relaxed)
    }

    /// Wakes those who wait for the end and runs the callbacks. Not on the event loop.
    pub(crate) fn mark_ended(&self) {
        let mut state = self.state();
        state.ended = true;
        let callbacks = std::mem::take(&mut state.on_disconnect);
        drop(state);
        self.changed.notify_all();
        for callback in callbacks {
            callback();
        }
    }

    /// Counts one more thread made for the other side; `None` at the limit.
    pub(crate) fn take_thread(self: &Arc<Self>, limit: usize) -> Option<ThreadSlot> {
        let mut state = self.state();
        if state.threads >= limit {
            return None;
        }
        state.threads += 1;
        Some(ThreadSlot(self.clone()))
    }

    /// Counts one more call being served, with so many bytes of parameters.
    ///
    /// Calls that the other side gave up count, too, until their threads have come to them.
    pub(crate) fn serving(self: &Arc<Self>, bytes: usize) -> Result<Serving, Error> {
        let mut state = self.state();
        let Options { calls, bytes: most, .. } = self.options;
        if state.active >= calls {
            return Err(Error::Overloaded(format!("too many calls at once: {calls} are allowed")));
        }
        if state.active_bytes.saturating_add(bytes) > most {
            return Err(Error::Overloaded(format!("calls of more than {most} bytes")));
        }
        state.active += 1;
        state.active_bytes += bytes;
        Ok(Serving { shared: self.clone(), bytes })
    }
}

/// Counts a thread made for the other side.
pub(crate) struct ThreadSlot(Arc<Shared>);

impl Drop for ThreadSlot {
    fn drop(&mut self) {
        self.0.state().threads -= 1;
    }
}

/// Counts a call being served.
pub(crate) struct Serving {
    shared: Arc<Shared>,
    bytes: usize,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.active -= 1;
        state.active_bytes -= self.bytes;
        // Nobody waits for this before the end.
        if state.ended {
            drop(state);
            self.shared.changed.notify_all();
        }
    }
}

impl Connection {
    /// Connects to the process at the other end of a socket; returns its bootstrap object, of type `interface`.
    ///
    /// Does not wait: a peer that does not answer shows at the first call.
    ///
    /// # Errors
    /// If the socket cannot be set up.
    pub fn connect(
        event_loop: &EventLoop,
        stream: UnixStream,
        interface: &'static Interface,
        options: Options,
    ) -> std::io::Result<(Connection, Object)> {
        let connection = Self::attach(event_loop, stream, Role::Client { interface }, options)?;
        let bootstrap = Object::new(connection.shared.clone(), 0);
        Ok((connection, bootstrap))
    }

    /// Serves a bootstrap object to the process at the other end of a socket.
    ///
    /// # Errors
    /// If the socket cannot be set up.
    pub fn serve(
        event_loop: &EventLoop,
        stream: UnixStream,
        service: Arc<dyn Service>,
        options: Options,
    ) -> std::io::Result<Connection> {
        Self::attach(event_loop, stream, Role::Server { service }, options)
    }

    fn attach(event_loop: &EventLoop, stream: UnixStream, role: Role, options: Options) -> std::io::Result<Connection> {
        let shared = Shared::new(event_loop, stream, options)?;
        event_loop.reactor().push(Command::Attach { shared: shared.clone(), role });
        Ok(Connection { _closer: Some(Arc::new(Closer(shared.clone()))), shared })
    }

    /// A handle that does not keep the connection open.
    pub(crate) fn weak(shared: Arc<Shared>) -> Connection {
        Connection { shared, _closer: None }
    }

    /// Returns the name given to the other side.
    pub fn peer(&self) -> &str {
        &self.shared.options.peer
    }

    /// Says whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// Starts to end the connection. Calls in progress fail.
    pub fn close(&self) {
        self.shared.event_loop.reactor().push(Command::Close { connection: self.shared.id });
    }

    /// Has `callback` run once the connection ended, at once if it has.
    pub fn on_disconnect(&self, callback: impl FnOnce() + Send + 'static) {
        let mut state = self.shared.state();
        if !state.ended {
            state.on_disconnect.push(Box::new(callback));
            return;
        }
        drop(state);
        callback();
    }

    /// Waits until the connection ended.
    pub fn wait(&self) {
        let mut state = self.shared.state();
        while !state.ended {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until no call of the other side is being served and their results are on their way; `false` at the timeout.
    pub fn wait_served(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = self.shared.state();
        while state.active > 0 {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return false };
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Waits until the connection ended and no call of the other side is being served; `false` at the timeout.
    pub fn wait_idle(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = self.shared.state();
        while !state.ended || state.active > 0 {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return false };
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}
