//! The thread that owns every Cap'n Proto object, and the queue through which all others reach it.
//!
//! Cap'n Proto's objects belong to one thread. Everything outside it works on handles ([`crate::Object`],
//! [`crate::Connection`]) that queue commands here. The loop does I/O and copies messages; it calls no user code.
//!
//! **Invariant:** a command always ends. One that cannot be carried out is dropped, and what it carries (an answer
//! owed, a served call's result) answers itself when dropped.

use std::cell::RefCell;
use std::collections::HashMap;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::task::LocalSet;

use crate::connection::{Role, Shared};
use crate::message::Message;
use crate::peer::Peer;
use crate::server::Leftovers;
use crate::thread::{AnswerTo, ThreadContext, mark_loop_thread};
use crate::{Error, Method, Object};

/// How many batches of commands are carried out in a row.
const ROUNDS: u32 = 4;

/// Something for the event loop to do.
pub(crate) enum Command {
    Attach { stream: UnixStream, shared: Arc<Shared>, role: Role },
    Call(Box<CallCommand>),
    Cancel { connection: u64, ticket: u64 },
    Release { connection: u64, cap: usize },
    Served { connection: u64, call: u64, result: Result<Message, Error>, leftovers: Leftovers },
    ThreadGone { thread: u64 },
    Close { connection: u64 },
}

/// A call to make.
pub(crate) struct CallCommand {
    pub(crate) target: Object,
    pub(crate) method: &'static Method,
    pub(crate) message: Message,
    pub(crate) thread: Arc<ThreadContext>,
    pub(crate) caller: Option<Object>,
    pub(crate) ticket: u64,
    pub(crate) answer: AnswerTo,
}

/// Commands on their way to an event loop.
#[derive(Default)]
pub(crate) struct Queue {
    pending: Mutex<Pending>,
    notify: Notify,
}

#[derive(Default)]
struct Pending {
    commands: Vec<Command>,
    closed: bool,
}

impl Queue {
    /// Queues a command; drops it if the loop has ended.
    pub(crate) fn push(&self, command: Command) {
        self.push_with(|| command);
    }

    /// Like [`Self::push`], with the command made in the order of the queue.
    pub(crate) fn push_with(&self, command: impl FnOnce() -> Command) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.closed {
            drop(pending);
            drop(command());
            return;
        }
        pending.commands.push(command());
        let first = pending.commands.len() == 1;
        drop(pending);
        if first {
            self.notify.notify_one();
        }
    }

    fn close(&self) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.closed = true;
        drop(pending);
        self.notify.notify_one();
    }

    /// Takes what is queued; `None` once closed and empty.
    fn take(&self) -> Option<Vec<Command>> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.closed && pending.commands.is_empty() {
            return None;
        }
        Some(std::mem::take(&mut pending.commands))
    }
}

/// An event loop on a thread of its own; ends when the last handle and the last connection are gone.
#[derive(Clone)]
pub struct EventLoop {
    owner: Arc<Owner>,
}

struct Owner {
    queue: Arc<Queue>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// Work taken off the event loop: dropping served objects, telling that a connection ended.
pub(crate) type Chore = Box<dyn FnOnce() + Send>;

impl EventLoop {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system has no thread or no descriptor left.
    pub fn start() -> std::io::Result<EventLoop> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let queue = Arc::new(Queue::default());
        let (chores, todo) = std::sync::mpsc::channel::<Chore>();
        std::thread::Builder::new().name("capnp-chores".into()).spawn(move || {
            for chore in todo {
                if catch_unwind(AssertUnwindSafe(chore)).is_err() {
                    log::error!(target: "ipc", "dropping an object panicked");
                }
            }
        })?;
        let commands = queue.clone();
        std::thread::Builder::new().name("capnp-loop".into()).spawn(move || {
            mark_loop_thread();
            let local = LocalSet::new();
            local.block_on(&runtime, run(&commands, chores));
            drop(local);
            // Whatever was queued after the end is answered by being dropped.
            commands.close();
            drop(commands.take());
        })?;
        Ok(EventLoop { owner: Arc::new(Owner { queue }) })
    }

    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.owner.queue
    }
}

/// Connections by id.
pub(crate) type Peers = Rc<RefCell<HashMap<u64, Rc<Peer>>>>;

async fn run(queue: &Arc<Queue>, chores: Sender<Chore>) {
    let peers = Peers::default();
    let mut rounds = 0;
    while let Some(commands) = queue.take() {
        if commands.is_empty() {
            queue.notify.notified().await;
            rounds = 0;
        }
        rounds += 1;
        if rounds > ROUNDS {
            // The sockets get their turn even if commands keep coming.
            tokio::task::yield_now().await;
            rounds = 0;
        }
        for command in commands {
            let done = catch_unwind(AssertUnwindSafe(|| execute(command, queue, &peers, &chores)));
            if done.is_err() {
                log::error!(target: "ipc", "the event loop panicked on a command");
            }
        }
    }
    let open: Vec<_> = peers.borrow_mut().drain().map(|(_, peer)| peer).collect();
    for peer in open {
        peer.ended();
    }
}

fn execute(command: Command, queue: &Arc<Queue>, peers: &Peers, chores: &Sender<Chore>) {
    let peer = |connection: u64| peers.borrow().get(&connection).cloned();
    match command {
        Command::Attach { stream, shared, role } => Peer::attach(stream, shared, role, queue, peers, chores),
        Command::Call(call) => {
            if let Some(peer) = peer(call.target.connection_id()) {
                peer.call(*call);
            }
        }
        Command::Cancel { connection, ticket } => {
            if let Some(peer) = peer(connection) {
                peer.cancel(ticket);
            }
        }
        Command::Release { connection, cap } => {
            if let Some(peer) = peer(connection) {
                peer.release(cap);
            }
        }
        Command::Served { connection, call, result, leftovers } => {
            if let Some(peer) = peer(connection) {
                peer.served(call, result);
            }
            // The releases this queues are sent together with the result.
            drop(leftovers);
        }
        Command::ThreadGone { thread } => {
            let all: Vec<_> = peers.borrow().values().cloned().collect();
            for peer in all {
                peer.thread_gone(thread);
            }
        }
        Command::Close { connection } => {
            if let Some(peer) = peer(connection) {
                peer.close();
            }
        }
    }
}
