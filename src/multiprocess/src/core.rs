//! Everything of Cap'n Proto that a process has: connections, capabilities, and the tasks that run them.
//!
//! Cap'n Proto's objects count references without locks, so that only one thread at a time may touch any of them. They
//! all live in the core, and the core is behind the one lock of [`crate::event_loop`]: the thread that has something
//! for them to do takes it and does it, instead of asking another thread to. That saves a call the two changes of
//! thread on either side that a thread of their own would cost (`doc/adr/0002-shared-event-loop.md`).
//!
//! **Invariant:** no reference-counted object of Cap'n Proto leaves the core. What leaves it is `Send`, checked by the
//! compiler: it goes through the queues of threads ([`crate::thread`]) and the chores.
#![allow(unsafe_code, reason = "see `Core`")]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;

use crate::event_loop::{CallCommand, Command, Reactor};
use crate::executor::{Executor, Spawner};
use crate::io::Io;
use crate::network::{Channel, Dirty};
use crate::peer::Peer;

/// Work taken off the core: dropping served objects, telling that a connection ended.
pub(crate) type Chore = Box<dyn FnOnce() + Send>;

/// Connections by id.
pub(crate) type Peers = Rc<RefCell<HashMap<u64, Rc<Peer>>>>;

/// What connections share.
#[derive(Clone)]
pub(crate) struct Local {
    pub(crate) peers: Peers,
    pub(crate) spawner: Spawner,
    pub(crate) chores: Sender<Chore>,
    /// Connections with messages to send.
    pub(crate) dirty: Dirty,
    /// What is to be given up, and when.
    deadlines: Rc<RefCell<BTreeSet<(Instant, Due)>>>,
}

/// What is given up at a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// A connection that is being closed.
    Connection(u64),
    /// A call that no thread waits for: its connection and its ticket.
    Call(u64, u64),
    /// A message that is there in part: its connection.
    Message(u64),
}

impl Local {
    /// Gives something up at `deadline`, if it is still there. Says whether nothing else is due before.
    pub(crate) fn end_at(&self, deadline: Instant, due: Due) -> bool {
        let mut deadlines = self.deadlines.borrow_mut();
        deadlines.insert((deadline, due));
        deadlines.first() == Some(&(deadline, due))
    }

    /// Forgets a deadline.
    pub(crate) fn in_time(&self, deadline: Instant, due: Due) {
        self.deadlines.borrow_mut().remove(&(deadline, due));
    }
}

/// The objects behind the lock.
pub(crate) struct Core {
    local: Local,
    executor: Executor,
    /// Sockets to be waited for again.
    fired: Vec<Arc<Io>>,
}

// SAFETY: what keeps `Core` from being `Send` are reference counts without locks (`Rc`) and cells, of this crate and of
// capnp-rpc. All owners of such an object are inside the same core: this module and those it calls (`peer`, `server`,
// `thread_map`, `executor`, `network`) keep them in `Local` and in the executor's tasks, none of them nor
// capnp-rpc uses thread-local storage, and whatever they hand to a thread or a chore has to be `Send` by its type. So
// moving the core moves all owners at once, and the lock orders what one thread did before what the next one does.
unsafe impl Send for Core {}

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Says whether the current thread runs the core: it must not wait for it.
pub(crate) fn inside() -> bool {
    INSIDE.with(Cell::get)
}

/// Marks the current thread as inside the core.
struct Inside;

impl Inside {
    fn enter() -> Self {
        INSIDE.with(|inside| inside.set(true));
        Inside
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.with(|inside| inside.set(false));
    }
}

impl Core {
    pub(crate) fn new(chores: Sender<Chore>) -> Self {
        let spawner = Spawner::default();
        let local = Local {
            peers: Peers::default(),
            spawner: spawner.clone(),
            chores,
            dirty: Dirty::default(),
            deadlines: Rc::default(),
        };
        Core { local, executor: Executor::new(spawner), fired: Vec::new() }
    }

    /// Carries out what is queued and runs the tasks that can go on, until nothing is left to do.
    pub(crate) fn run(&mut self, reactor: &Arc<Reactor>) {
        let _inside = Inside::enter();
        loop {
            // All commands first: what they send leaves in one system call.
            let mut idle = true;
            while let Some(commands) = reactor.take() {
                idle = false;
                for command in commands {
                    if catch_unwind(AssertUnwindSafe(|| self.execute(command, reactor))).is_err() {
                        log::error!(target: "ipc", "the event loop panicked on a command");
                    }
                }
            }
            if idle {
                return;
            }
            self.run_tasks();
            for io in std::mem::take(&mut self.fired) {
                if io.is_deaf()
                    && let Some(peer) = self.peer(io.id())
                {
                    peer.end_soon();
                }
                io.arm();
            }
        }
    }

    /// Runs the tasks that can go on, and sends what they leave.
    fn run_tasks(&mut self) {
        loop {
            if catch_unwind(AssertUnwindSafe(|| self.executor.run())).is_err() {
                log::error!(target: "ipc", "a task of the event loop panicked");
                continue;
            }
            let dirty = std::mem::take(&mut *self.local.dirty.borrow_mut());
            if dirty.is_empty() {
                return;
            }
            dirty.iter().for_each(Channel::flush);
        }
    }

    /// Gives up what is due; returns when the next is.
    pub(crate) fn expire(&mut self) -> Option<Instant> {
        let _inside = Inside::enter();
        let now = Instant::now();
        loop {
            let mut deadlines = self.local.deadlines.borrow_mut();
            let Some((at, due)) = deadlines.first().copied() else { break };
            if at > now {
                break;
            }
            deadlines.pop_first();
            drop(deadlines);
            // A waker of a program's own may panic.
            let gave_up = catch_unwind(AssertUnwindSafe(|| match due {
                Due::Connection(connection) => self.peer(connection).into_iter().for_each(|peer| peer.ended()),
                Due::Call(connection, ticket) => {
                    self.peer(connection).into_iter().for_each(|peer| peer.timed_out(ticket));
                }
                Due::Message(connection) => {
                    self.peer(connection).into_iter().for_each(|peer| peer.check_message());
                }
            }));
            if gave_up.is_err() {
                log::error!(target: "ipc", "the event loop panicked on a deadline");
            }
        }
        self.run_tasks();
        self.local.deadlines.borrow().first().map(|(at, _)| *at)
    }

    /// Has something dropped elsewhere: it may be the last to hold an object.
    fn discard(&self, unwanted: impl Send + 'static) {
        // The receiver outlives the core's sender.
        let _ = self.local.chores.send(Box::new(move || drop(unwanted)));
    }

    fn peer(&self, connection: u64) -> Option<Rc<Peer>> {
        self.local.peers.borrow().get(&connection).cloned()
    }

    fn execute(&mut self, command: Command, reactor: &Arc<Reactor>) {
        match command {
            Command::Attach { shared, role } => Peer::attach(shared, role, reactor, &self.local),
            Command::Ready { connection } => {
                if let Some(peer) = self.peer(connection) {
                    self.fired.push(peer.ready());
                }
            }
            Command::Call(call) => match self.peer(call.request.target.connection_id()) {
                Some(peer) => peer.call(*call),
                None => {
                    let CallCommand { answer, request, .. } = *call;
                    drop(answer);
                    self.discard(request);
                }
            },
            Command::Cancel { connection, ticket } => {
                if let Some(peer) = self.peer(connection) {
                    peer.cancel(ticket);
                }
            }
            Command::Release { connection, cap } => {
                if let Some(peer) = self.peer(connection) {
                    peer.release(cap);
                }
            }
            Command::Served { connection, call, result, leftovers } => {
                match self.peer(connection) {
                    Some(peer) => peer.served(call, result),
                    None => self.discard(result),
                }
                // The releases this queues are sent together with the result.
                drop(leftovers);
            }
            Command::ThreadGone { thread, heir } => {
                let all: Vec<_> = self.local.peers.borrow().values().cloned().collect();
                for peer in all {
                    peer.thread_gone(thread, heir);
                }
            }
            Command::Close { connection } => {
                if let Some(peer) = self.peer(connection) {
                    peer.close();
                }
            }
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        let _inside = Inside::enter();
        let open: Vec<_> = self.local.peers.borrow_mut().drain().map(|(_, peer)| peer).collect();
        for peer in open {
            peer.let_go();
        }
        self.run_tasks();
    }
}
