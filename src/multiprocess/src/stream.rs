//! Calls whose results nobody awaits one by one, with back-pressure: a *stream* is the calls of an object's methods of
//! [`Kind::Stream`].
//!
//! On the wire they are calls as any other, as Cap'n Proto's `-> stream` has it. What differs: a call is done, for who
//! makes it, when it has left; and it leaves only while less than [`crate::Options::window`] bytes of those before it
//! are unanswered. So a slow reader holds the writer up, and no more than the window is held for it anywhere.
//!
//! **Invariant:** once a call failed, no later one leaves: each says why the first did. On the side that serves, the
//! calls of an object with a stream run one after the other, and after a failed one none runs ([`Served`]).

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::cancel::CancelToken;
use crate::connection::Shared;
use crate::event_loop::{CallCommand, Command, Request};
use crate::gate::{Gate, Opener};
use crate::io::Lead;
use crate::message::{Draft, Message};
use crate::metrics::{self, Side};
use crate::object::next_ticket;
use crate::thread::{self, Answer, AnswerTo, ThreadContext};
use crate::trace::{self, Short};
use crate::{Error, Kind, Method, Object, Proxy, deadline};

/// What a call counts at least, so that the window bounds their number, too.
const LEAST: usize = 256;

/// The unanswered calls of an object's stream.
pub(crate) struct Stream {
    shared: Arc<Shared>,
    /// Stands for the thread of the other side that serves the calls. That of who makes them would end with it, and with
    /// it what has left and is not served yet.
    lane: Arc<ThreadContext>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bytes: usize,
    failed: Option<Error>,
    /// Who waits for room, by ticket: in the order of coming.
    waiting: BTreeMap<u64, Waiter>,
}

/// Who waits for room.
enum Waiter {
    Thread(Arc<ThreadContext>),
    Task(Waker),
}

impl Stream {
    pub(crate) fn new(shared: Arc<Shared>) -> Arc<Self> {
        let name = format!("{}-{}/stream-{}", crate::program_name(), std::process::id(), next_ticket());
        Arc::new(Stream { shared, lane: ThreadContext::new(name, false), state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whether there is room; if not, has the waiter woken when there is, unless [`Self::forget`] comes before. One
    /// that asks again is in the list once.
    fn has_room(&self, ticket: u64, waiter: impl FnOnce() -> Waiter) -> Result<bool, Error> {
        let mut state = self.state();
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        if state.bytes < self.shared.options.window {
            return Ok(true);
        }
        let before = state.waiting.insert(ticket, waiter());
        // To drop a waker may run anything.
        drop(state);
        drop(before);
        Ok(false)
    }

    fn forget(&self, ticket: u64) {
        let waiter = self.state().waiting.remove(&ticket);
        drop(waiter);
    }

    /// Says why the first call failed, if one did.
    fn check(&self) -> Result<(), Error> {
        self.state().failed.clone().map_or(Ok(()), Err)
    }

    /// Waits for room, running what the other side calls back meanwhile.
    fn wait(&self, method: &Method, thread: &Arc<ThreadContext>) -> Result<(), Error> {
        let reactor = self.shared.event_loop.reactor();
        let deadline = deadline::of_call(self.shared.options.deadline_of(method));
        let token = CancelToken::current();
        loop {
            let ticket = next_ticket();
            thread.enter(ticket);
            let room = self.has_room(ticket, || Waiter::Thread(thread.clone()));
            let woken = match room {
                Ok(false) => {
                    let watch = token.as_ref().map(|token| token.watch(ticket, thread));
                    let woken = thread.wait(ticket, deadline, reactor, Lead::new(&self.shared.io));
                    drop(watch);
                    self.forget(ticket);
                    woken.unwrap_or(Err(Error::TimedOut)).map(drop)
                }
                Ok(true) | Err(_) => Ok(()),
            };
            thread.leave(ticket);
            woken?;
            if room? {
                return Ok(());
            }
        }
    }

    /// Sends a call.
    fn send(
        self: &Arc<Self>,
        target: Object,
        method: &'static Method,
        message: Message,
        arguments: impl FnOnce(&mut Short) -> fmt::Result,
    ) {
        let bytes = message.size().max(LEAST);
        self.state().bytes += bytes;
        let trace = trace::Sent::begin(&self.shared, method, arguments);
        let counted = metrics::Call::begin(Side::Client, method, &message);
        let call = Sent { stream: self.clone(), bytes, trace: trace.clone(), counted };
        self.shared.event_loop.reactor().push(Command::Call(Box::new(CallCommand {
            request: Request {
                target,
                method,
                message,
                thread: Some(self.lane.clone()),
                caller: None,
                ticket: next_ticket(),
                trace,
            },
            answer: AnswerTo::stream(call),
            deadline: None,
        })));
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.shared.event_loop.reactor().push(Command::ThreadGone { thread: self.lane.id(), heir: None });
    }
}

/// A call that has left.
pub(crate) struct Sent {
    stream: Arc<Stream>,
    bytes: usize,
    trace: Option<Arc<trace::Sent>>,
    counted: metrics::Call,
}

impl Sent {
    /// Takes the call's answer: makes room, or ends the stream.
    pub(crate) fn answered(self, answer: &Answer) {
        let Sent { stream, bytes, trace, counted } = self;
        counted.end(answer);
        if let Some(trace) = trace {
            trace.ended(answer.as_ref().err());
        }
        let mut state = stream.state();
        state.bytes -= bytes;
        if let Err(error) = answer {
            state.failed.get_or_insert_with(|| error.clone());
        }
        // Not for each call: who waits is to have something to do when it wakes.
        if state.failed.is_none() && state.bytes > stream.shared.options.window / 2 {
            return;
        }
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        for (ticket, waiter) in waiting {
            match waiter {
                Waiter::Thread(thread) => thread.answer(ticket, Ok(Draft::new().finish())),
                Waiter::Task(waker) => waker.wake(),
            }
        }
    }
}

/// Room for the next call of a stream; ready at once unless the window is full.
#[must_use = "who does not wait for room is not held up by a slow reader"]
pub struct Room {
    stream: Arc<Stream>,
    ticket: u64,
}

impl Future for Room {
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.stream.has_room(self.ticket, || Waiter::Task(cx.waker().clone())) {
            Ok(false) => Poll::Pending,
            Ok(true) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.stream.forget(self.ticket);
    }
}

/// Says, after a call that came behind those of a stream, whether one of those failed.
pub struct Streamed(Option<Arc<Stream>>);

impl Streamed {
    /// Fails with what the first call of the stream that failed did.
    ///
    /// # Errors
    /// That.
    pub fn check(&self) -> Result<(), Error> {
        self.0.as_ref().map_or(Ok(()), |stream| stream.check())
    }
}

impl Proxy {
    fn stream(&self) -> &Arc<Stream> {
        self.stream.get_or_init(|| Stream::new(self.object().shared().clone()))
    }

    /// Sends a call of a stream; returns when it has left. Waits before that while the window is full.
    ///
    /// The draft's context is one of [`crate::Exports::lane_context`]. What the other side calls back runs on threads
    /// made for it.
    ///
    /// # Errors
    /// What an earlier call failed with; [`Error::Disconnected`]; while it waits also [`Error::TimedOut`] and
    /// [`Error::Cancelled`], and then the call has not left.
    pub fn send(
        &self,
        method: &'static Method,
        draft: Draft,
        arguments: impl FnOnce(&mut Short) -> fmt::Result,
    ) -> Result<(), Error> {
        let stream = self.stream();
        if stream.shared.is_closed() {
            return Err(Error::Disconnected);
        }
        if !thread::may_wait() {
            return Err(Error::failed(format!("{} called where nothing may wait", method.name)));
        }
        if CancelToken::current().as_ref().is_some_and(CancelToken::is_cancelled) {
            return Err(Error::Cancelled);
        }
        let (thread, _) = thread::current(stream.shared.event_loop.reactor(), stream.shared.id);
        stream.wait(method, &thread)?;
        stream.send(self.object().clone(), method, draft.finish(), arguments);
        Ok(())
    }

    /// Sends a call of a stream now, whatever the window; the future is room for the next.
    ///
    /// # Errors
    /// What an earlier call failed with, and [`Error::Disconnected`].
    pub fn start_send(
        &self,
        method: &'static Method,
        draft: Draft,
        arguments: impl FnOnce(&mut Short) -> fmt::Result,
    ) -> Result<Room, Error> {
        let stream = self.stream();
        if stream.shared.is_closed() {
            return Err(Error::Disconnected);
        }
        stream.check()?;
        stream.send(self.object().clone(), method, draft.finish(), arguments);
        Ok(Room { stream: stream.clone(), ticket: next_ticket() })
    }

    /// Returns what says, later, whether a call of the stream failed.
    pub fn streamed(&self) -> Streamed {
        Streamed(self.stream.get().cloned())
    }
}

/// The stream of a local object, as it is served: keeps its calls in order and remembers the first that failed.
#[derive(Default)]
pub(crate) struct Served {
    /// Opens when the latest call has ended.
    latest: Option<Arc<Gate>>,
    failed: Option<Arc<OnceLock<Error>>>,
}

/// A call's place behind those of a stream.
#[derive(Default)]
pub(crate) struct Turn {
    after: Option<Arc<Gate>>,
    failed: Option<Arc<OnceLock<Error>>>,
    /// For a call of the stream: what lets the next one begin.
    opener: Option<Opener>,
}

impl Served {
    /// Puts a call behind those of the stream that came before it.
    pub(crate) fn enter(&mut self, kind: Kind) -> Turn {
        let mut turn = Turn::default();
        if kind == Kind::Stream {
            self.failed.get_or_insert_default();
            let (gate, opener) = Gate::new();
            turn.opener = Some(opener);
            turn.after = self.latest.replace(gate);
        } else {
            turn.after = self.latest.clone();
        }
        turn.after.take_if(|gate| gate.is_open());
        turn.failed = self.failed.clone();
        turn
    }
}

impl Turn {
    /// Waits for the calls before.
    ///
    /// # Errors
    /// What one of them failed with.
    pub(crate) fn wait(&self) -> Result<(), Error> {
        if let Some(gate) = &self.after {
            gate.wait();
        }
        let failed = self.failed.as_ref().and_then(|failed| failed.get());
        failed.cloned().map_or(Ok(()), Err)
    }

    /// Notes how the call ended.
    pub(crate) fn ended(&self, error: Option<&Error>) {
        if let (Some(_), Some(failed), Some(error)) = (&self.opener, &self.failed, error) {
            // The first counts.
            let _ = failed.set(error.clone());
        }
    }
}
