//! The HTTP server: listens, checks who may ask what, and runs commands on worker threads.
//!
//! One thread named `http` runs all network I/O, and no command that could keep it. Complete requests from authenticated
//! users go through a bounded queue to worker threads; a full queue is answered at once. Two kinds of command need no
//! worker: of one that runs in another process the network thread awaits the answer, and one that takes less time than a
//! worker would to wake up, and has nobody to wait for, it runs itself, as long as a worker would be free for it. Where
//! the network thread cannot await the other process, workers do that are there for nothing else: a process that hangs
//! keeps the callers of its own commands only.
//! [`Server::stop`] lets running commands finish and their answers leave before it returns.
//!
//! **Invariant:** a request without valid credentials never reaches a worker thread.

mod auth;
mod body;
mod config;
mod cookie;
mod endpoint;
#[doc(hidden)]
pub mod fuzz;
mod guesses;
mod http;
mod io;
mod jsonrpc;
mod workers;

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

pub use common::subnet::Subnet;
pub use config::{Cookie, ServerConfig};

use crate::{CommandSet, Registry};
use auth::Auth;
use cookie::CookieFile;
use guesses::Guesses;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;
use workers::Workers;

/// How long clients may take to read their last answer at the end.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// How long a wrong password takes; how many there may be in that time is in [`guesses`].
const WRONG_PASSWORD_DELAY: Duration = Duration::from_millis(250);

/// Most commands that run elsewhere at a time, whatever the options say.
const MOST_ELSEWHERE: u32 = 1 << 16;

/// What names of threads begin with that wait for another process.
const ELSEWHERE: &str = "http-ipc";

/// Why the server could not start. `Display` is for the user; details were logged where they happened.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// `-rpcallowip` is not a network.
    #[error(
        "Invalid -rpcallowip subnet specification: {0}. Valid values are a single IP (e.g. 1.2.3.4), a \
         network/netmask (e.g. 1.2.3.4/255.255.255.0), a network/CIDR (e.g. 1.2.3.4/24), all ipv4 (0.0.0.0/0), or all \
         ipv6 (::/0). RFC4193 is allowed only if -cjdnsreachable=0."
    )]
    AllowIp(String),
    /// `-rpcbind` has a bad port.
    #[error("Invalid port specified in -rpcbind: '{0}'")]
    BindPort(String),
    /// No address could be listened on, credentials are wrong, or the cookie file cannot be written.
    #[error("Unable to start HTTP server. See debug log for details.")]
    Start,
}

/// What connections and workers share.
struct Shared {
    registry: Arc<Registry>,
    auth: Arc<Auth>,
    allowed: Vec<Subnet>,
    workers: Workers,
    /// The same for commands that run elsewhere, once there was one to be waited for.
    workers_elsewhere: OnceLock<Option<Workers>>,
    threads: usize,
    work_queue: usize,
    /// Room for commands that run elsewhere and keep no worker: as many as workers and queue take.
    elsewhere: Arc<Semaphore>,
    room: u32,
    timeout: Option<Duration>,
    guesses: Guesses,
    /// New requests are turned away.
    rejecting: AtomicBool,
}

impl Shared {
    /// Starts the workers.
    fn new(config: ServerConfig, auth: Auth) -> std::io::Result<Shared> {
        let room = u32::try_from(config.threads.saturating_add(config.work_queue))
            .map_or(MOST_ELSEWHERE, |room| room.min(MOST_ELSEWHERE));
        Ok(Shared {
            registry: Arc::new(Registry::new()),
            auth: Arc::new(auth),
            allowed: config.allowed,
            workers: Workers::start("http", config.threads, config.work_queue)?,
            workers_elsewhere: OnceLock::new(),
            threads: config.threads,
            work_queue: config.work_queue,
            elsewhere: Arc::new(Semaphore::new(room as usize)),
            room,
            timeout: config.timeout,
            guesses: Guesses::new(WRONG_PASSWORD_DELAY),
            rejecting: AtomicBool::new(false),
        })
    }

    /// Returns the workers for commands that run elsewhere, and starts them if there are none.
    fn workers_elsewhere(&self) -> Option<&Workers> {
        let start = || match Workers::start(ELSEWHERE, self.threads, self.work_queue) {
            Ok(workers) => Some(workers),
            Err(error) => {
                log::error!("cannot start threads for commands of another process: {error}");
                None
            }
        };
        self.workers_elsewhere.get_or_init(start).as_ref()
    }
}

/// A running server. Dropping it stops it.
pub struct Server {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    stop: Mutex<Option<Stop>>,
}

/// Answers JSON-RPC requests that come another way than over HTTP, with the same commands and the same limits on users.
#[derive(Clone)]
pub struct JsonRpc {
    registry: Arc<Registry>,
    auth: Arc<Auth>,
}

impl JsonRpc {
    /// Answers for a program without HTTP server, which limits no user.
    pub fn without_server(registry: Arc<Registry>) -> Self {
        JsonRpc { registry, auth: Arc::default() }
    }

    /// Answers one request or batch in JSON; `null` where HTTP has no body.
    pub fn answer(&self, request: &str, uri: &str, user: &str) -> String {
        let origin = jsonrpc::Origin { user, uri, peer: None };
        let (_, reply) = jsonrpc::answer(&self.registry, &self.auth, origin, request.as_bytes());
        reply.map_or_else(
            || "null".to_owned(),
            |reply| String::from_utf8(jsonrpc::escape_delete(reply)).expect("JSON is text"),
        )
    }
}

/// Other work that comes with a descriptor, done by the network thread between its own: what the thread is about to need
/// anyway, such as answers from another process, then wakes no other thread first.
pub trait Companion: AsFd + Send + Sync {
    /// Does what is due now that the descriptor is readable, all of it, without waiting.
    ///
    /// # Errors
    /// What the system says; the companion is dropped then.
    fn turn(&self) -> std::io::Result<()>;
}

/// What is left to do at the end; taken once.
struct Stop {
    close: tokio::sync::watch::Sender<bool>,
    companions: UnboundedSender<Box<dyn Companion>>,
    thread: JoinHandle<()>,
    cookie: Option<CookieFile>,
}

impl Server {
    /// Listens and answers from now on; until [`Server::finish_warmup`] the answer is that commands do not run yet.
    pub fn bind(config: ServerConfig) -> Result<Server, ServerError> {
        // First, because a server that runs elsewhere must keep its cookie file.
        let listeners = endpoint::listen(&config.endpoints)?;
        log::debug!(target: "http", "Initialized HTTP server");
        log::debug!(target: "http", "set work queue of depth {}", config.work_queue);
        log::debug!(target: "rpc", "Starting RPC");
        log::debug!(target: "rpc", "Starting HTTP RPC server");
        let (auth, cookie) = Auth::new(&config)?;
        let addresses = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        log::info!("Starting HTTP server with {} worker threads", config.threads);
        let start_failed = |error: std::io::Error| {
            log::error!("cannot start the threads of the HTTP server: {error}");
            ServerError::Start
        };
        let shared = Arc::new(Shared::new(config, auth).map_err(start_failed)?);
        let (close, closed) = tokio::sync::watch::channel(false);
        let (companions, arriving) = tokio::sync::mpsc::unbounded_channel();
        let thread = http::start(listeners, shared.clone(), arriving, closed).map_err(start_failed)?;
        Ok(Server { shared, addresses, stop: Mutex::new(Some(Stop { close, companions, thread, cookie })) })
    }

    /// Returns the commands, also for other ways to call them.
    pub fn registry(&self) -> Arc<Registry> {
        self.shared.registry.clone()
    }

    /// Returns a way to the commands besides HTTP.
    pub fn json_rpc(&self) -> JsonRpc {
        JsonRpc { registry: self.shared.registry.clone(), auth: self.shared.auth.clone() }
    }

    /// Returns the addresses listened on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Adds commands.
    pub fn add(&self, commands: Arc<dyn CommandSet>) {
        self.shared.registry.add(commands);
    }

    /// Sets what requests are told while the program starts.
    pub fn set_warmup(&self, status: &str) {
        self.shared.registry.set_warmup(status);
    }

    /// Lets commands run.
    pub fn finish_warmup(&self) {
        self.shared.registry.finish_warmup();
    }

    /// Has the network thread do other work besides, until the server stops.
    pub fn accompany(&self, companion: Box<dyn Companion>) {
        if let Some(stop) = &*self.stop.lock().unwrap_or_else(PoisonError::into_inner) {
            // An error means that the thread is gone, and with it the need.
            let _ = stop.companions.send(companion);
        }
    }

    /// Turns new requests away and asks commands that wait to give up.
    pub fn interrupt(&self) {
        log::debug!(target: "http", "Interrupting HTTP server");
        self.shared.rejecting.store(true, Ordering::SeqCst);
        log::debug!(target: "rpc", "Interrupting HTTP RPC server");
        log::debug!(target: "rpc", "Interrupting RPC");
        self.shared.registry.interrupt();
    }

    /// Waits for running commands and for their answers to leave, closes all connections and removes the cookie file.
    /// Does nothing the second time.
    pub fn stop(&self) {
        let Some(stop) = self.stop.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        if !self.shared.rejecting.load(Ordering::SeqCst) {
            self.interrupt();
        }
        log::debug!(target: "rpc", "Stopping HTTP RPC server");
        log::debug!(target: "http", "Stopping HTTP server");
        log::debug!(target: "http", "Waiting for HTTP worker threads to exit");
        self.shared.workers.stop();
        if let Some(Some(workers)) = self.shared.workers_elsewhere.get() {
            workers.stop();
        }
        // An error means the network thread is gone already.
        let _ = stop.close.send(true);
        if stop.thread.join().is_err() {
            log::error!("the thread of the HTTP server panicked");
        }
        drop(stop.cookie);
        log::debug!(target: "rpc", "RPC stopped.");
        log::debug!(target: "http", "Stopped HTTP server");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
