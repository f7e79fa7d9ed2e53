//! The threads that the other side has made for ours (`ThreadMap.makeThread`), and which of them serves whom.
//!
//! Each of our threads has one of its own there, asked for with its first call. Where the other side makes no more of
//! them, the call goes to one that others have, too: to the one with the fewest calls, and each time that the thread has
//! none in progress anew. After a call that was given up, which its thread over there may be busy with for long, another is
//! asked for in the same way; the former ends there with that call.
//!
//! **Invariant:** all calls that one of our threads has in progress are with one worker, and so run in order.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use capnp::ErrorKind;
use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::Shared;

use crate::event_loop::Request;
use crate::peer::Peer;
use crate::proxy_capnp::thread;
use crate::thread::ThreadContext;

/// How long a refusal to make a thread counts for those who want one, too.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// A thread of the other side.
pub(crate) struct Worker {
    thread: RefCell<thread::Client>,
    /// While it is not known whether it was made: gets ready with that.
    asked: RefCell<Option<Shared<oneshot::Receiver<()>>>>,
    /// The calls sent to it meanwhile, to be sent to another if it is not.
    waiting: RefCell<Vec<Request>>,
    /// Whom it is to replace.
    instead: RefCell<Option<Rc<Worker>>>,
    /// Calls in progress.
    calls: Cell<usize>,
    /// The latest call that was given up, and the latest that was answered, by ticket.
    given_up: Cell<u64>,
    answered: Cell<u64>,
}

/// How a call of ours has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// With results: all that came to its worker before has ended, too.
    Answered,
    Failed,
    GivenUp,
}

impl Worker {
    fn new(thread: thread::Client, asked: oneshot::Receiver<()>, instead: Option<Rc<Worker>>) -> Rc<Self> {
        Rc::new(Worker {
            thread: RefCell::new(thread),
            asked: RefCell::new(Some(asked.shared())),
            waiting: RefCell::default(),
            instead: RefCell::new(instead),
            calls: Cell::default(),
            given_up: Cell::default(),
            answered: Cell::default(),
        })
    }

    pub(crate) fn thread(&self) -> thread::Client {
        self.thread.borrow().clone()
    }

    /// What gets ready once it is known whether it was made; nothing if it is.
    pub(crate) fn asked(&self) -> Option<Shared<oneshot::Receiver<()>>> {
        self.asked.borrow().clone()
    }

    /// Keeps a call that was sent to it until it is known whether it was made.
    pub(crate) fn keep(&self, request: Request) {
        self.waiting.borrow_mut().push(request);
    }

    /// May be busy with a call that was given up.
    fn is_stuck(&self) -> bool {
        self.given_up > self.answered
    }
}

/// Which worker serves a thread of ours, and how many calls of that thread are in progress.
struct Seat {
    worker: Rc<Worker>,
    calls: usize,
}

/// The workers of a connection.
#[derive(Default)]
pub(crate) struct Workers {
    /// By the id of our thread.
    seats: HashMap<u64, Seat>,
    /// The last one, where its thread has ended: as long as those of others that ended before are busy with calls given up,
    /// or not gone yet, there may be no other.
    spare: Option<Rc<Worker>>,
    /// When the other side last refused to make one.
    refused: Option<Instant>,
}

impl Workers {
    /// The one for a thread's next call; none if another is to be asked for.
    fn choose(&mut self, thread: u64) -> Option<Rc<Worker>> {
        if let Some(Seat { worker, calls }) = self.seats.get(&thread)
            && (*calls > 0 || (worker.calls.get() == 0 && !worker.is_stuck()) || worker.asked.borrow().is_some())
        {
            return Some(worker.clone());
        }
        self.refused.filter(|at| at.elapsed() < ASK_AGAIN)?;
        let worker = self.least_used()?;
        self.seats.insert(thread, Seat { worker: worker.clone(), calls: 0 });
        Some(worker)
    }

    /// The one with the fewest calls of those that are made.
    fn least_used(&self) -> Option<Rc<Worker>> {
        let made = |worker: &Rc<Worker>| match &*worker.asked.borrow() {
            Some(_) => worker.instead.borrow().clone(),
            None => Some(worker.clone()),
        };
        let all = self.seats.values().map(|seat| &seat.worker).chain(&self.spare).filter_map(made);
        all.min_by_key(|worker| (worker.is_stuck(), worker.calls.get()))
    }

    /// Puts another in the place of one that is not made. Returns it, if there is one.
    fn replace(&mut self, refused: &Rc<Worker>) -> Option<Rc<Worker>> {
        let shared = self.least_used();
        match &shared {
            None => self.seats.retain(|_, seat| !Rc::ptr_eq(&seat.worker, refused)),
            Some(shared) => {
                self.refused = Some(Instant::now());
                let seats = self.seats.values_mut().filter(|seat| Rc::ptr_eq(&seat.worker, refused));
                seats.for_each(|seat| *seat = Seat { worker: shared.clone(), calls: 0 });
            }
        }
        shared
    }

    pub(crate) fn begin(&mut self, thread: u64, worker: &Rc<Worker>) {
        worker.calls.set(worker.calls.get() + 1);
        self.count(thread, worker, |calls| calls + 1);
    }

    pub(crate) fn end(&mut self, thread: u64, worker: &Rc<Worker>, ticket: u64, end: End) {
        worker.calls.set(worker.calls.get() - 1);
        self.count(thread, worker, |calls| calls - 1);
        let latest = match end {
            End::Answered => &worker.answered,
            End::GivenUp => &worker.given_up,
            End::Failed => return,
        };
        latest.set(latest.get().max(ticket));
    }

    fn count(&mut self, thread: u64, worker: &Rc<Worker>, change: impl FnOnce(usize) -> usize) {
        if let Some(seat) = self.seats.get_mut(&thread).filter(|seat| Rc::ptr_eq(&seat.worker, worker)) {
            seat.calls = change(seat.calls);
        }
    }

    /// Forgets a thread of ours; its worker goes to `heir`. Returns what is to be dropped.
    pub(crate) fn thread_gone(&mut self, thread: u64, heir: Option<u64>) -> Option<Rc<Worker>> {
        let Seat { worker, .. } = self.seats.remove(&thread)?;
        match heir {
            Some(heir) => self.seats.insert(heir, Seat { worker, calls: 0 }).map(|seat| seat.worker),
            None if self.seats.is_empty() => self.spare.replace(worker),
            None => Some(worker),
        }
    }
}

impl Peer {
    /// The worker for the next call of a thread of ours; none if the other side has no threads at all.
    pub(crate) fn worker(self: &Rc<Self>, thread: &Arc<ThreadContext>) -> Option<Rc<Worker>> {
        let known = self.workers.borrow_mut().choose(thread.id());
        known.or_else(|| self.ask_for_worker(thread))
    }

    /// Asks for a thread. It can be called already: what is sent to it waits there until it is made.
    fn ask_for_worker(self: &Rc<Self>, thread: &Arc<ThreadContext>) -> Option<Rc<Worker>> {
        let map = self.thread_map.borrow().clone()?;
        let mut request = map.make_thread_request();
        request.get().set_name(thread.name());
        let sent = request.send();
        let (settle, settled) = oneshot::channel();
        let id = thread.id();
        let before = self.workers.borrow_mut().seats.remove(&id).map(|seat| seat.worker);
        let worker = Worker::new(sent.pipeline.get_result(), settled, before);
        self.workers.borrow_mut().seats.insert(id, Seat { worker: worker.clone(), calls: 0 });
        let (peer, asked) = (self.clone(), worker.clone());
        self.local.spawner.spawn(async move {
            match sent.promise.await.and_then(|response| response.get()?.get_result()) {
                Ok(made) => peer.worker_made(&asked, made),
                Err(error) => peer.worker_refused(&asked, &error),
            }
            drop(settle);
        });
        Some(worker)
    }

    fn worker_made(&self, worker: &Worker, made: thread::Client) {
        let promised = worker.thread.replace(made);
        let spare = self.workers.borrow_mut().spare.take();
        drop((promised, spare, worker.asked.take(), worker.waiting.take(), worker.instead.take()));
    }

    /// Has the calls that were sent to a worker that is not made served by another, if there is one and that helps.
    fn worker_refused(self: &Rc<Self>, refused: &Rc<Worker>, error: &capnp::Error) {
        if error.kind != ErrorKind::Overloaded {
            self.workers.borrow_mut().seats.retain(|_, seat| !Rc::ptr_eq(&seat.worker, refused));
            return;
        }
        let shared = self.workers.borrow_mut().replace(refused);
        // Without another they get the error.
        if let Some(shared) = shared {
            let waiting = refused.waiting.take();
            waiting.into_iter().for_each(|request| self.send_again(request, shared.clone()));
        }
    }
}
