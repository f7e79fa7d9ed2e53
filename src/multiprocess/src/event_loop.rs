//! The lock around the core, the queue in front of it, and the thread that runs it when nobody else does.
//!
//! Everything outside works on handles ([`crate::Object`], [`crate::Connection`]) that queue commands. Whoever queues
//! one carries it out, together with those of others, unless some thread is doing that already. The event loop's own
//! thread serves the connections that no thread leads (see [`crate::io`]).
//!
//! A program that waits for descriptors anyway can do that thread's work as well ([`EventLoop::host`]): what comes over
//! a connection then wakes no thread in between.
//!
//! **Invariant:** a command always ends. One that cannot be carried out is dropped, and what it carries (an answer
//! owed, a served call's result) answers itself when dropped. Inside the lock there is I/O and copying of messages,
//! and no user code: what may be the last to hold an object is dropped by a thread of its own.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;

use crate::connection::{Role, Shared};
use crate::core::{Chore, Core};
use crate::message::Message;
use crate::server::Leftovers;
use crate::thread::{AnswerTo, ThreadContext};
use crate::{Error, Method, Object, trace};

/// Something for the core to do.
pub(crate) enum Command {
    Attach {
        shared: Arc<Shared>,
        role: Role,
    },
    Ready {
        connection: u64,
    },
    Call(Box<CallCommand>),
    Cancel {
        connection: u64,
        ticket: u64,
    },
    Release {
        connection: u64,
        cap: usize,
    },
    Served {
        connection: u64,
        call: u64,
        result: Result<Message, Error>,
        leftovers: Leftovers,
    },
    /// A thread of ours has ended, or goes on as another (`heir`).
    ThreadGone {
        thread: u64,
        heir: Option<u64>,
    },
    Close {
        connection: u64,
    },
}

/// A call to make.
pub(crate) struct CallCommand {
    pub(crate) request: Request,
    pub(crate) answer: AnswerTo,
    /// When to give it up, unless whoever waits for it does.
    pub(crate) deadline: Option<Instant>,
}

/// What is sent of a call.
pub(crate) struct Request {
    pub(crate) target: Object,
    pub(crate) method: &'static Method,
    pub(crate) message: Message,
    /// Whose threads the context means; none where it means none.
    pub(crate) thread: Option<Arc<ThreadContext>>,
    pub(crate) caller: Option<Object>,
    pub(crate) ticket: u64,
    pub(crate) trace: Option<Arc<trace::Sent>>,
}

/// The core, its lock and its queue.
pub(crate) struct Reactor {
    pending: Mutex<Pending>,
    /// Gone once closed.
    core: Mutex<Option<Core>>,
    epoll: Arc<OwnedFd>,
    /// Wakes the event loop's thread.
    wake: OwnedFd,
    /// Where the event loop's thread waits while another does its work.
    hosted: Mutex<Hosted>,
    unhosted: Condvar,
}

#[derive(Default)]
struct Hosted {
    /// Another thread does the work.
    hosted: bool,
    /// There is something to look at again.
    woken: bool,
}

#[derive(Default)]
struct Pending {
    commands: Vec<Command>,
    closed: bool,
}

/// What the wake descriptor is called in epoll; connections count from 1.
const WAKE: u64 = 0;

/// Events taken from epoll at a time.
const EVENTS: usize = 64;

impl Reactor {
    fn new(chores: std::sync::mpsc::Sender<Chore>) -> std::io::Result<Arc<Reactor>> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &wake, EventData::new_u64(WAKE), EventFlags::IN)?;
        let core = Mutex::new(Some(Core::new(chores)));
        Ok(Arc::new(Reactor {
            pending: Mutex::default(),
            core,
            epoll: Arc::new(epoll),
            wake,
            hosted: Mutex::default(),
            unhosted: Condvar::new(),
        }))
    }

    /// Carries out a command, or leaves it to the thread that runs the core now; drops it if the loop has ended.
    pub(crate) fn push(self: &Arc<Self>, command: Command) {
        if !self.append(command) {
            return;
        }
        // Who holds the lock looks at the queue again after letting go of it.
        while self.has_pending() {
            let mut core = match self.core.try_lock() {
                Ok(core) => core,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            self.run(&mut core);
        }
    }

    /// Has the core serve a socket that has something to read; returns when that is done.
    pub(crate) fn ready(self: &Arc<Self>, connection: u64) {
        if self.append(Command::Ready { connection }) {
            self.run_pending();
        }
    }

    fn run_pending(self: &Arc<Self>) {
        while self.has_pending() {
            self.run(&mut self.core());
        }
    }

    fn run(self: &Arc<Self>, core: &mut Option<Core>) {
        match core {
            Some(core) => core.run(self),
            None => drop(self.take()),
        }
    }

    fn core(&self) -> MutexGuard<'_, Option<Core>> {
        // What panics inside is caught there.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_pending(&self) -> bool {
        !self.pending().commands.is_empty()
    }

    /// Queues a command; `false` if it was dropped because the loop has ended.
    fn append(&self, command: Command) -> bool {
        let mut pending = self.pending();
        if pending.closed {
            // What is dropped with it may push.
            drop(pending);
            drop(command);
            return false;
        }
        pending.commands.push(command);
        true
    }

    /// Takes what is queued, if anything is.
    pub(crate) fn take(&self) -> Option<Vec<Command>> {
        let commands = std::mem::take(&mut self.pending().commands);
        (!commands.is_empty()).then_some(commands)
    }

    /// Returns where sockets wait.
    pub(crate) fn epoll(&self) -> &Arc<OwnedFd> {
        &self.epoll
    }

    /// Has the event loop's thread look again at what it waits for.
    pub(crate) fn wake(&self) {
        // It fails only if so many wakes are waiting that one more makes no difference.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
        self.hosted().woken = true;
        self.unhosted.notify_all();
    }

    fn hosted(&self) -> MutexGuard<'_, Hosted> {
        self.hosted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.pending().closed = true;
        self.wake();
    }

    /// Waits while another thread does the work, until woken and at most for a time; `false` if none does.
    fn wait_unhosted(&self, limit: Option<Duration>) -> bool {
        let mut hosted = self.hosted();
        if hosted.hosted && !hosted.woken {
            hosted = match limit {
                None => self.unhosted.wait(hosted).unwrap_or_else(PoisonError::into_inner),
                Some(limit) => self.unhosted.wait_timeout(hosted, limit).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        hosted.woken = false;
        hosted.hosted
    }

    /// Says who does the work, and returns what was the case before.
    fn set_hosted(&self, hosted: bool) -> bool {
        let before = std::mem::replace(&mut self.hosted().hosted, hosted);
        self.wake();
        before
    }

    /// Waits for sockets and queues what they have; returns how many events there were.
    fn poll(&self, space: &mut [MaybeUninit<epoll::Event>], timeout: Option<&Timespec>) -> rustix::io::Result<usize> {
        let events = match epoll::wait(&self.epoll, space, timeout) {
            Ok((events, _)) => events,
            Err(Errno::INTR) => return Ok(0),
            Err(error) => return Err(error),
        };
        for event in &*events {
            match event.data.u64() {
                WAKE => {
                    let mut count = [0; 8];
                    // A wake that is gone already was seen already.
                    let _ = rustix::io::read(&self.wake, &mut count);
                }
                connection => drop(self.append(Command::Ready { connection })),
            }
        }
        Ok(events.len())
    }

    /// Serves sockets until closed: what the event loop's thread does.
    fn serve(self: &Arc<Self>) {
        let mut space = [const { MaybeUninit::uninit() }; EVENTS];
        while !self.pending().closed {
            let deadline = self.core().as_mut().and_then(Core::expire);
            // What others left to this thread meanwhile.
            self.run_pending();
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            if self.wait_unhosted(left) {
                continue;
            }
            if let Err(error) = self.poll(&mut space, timeout.as_ref()) {
                log::error!(target: "ipc", "the event loop cannot wait: {error}");
                break;
            }
        }
        self.close();
        let core = self.core().take();
        drop(core);
        // Whatever was queued after the end is answered by being dropped.
        drop(self.take());
    }
}

/// An event loop; ends when the last handle and the last connection are gone.
#[derive(Clone)]
pub struct EventLoop {
    owner: Arc<Owner>,
}

struct Owner {
    reactor: Arc<Reactor>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.reactor.close();
    }
}

/// The event loop as a thread with a poll loop of its own runs it. Dropping it gives the work back.
///
/// Whenever its descriptor is readable, [`Host::turn`] is due.
pub struct Host {
    owner: Arc<Owner>,
}

impl Host {
    /// Serves the sockets that have something to read or room to write. Does not wait.
    ///
    /// # Errors
    /// What the system says.
    pub fn turn(&self) -> std::io::Result<()> {
        let mut space = [const { MaybeUninit::uninit() }; EVENTS];
        let reactor = &self.owner.reactor;
        // All there is now, for those who are told only of changes: what comes later is one.
        let mut more = true;
        while more {
            more = reactor.poll(&mut space, Some(&Timespec::default()))? == EVENTS;
            reactor.run_pending();
        }
        Ok(())
    }
}

impl AsFd for Host {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.owner.reactor.epoll.as_fd()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.owner.reactor.set_hosted(false);
    }
}

impl EventLoop {
    /// Lets the caller do the event loop's waiting; `None` if somebody does already.
    pub fn host(&self) -> Option<Host> {
        (!self.owner.reactor.set_hosted(true)).then(|| Host { owner: self.owner.clone() })
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// If the system has no thread or no descriptor left.
    pub fn start() -> std::io::Result<EventLoop> {
        let (chores, todo) = std::sync::mpsc::channel::<Chore>();
        let reactor = Reactor::new(chores)?;
        std::thread::Builder::new().name("capnp-chores".into()).spawn(move || {
            for chore in todo {
                if catch_unwind(AssertUnwindSafe(chore)).is_err() {
                    log::error!(target: "ipc", "dropping an object panicked");
                }
            }
        })?;
        let serving = reactor.clone();
        std::thread::Builder::new().name("capnp-loop".into()).spawn(move || serving.serve())?;
        Ok(EventLoop { owner: Arc::new(Owner { reactor }) })
    }

    pub(crate) fn reactor(&self) -> &Arc<Reactor> {
        &self.owner.reactor
    }
}
