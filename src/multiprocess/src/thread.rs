//! Threads as calls see them: what a thread waits for, and what it is asked to do meanwhile.
//!
//! Every thread that calls has one [`ThreadContext`]. A thread that sleeps here does so in its connection's socket if it
//! can (see [`crate::io`]), so that what it waits for wakes it directly. While it waits for an answer it also runs the calls the other
//! side makes in between (`Context.callbackThread`); a thread made for a peer (`ThreadMap.makeThread`) runs that
//! peer's calls and nothing else. Either way work is queued here, in order.
//!
//! **Invariant:** queued work always ends. Work that can no longer run is dropped, and dropping it answers it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures::channel::oneshot;

use crate::event_loop::{Command, Reactor};
use crate::io::{Io, Lead};
use crate::message::Message;
use crate::pool::Queue;
use crate::stream::Sent;
use crate::{Error, Object, core};

/// Work for a thread. It is given the thread's turn at leading the connection, to take before it sends what has others
/// send: then what they send finds the thread waiting for it, instead of waking the event loop's.
pub(crate) type Job = Box<dyn FnOnce(&mut Lead<'_>) + Send>;

/// Answer to a call.
pub(crate) type Answer = Result<Message, Error>;

/// One thread's queue of answers and work.
pub(crate) struct ThreadContext {
    id: u64,
    name: String,
    /// Made for a peer: runs work whenever there is some.
    serving: bool,
    inbox: Mutex<Inbox>,
    wake: Condvar,
    /// Where it takes more work from.
    pool: Option<Arc<Queue>>,
}

#[derive(Default)]
struct Inbox {
    answers: Vec<(u64, Answer)>,
    jobs: VecDeque<Job>,
    /// The calls the thread is waiting for, one inside the other.
    waiting: Vec<u64>,
    place: Place,
    closed: bool,
    /// A call is being served.
    busy: bool,
}

/// Where a thread is to be woken.
#[derive(Default)]
enum Place {
    /// Nowhere: it looks at its inbox before it sleeps.
    #[default]
    Awake,
    /// On the condition variable.
    Asleep,
    /// In the socket that it leads.
    Leading(Arc<Io>),
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl ThreadContext {
    pub(crate) fn new(name: String, serving: bool) -> Arc<Self> {
        Self::make(name, serving, None)
    }

    /// One that serves a peer, and what is queued for any thread of a pool.
    pub(crate) fn pooled(name: String, pool: Option<Arc<Queue>>) -> Arc<Self> {
        Self::make(name, true, pool)
    }

    fn make(name: String, serving: bool, pool: Option<Arc<Queue>>) -> Arc<Self> {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Arc::new(ThreadContext { id, name, serving, inbox: Mutex::default(), wake: Condvar::new(), pool })
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        // Work runs outside of the lock, so that a panic cannot leave the queue half changed.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues work; gives it back if the thread neither serves nor waits. Dropping it answers it.
    pub(crate) fn post(&self, job: Job) -> Option<Job> {
        let mut inbox = self.inbox();
        if inbox.closed || (!self.serving && inbox.waiting.is_empty()) {
            return Some(job);
        }
        inbox.jobs.push_back(job);
        self.notify(inbox);
        None
    }

    /// Wakes the thread wherever it sleeps.
    fn notify(&self, mut inbox: MutexGuard<'_, Inbox>) {
        let place = std::mem::take(&mut inbox.place);
        drop(inbox);
        DELIVERED.with(|count| count.set(count.get().wrapping_add(1)));
        match place {
            Place::Awake => {}
            Place::Asleep => self.wake.notify_one(),
            Place::Leading(io) => io.wake(),
        }
    }

    /// Says whether a thread made for a peer has nothing to do.
    pub(crate) fn is_idle(&self) -> bool {
        let inbox = self.inbox();
        inbox.jobs.is_empty() && !inbox.busy
    }

    /// Hands over the answer to a call the thread is waiting for.
    pub(crate) fn answer(&self, call: u64, answer: Answer) {
        let mut inbox = self.inbox();
        if !inbox.waiting.contains(&call) {
            // Given up meanwhile.
            drop(inbox);
            drop(answer);
            return;
        }
        inbox.answers.push((call, answer));
        self.notify(inbox);
    }

    /// Notes that a call is about to be made whose answer will be waited for.
    pub(crate) fn enter(&self, call: u64) {
        self.inbox().waiting.push(call);
    }

    /// Waits for the answer to `call`, running queued work meanwhile. `None` at the deadline. Leads the connection that
    /// the call was made over, unless another thread does.
    pub(crate) fn wait(
        &self,
        call: u64,
        deadline: Option<Instant>,
        reactor: &Arc<Reactor>,
        mut lead: Lead<'_>,
    ) -> Option<Answer> {
        let mut inbox = self.inbox();
        loop {
            if let Some(index) = inbox.answers.iter().position(|(id, _)| *id == call) {
                return Some(inbox.answers.swap_remove(index).1);
            }
            if let Some(job) = inbox.jobs.pop_front() {
                drop(inbox);
                lead.resign();
                run(job, &mut lead);
                inbox = self.inbox();
                continue;
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return None;
            }
            inbox = if lead.take() { self.lead(inbox, &lead, deadline, reactor) } else { self.sleep(inbox, deadline) };
        }
    }

    /// Sleeps until notified, at most until the deadline.
    fn sleep<'a>(&'a self, mut inbox: MutexGuard<'a, Inbox>, deadline: Option<Instant>) -> MutexGuard<'a, Inbox> {
        inbox.place = Place::Asleep;
        let mut inbox = match deadline {
            None => self.wake.wait(inbox).unwrap_or_else(PoisonError::into_inner),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                self.wake.wait_timeout(inbox, left).unwrap_or_else(PoisonError::into_inner).0
            }
        };
        inbox.place = Place::Awake;
        inbox
    }

    /// Sleeps until the connection that this thread leads has something to read, and has that read; or until notified.
    fn lead<'a>(
        &'a self,
        mut inbox: MutexGuard<'a, Inbox>,
        lead: &Lead<'_>,
        deadline: Option<Instant>,
        reactor: &Arc<Reactor>,
    ) -> MutexGuard<'a, Inbox> {
        inbox.place = Place::Leading(lead.io().clone());
        drop(inbox);
        let readable = lead.io().wait(deadline);
        self.inbox().place = Place::Awake;
        if readable {
            reactor.ready(lead.io().id());
        }
        self.inbox()
    }

    /// Ends what [`Self::enter`] began. Answers no longer waited for are dropped.
    pub(crate) fn leave(&self, call: u64) {
        let mut inbox = self.inbox();
        inbox.waiting.retain(|id| *id != call);
        inbox.answers.retain(|(id, _)| *id != call);
        let stale =
            if inbox.waiting.is_empty() && !self.serving { std::mem::take(&mut inbox.jobs) } else { VecDeque::new() };
        drop(inbox);
        drop(stale);
    }

    /// Runs work until [`Self::close`]. In between it leads the connection it was made for, unless another thread does.
    pub(crate) fn serve(self: &Arc<Self>, reactor: &Arc<Reactor>, io: &Arc<Io>) {
        CURRENT.with(|current| *current.context.borrow_mut() = Some(self.clone()));
        let mut lead = Lead::new(io);
        // Not after what was read was for other threads: one of them leads from then on, so that the thread that serves
        // a busy caller is woken directly.
        let mut may_lead = true;
        let mut inbox = self.inbox();
        while !inbox.closed {
            // The queue of the pool is looked at with the own one locked and not busy: see there.
            let job = inbox.jobs.pop_front().or_else(|| self.pool.as_ref()?.pop());
            if let Some(job) = job {
                inbox.busy = true;
                drop(inbox);
                lead.resign();
                run(job, &mut lead);
                may_lead = true;
                inbox = self.inbox();
                inbox.busy = false;
            } else if may_lead && lead.take() {
                let before = DELIVERED.with(Cell::get);
                inbox = self.lead(inbox, &lead, None, reactor);
                if inbox.jobs.is_empty() && DELIVERED.with(Cell::get) != before {
                    lead.resign();
                    may_lead = false;
                }
            } else {
                inbox = self.sleep(inbox, None);
            }
        }
    }

    /// Accepts no more work and lets [`Self::serve`] return; gives back what was queued. Dropping that answers it.
    #[must_use = "it may hold objects, whose destructors may wait"]
    pub(crate) fn close(&self) -> VecDeque<Job> {
        let mut inbox = self.inbox();
        inbox.closed = true;
        let stale = std::mem::take(&mut inbox.jobs);
        self.notify(inbox);
        stale
    }
}

/// Runs work; a panic in it is reported by the work itself and must not end the thread.
fn run(job: Job, lead: &mut Lead<'_>) {
    if catch_unwind(AssertUnwindSafe(|| job(lead))).is_err() {
        log::error!(target: "ipc", "work for another process panicked");
    }
}

/// The right to answer one call. Dropped without an answer, it answers that the connection is gone.
pub(crate) struct AnswerTo(Option<Asker>);

/// Who asked.
enum Asker {
    Thread { thread: Arc<ThreadContext>, call: u64 },
    Future(oneshot::Sender<Answer>),
    Stream(Box<Sent>),
}

impl AnswerTo {
    /// Answers a thread that waits.
    pub(crate) fn thread(thread: Arc<ThreadContext>, call: u64) -> Self {
        AnswerTo(Some(Asker::Thread { thread, call }))
    }

    /// Answers a future.
    pub(crate) fn future() -> (Self, oneshot::Receiver<Answer>) {
        let (sender, receiver) = oneshot::channel();
        (AnswerTo(Some(Asker::Future(sender))), receiver)
    }

    /// Makes room in a stream.
    pub(crate) fn stream(sent: Sent) -> Self {
        AnswerTo(Some(Asker::Stream(Box::new(sent))))
    }

    pub(crate) fn send(mut self, answer: Answer) {
        self.deliver(answer);
    }

    fn deliver(&mut self, answer: Answer) {
        match self.0.take() {
            Some(Asker::Thread { thread, call }) => thread.answer(call, answer),
            // An error means that it was given up meanwhile.
            Some(Asker::Future(sender)) => drop(sender.send(answer)),
            Some(Asker::Stream(sent)) => sent.answered(&answer),
            None => {}
        }
    }
}

impl Drop for AnswerTo {
    fn drop(&mut self) {
        self.deliver(Err(Error::Disconnected));
    }
}

/// What the current thread is to the runtime.
#[derive(Default)]
struct Current {
    context: RefCell<Option<Arc<ThreadContext>>>,
    /// By connection: the peer's thread that waits for the call being served, so that calls back run on it.
    callers: RefCell<Vec<(u64, Object)>>,
    /// Event loops that may hold objects for this thread.
    loops: RefCell<Vec<Arc<Reactor>>>,
}

impl Drop for Current {
    fn drop(&mut self) {
        let Some(context) = self.context.get_mut().take() else { return };
        drop(context.close());
        for reactor in self.loops.get_mut().drain(..) {
            reactor.push(Command::ThreadGone { thread: context.id, heir: None });
        }
    }
}

thread_local! {
    static CURRENT: Current = Current::default();
    /// How often this thread has notified one.
    static DELIVERED: Cell<usize> = const { Cell::new(0) };
}

/// Says whether the current thread may wait: it is not inside the core and is not being torn down.
pub(crate) fn may_wait() -> bool {
    !core::inside() && CURRENT.try_with(|_| ()).is_ok()
}

/// Returns the current thread's context, made at its first call, and the caller it is serving on `connection`.
pub(crate) fn current(reactor: &Arc<Reactor>, connection: u64) -> (Arc<ThreadContext>, Option<Object>) {
    CURRENT.with(|current| {
        let mut context = current.context.borrow_mut();
        let context = context.get_or_insert_with(|| ThreadContext::new(local_name(), false)).clone();
        let mut loops = current.loops.borrow_mut();
        if !loops.iter().any(|known| Arc::ptr_eq(known, reactor)) {
            loops.push(reactor.clone());
        }
        let callers = current.callers.borrow();
        let caller = callers.iter().rev().find(|(id, _)| *id == connection).map(|(_, thread)| thread.clone());
        (context, caller)
    })
}

/// Has the current thread go on as another one, apart from what a call may still call back that it gave up. `thread` is
/// what it was in that call. What it calls later is served by another thread of the other side, if there is one
/// ([`crate::workers`]).
pub(crate) fn part_with(thread: &Arc<ThreadContext>) {
    // One that others know by its name stays the same: it serves, or waits for a call around the one given up.
    if thread.serving || !thread.inbox().waiting.is_empty() {
        return;
    }
    let loops = CURRENT.with(|current| {
        let mut context = current.context.borrow_mut();
        if !context.as_ref().is_some_and(|context| Arc::ptr_eq(context, thread)) {
            return Vec::new();
        }
        let heir = ThreadContext::new(local_name(), false);
        let id = heir.id;
        *context = Some(heir);
        current.loops.borrow().iter().map(|reactor| (reactor.clone(), id)).collect()
    });
    drop(thread.close());
    for (reactor, heir) in loops {
        reactor.push(Command::ThreadGone { thread: thread.id, heir: Some(heir) });
    }
}

/// Runs `work` as a call of `caller` over `connection`. Gives the caller back, so that it can be released later.
pub(crate) fn with_caller<T>(connection: u64, caller: Option<Object>, work: impl FnOnce() -> T) -> (T, Option<Object>) {
    /// Takes the caller off again, also when the work panics.
    struct Pop(bool);
    impl Pop {
        fn take(&mut self) -> Option<Object> {
            let pushed = std::mem::take(&mut self.0);
            let popped = pushed.then(|| CURRENT.with(|current| current.callers.borrow_mut().pop()));
            popped.flatten().map(|(_, caller)| caller)
        }
    }
    impl Drop for Pop {
        fn drop(&mut self) {
            drop(self.take());
        }
    }
    let mut pop = Pop(caller.is_some());
    if let Some(caller) = caller {
        CURRENT.with(|current| current.callers.borrow_mut().push((connection, caller)));
    }
    let result = work();
    (result, pop.take())
}

/// Name of this thread for the other side: process and thread.
fn local_name() -> String {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("thread");
    format!("{}-{}/{name}", crate::program_name(), std::process::id())
}
