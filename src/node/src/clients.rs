//! What other programs get that connect to this node (`-ipcbind`): for each connection a bootstrap object that makes
//! what its socket offers, and nothing else.
//!
//! A [`Client`] stands for one connection. When it is dropped, because the other side is gone, whatever still waits on
//! its behalf ends, and the memory its objects held is free again.
//!
//! **Invariant:** an object reachable from a client's bootstrap object is of an interface that its [`Offer`] allows.

mod budget;
mod init;
mod mining;
mod rpc;
mod template;
mod wait;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use common::args::Args;
use interfaces::{Error, Identity, Init, Result};

use crate::NodeContext;
use crate::shutdown::Shutdown;
use budget::{Budget, Held};
use init::ClientInit;

/// Megabytes that the objects of all clients may take together, unless `-ipcmemory` says otherwise.
const ALL_MEMORY: i64 = 1024;

/// The highest number for `-ipcmemory`.
const MOST_MEMORY: i64 = 1 << 20;

/// Listens at an `-ipcbind` address, with the data directory of the chain for relative ones. The error is for the user.
pub type Listen = Box<dyn Fn(&str, &Path, Arc<Clients>) -> std::result::Result<Box<dyn Listening>, String> + Send>;

/// A socket that is listened on.
pub trait Listening: Send {
    /// Returns its address in full.
    fn address(&self) -> String;

    /// Takes no more clients, lets calls that are about to end do so, and disconnects.
    fn close(self: Box<Self>);
}

/// What one socket offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// `Echo`.
    pub echo: bool,
    /// `Mining`, in the present and the former version.
    pub mining: bool,
    /// `Rpc`: everything the node can do.
    pub rpc: bool,
    /// Bytes that the objects of one client may take, block templates above all.
    pub memory: usize,
}

impl Default for Offer {
    /// Everything, as Bitcoin Core does.
    fn default() -> Self {
        Offer { echo: true, mining: true, rpc: true, memory: 256 << 20 }
    }
}

/// Makes clients; there is one for the node.
pub struct Clients {
    identity: Identity,
    json_rpc: ::rpc::server::JsonRpc,
    shutdown: Arc<Shutdown>,
    memory: Arc<Budget>,
    context: Mutex<Option<Arc<NodeContext>>>,
    changed: Condvar,
}

impl Clients {
    /// Reads `-ipcmemory`: the bytes that the objects of all clients may take together. The error is for the user.
    pub(crate) fn memory(args: &Args) -> std::result::Result<usize, String> {
        let megabytes = args.opt_int("ipcmemory").unwrap_or(ALL_MEMORY);
        let valid = usize::try_from(megabytes).ok().filter(|_| (1..=MOST_MEMORY).contains(&megabytes));
        let bytes = valid.map(|megabytes| megabytes.saturating_mul(1 << 20));
        bytes.ok_or_else(|| format!("-ipcmemory must be a number of megabytes from 1 to {MOST_MEMORY}"))
    }

    /// Makes it for the node that `identity` says; `memory` bytes is what the objects of all clients may take together.
    pub(crate) fn new(
        identity: Identity,
        json_rpc: ::rpc::server::JsonRpc,
        shutdown: Arc<Shutdown>,
        memory: usize,
    ) -> Arc<Self> {
        let memory = Budget::new(memory, "all clients");
        let (context, changed) = (Mutex::default(), Condvar::new());
        let clients = Arc::new(Clients { identity, json_rpc, shutdown, memory, context, changed });
        let waiting = Arc::downgrade(&clients);
        clients.shutdown.on_request(move || {
            if let Some(clients) = waiting.upgrade() {
                clients.wake();
            }
        });
        clients
    }

    /// Takes bytes of the memory that all clients may take together (`-ipcmemory`), for what is held for them on the way
    /// to their objects; `false`, and takes none, if there are not as many.
    pub fn take_memory(&self, bytes: usize) -> bool {
        self.memory.try_take(bytes).is_ok()
    }

    /// Gives back bytes taken with [`Self::take_memory`].
    pub fn give_back_memory(&self, bytes: usize) {
        self.memory.give_back(bytes);
    }

    /// Lets clients have the node, once it is loaded; `None` takes it from them again.
    pub(crate) fn set_context(&self, context: Option<Arc<NodeContext>>) {
        *self.context.lock().unwrap_or_else(PoisonError::into_inner) = context;
        self.wake();
    }

    fn wake(&self) {
        let _guard = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        self.changed.notify_all();
    }

    /// Waits until the node is loaded.
    fn context(&self, session: &Session) -> Result<Arc<NodeContext>> {
        let mut context = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if self.shutdown.is_requested() || session.is_over() {
                return Err(Error::internal("the node is shutting down"));
            }
            if let Some(context) = &*context {
                return Ok(context.clone());
            }
            context = self.changed.wait_timeout(context, wait::TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes a client of a socket that offers `offer`.
    pub fn connect(self: &Arc<Self>, offer: Offer) -> Client {
        let memory = Budget::new(offer.memory, "this client");
        let session = Arc::new(Session { over: AtomicBool::new(false), memory, all_memory: self.memory.clone() });
        let init = Arc::new(ClientInit::new(self.clone(), offer, session.clone()));
        Client { init, session }
    }
}

/// One connected program. Dropping it ends what waits on its behalf.
pub struct Client {
    init: Arc<dyn Init>,
    session: Arc<Session>,
}

impl Client {
    /// Returns its bootstrap object.
    pub fn init(&self) -> Arc<dyn Init> {
        self.init.clone()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.session.over.store(true, Ordering::Release);
    }
}

/// What the objects of one client share.
struct Session {
    over: AtomicBool,
    memory: Arc<Budget>,
    all_memory: Arc<Budget>,
}

impl Session {
    /// Takes memory for an object.
    fn take(&self, bytes: usize) -> Result<[Held; 2]> {
        Ok([self.memory.take(bytes)?, self.all_memory.take(bytes)?])
    }

    /// Says whether the client is gone.
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}
