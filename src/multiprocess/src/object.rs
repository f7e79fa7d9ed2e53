//! Handles of objects in other processes, and calls of their methods.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::cancel::{self, CancelToken};
use crate::connection::Shared;
use crate::deadline;
use crate::event_loop::{CallCommand, Command, Request};
use crate::io::Lead;
use crate::message::{Draft, Incoming};
use crate::metrics::{self, Counted, Side};
use crate::reply::{Reply, Who};
use crate::stream::Stream;
use crate::thread::{self, AnswerTo};
use crate::trace::{self, Short};
use crate::{Error, Interface, Kind, Method, shape_capnp};

/// An object in another process. The last clone to be dropped releases it.
#[derive(Clone)]
pub struct Object {
    held: Arc<Held>,
}

struct Held {
    shared: Arc<Shared>,
    cap: usize,
}

/// Returns a number for a call, by which its answer and its end are told apart from those of others.
pub(crate) fn next_ticket() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Object {
    pub(crate) fn new(shared: Arc<Shared>, cap: usize) -> Self {
        Object { held: Arc::new(Held { shared, cap }) }
    }

    pub(crate) fn connection_id(&self) -> u64 {
        self.held.shared.id
    }

    pub(crate) fn cap(&self) -> usize {
        self.held.cap
    }

    /// Calls a method and waits for its results; runs what the other side calls back meanwhile.
    ///
    /// `arguments` prints the parameters for the trace; it is called only if that is on.
    ///
    /// # Errors
    /// What the other side answered, [`Error::Disconnected`], [`Error::TimedOut`] inside of [`crate::within`], or
    /// [`Error::Cancelled`] inside of [`CancelToken::run`].
    pub fn call(
        &self,
        method: &'static Method,
        draft: Draft,
        arguments: impl FnOnce(&mut Short) -> fmt::Result,
    ) -> Result<Incoming, Error> {
        call(self, method, draft, None, arguments)
    }

    /// Like [`Self::call`], giving up after a time.
    ///
    /// # Errors
    /// As [`Self::call`], and [`Error::TimedOut`].
    pub fn call_within(
        &self,
        limit: Duration,
        method: &'static Method,
        draft: Draft,
        arguments: impl FnOnce(&mut Short) -> fmt::Result,
    ) -> Result<Incoming, Error> {
        call(self, method, draft, Some(limit), arguments)
    }

    /// Calls a method without waiting: the call leaves now, the future is its results, and dropping the future gives it
    /// up. What the other side calls back meanwhile runs on threads made for it.
    ///
    /// The draft's context is one for [`Self::starter`]. Calls made this way are in no order.
    pub fn start(
        &self,
        method: &'static Method,
        draft: Draft,
        arguments: impl FnOnce(&mut Short) -> fmt::Result,
    ) -> Reply {
        Reply::start(self.clone(), method, draft.finish(), arguments)
    }

    /// Returns what the context of a call without a thread says now.
    pub fn starter(&self) -> Who {
        if self.held.shared.has_pool() { Who::Pool } else { Who::Lane }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.held.shared
    }
}

fn call(
    target: &Object,
    method: &'static Method,
    draft: Draft,
    limit: Option<Duration>,
    arguments: impl FnOnce(&mut Short) -> fmt::Result,
) -> Result<Incoming, Error> {
    let shared = target.held.shared.clone();
    if shared.is_closed() {
        return Err(shared.explain(Error::Disconnected));
    }
    if !thread::may_wait() {
        return Err(Error::failed(format!("{} called where nothing may wait", method.name)));
    }
    let token = CancelToken::current();
    if token.as_ref().is_some_and(CancelToken::is_cancelled) {
        return Err(Error::Cancelled);
    }
    let reactor = shared.event_loop.reactor();
    let (thread, caller) = thread::current(reactor, shared.id);
    let ticket = next_ticket();
    let deadline = deadline::of_call(limit.or_else(|| shared.options.deadline_of(method)));
    let message = draft.finish();
    let counted = metrics::Call::begin(Side::Client, method, &message);
    let trace = trace::Sent::begin(&shared, method, arguments);

    let mut lead = Lead::new(&shared.io);
    lead.take();
    thread.enter(ticket);
    reactor.push(Command::Call(Box::new(CallCommand {
        request: Request {
            target: target.clone(),
            method,
            message,
            thread: Some(thread.clone()),
            caller,
            ticket,
            trace: trace.clone(),
        },
        answer: AnswerTo::thread(thread.clone(), ticket),
        deadline: None,
    })));
    let watch = token.as_ref().map(|token| token.watch(ticket, &thread));
    let answer = thread.wait(ticket, deadline, reactor, lead);
    drop(watch);
    thread.leave(ticket);

    let result = answer.unwrap_or(Err(Error::TimedOut)).map_err(|error| shared.explain(error));
    if matches!(result, Err(Error::TimedOut | Error::Cancelled)) {
        // Does nothing if that was the other side's answer.
        reactor.push(Command::Cancel { connection: shared.id, ticket });
        thread::part_with(&thread);
    }
    counted.end(&result);
    if let Some(trace) = trace {
        trace.ended(result.as_ref().err());
    }
    Ok(Incoming::new(result?))
}

impl Drop for Held {
    fn drop(&mut self) {
        let release = Command::Release { connection: self.shared.id, cap: self.cap };
        self.shared.event_loop.reactor().push(release);
    }
}

/// An object in another process whose interface is known: what generated clients are made of.
///
/// Dropping it calls the interface's `destroy`, if it has one, and waits for that within
/// [`crate::Options::destroy_timeout`]: when the drop returns, the object is gone. Where another was not destroyed in that
/// time and nothing was answered since, it only releases the object.
pub struct Proxy {
    object: Object,
    interface: &'static Interface,
    /// Made by the first call of a stream.
    pub(crate) stream: OnceLock<Arc<Stream>>,
    #[expect(dead_code, reason = "its life is what counts")]
    counted: Counted,
}

impl Proxy {
    /// Takes an object to have this interface.
    pub fn new(object: Object, interface: &'static Interface) -> Self {
        Proxy { object, interface, stream: OnceLock::new(), counted: Counted::new(Side::Client, interface) }
    }

    /// Returns the object's handle.
    pub fn object(&self) -> &Object {
        &self.object
    }
}

impl std::ops::Deref for Proxy {
    type Target = Object;

    fn deref(&self) -> &Object {
        &self.object
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let Some(destroy) = self.interface.method_of_kind(Kind::Destroy) else { return };
        let shared = &self.object.held.shared;
        if shared.is_closed() || shared.is_hung() || !thread::may_wait() {
            return;
        }
        let mut draft = Draft::new();
        let exports = draft.exports();
        exports.context(draft.root::<shape_capnp::with_context::Owned>().init_context());
        let limit = shared.options.destroy_timeout;
        if let Err(error) = cancel::with(None, || self.object.call_within(limit, destroy, draft, |_| Ok(()))) {
            if error == Error::TimedOut {
                shared.mark_hung(true);
            }
            log::debug!(target: "ipc", "{}: {error}", destroy.name);
        }
    }
}
