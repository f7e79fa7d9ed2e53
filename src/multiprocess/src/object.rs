//! Handles of objects in other processes, and calls of their methods.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::connection::Shared;
use crate::event_loop::{CallCommand, Command};
use crate::message::{Draft, Incoming};
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

/// Numbers calls so that a thread can tell their answers apart.
static NEXT_TICKET: AtomicU64 = AtomicU64::new(1);

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
    /// What the other side answered, or [`Error::Disconnected`].
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
        return Err(Error::Disconnected);
    }
    if !thread::may_wait() {
        return Err(Error::failed(format!("{} called where nothing may wait", method.name)));
    }
    let reactor = shared.event_loop.reactor();
    let (thread, caller) = thread::current(reactor, shared.id);
    let ticket = NEXT_TICKET.fetch_add(1, Ordering::Relaxed);
    let start = trace::enabled().then(Instant::now);
    let deadline = limit.map(|limit| Instant::now() + limit);
    let message = draft.finish();

    thread.enter(ticket);
    let mut id = 0;
    reactor.push_with(|| {
        id = shared.next_call();
        let answer = AnswerTo::new(thread.clone(), ticket);
        let thread = thread.clone();
        Command::Call(Box::new(CallCommand { target: target.clone(), method, message, thread, caller, ticket, answer }))
    });
    if start.is_some() {
        let text = trace::shorten(arguments);
        log::debug!(target: "ipc", "{} IPC client send #{id} {}({text})", shared.options.peer, method.name);
    }
    let answer = thread.wait(ticket, deadline, reactor, &shared.io);
    thread.leave(ticket);

    let result = answer.unwrap_or_else(|| {
        reactor.push(Command::Cancel { connection: shared.id, ticket });
        Err(Error::TimedOut)
    });
    if let Some(start) = start {
        let time = trace::micros(start.elapsed());
        let status = result.as_ref().err().map_or_else(
            || "ok".to_owned(),
            |error| trace::shorten(|out| fmt::Write::write_fmt(out, format_args!("error: {error}"))),
        );
        log::debug!(target: "ipc", "{} IPC client recv #{id} {} {time} {status}", shared.options.peer, method.name);
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
/// [`crate::Options::destroy_timeout`]: when the drop returns, the object is gone.
pub struct Proxy {
    object: Object,
    interface: &'static Interface,
}

impl Proxy {
    /// Takes an object to have this interface.
    pub fn new(object: Object, interface: &'static Interface) -> Self {
        Proxy { object, interface }
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
        if shared.is_closed() || !thread::may_wait() {
            return;
        }
        let mut draft = Draft::new();
        let exports = draft.exports();
        exports.context(draft.root::<shape_capnp::with_context::Owned>().init_context());
        if let Err(error) = self.object.call_within(shared.options.destroy_timeout, destroy, draft, |_| Ok(())) {
            log::debug!(target: "ipc", "{}: {error}", destroy.name);
        }
    }
}
