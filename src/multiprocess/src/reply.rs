//! Calls that no thread waits for: a future is their results.
//!
//! On the wire every call names a thread of the other side, and the calls that name one run one after the other. Calls
//! without a thread of their own take a *lane*: a thread of the other side that no thread of ours stands for. A lane
//! serves one call at a time as long as there are enough of them, and the one used last is used first. Where the other
//! side has made a pool ([`crate::Options::pool`]), such calls name no thread and it chooses.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use futures::channel::oneshot;

use crate::connection::Shared;
use crate::deadline;
use crate::event_loop::{CallCommand, Command, Request};
use crate::message::{Incoming, Message};
use crate::metrics::{self, Side};
use crate::object::next_ticket;
use crate::thread::{Answer, AnswerTo, ThreadContext};
use crate::trace::{self, Short};
use crate::{Error, Method, Object};

/// Whom the context of a call names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// This thread, which waits for the answer ([`crate::Exports::context`]).
    Thread,
    /// A lane ([`crate::Exports::lane_context`]).
    Lane,
    /// Nobody: the other side has a pool. The context stays empty.
    Pool,
}

/// The lanes of a connection, and how many calls each has.
#[derive(Default)]
pub(crate) struct Lanes(Mutex<Vec<(Arc<ThreadContext>, usize)>>);

impl Lanes {
    fn lock(&self) -> MutexGuard<'_, Vec<(Arc<ThreadContext>, usize)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the lane for one more call: the first that is free, a new one, or the one with the fewest calls.
    fn enter(&self, limit: usize) -> Arc<ThreadContext> {
        let mut lanes = self.lock();
        let least =
            lanes.iter().enumerate().min_by_key(|(_, (_, calls))| *calls).map(|(index, (_, calls))| (index, *calls));
        let index = match least {
            Some((index, calls)) if calls == 0 || lanes.len() >= limit => index,
            _ => {
                let name = format!("{}-{}/lane-{}", crate::program_name(), std::process::id(), lanes.len());
                lanes.push((ThreadContext::new(name, false), 0));
                lanes.len() - 1
            }
        };
        lanes[index].1 += 1;
        lanes[index].0.clone()
    }

    /// Ends a call that was given up: its lane may be busy with it for long, and serves no other. Returns the lane if it
    /// is gone.
    fn give_up(&self, lane: &Arc<ThreadContext>) -> Option<u64> {
        let mut lanes = self.lock();
        let index = lanes.iter().position(|(known, _)| Arc::ptr_eq(known, lane))?;
        lanes[index].1 -= 1;
        // Others that it has are still served.
        (lanes[index].1 == 0).then(|| lanes.remove(index).0.id())
    }

    fn leave(&self, lane: &Arc<ThreadContext>) {
        if let Some((_, calls)) = self.lock().iter_mut().find(|(known, _)| Arc::ptr_eq(known, lane)) {
            *calls -= 1;
        }
    }
}

/// The results of a call, once they are there. Dropped before, it gives the call up: the other side is told so.
#[must_use = "dropping it gives the call up"]
pub struct Reply {
    receiver: oneshot::Receiver<Answer>,
    shared: Arc<Shared>,
    method: &'static Method,
    /// None where the other side chooses the thread.
    lane: Option<Arc<ThreadContext>>,
    ticket: u64,
    trace: Option<Arc<trace::Sent>>,
    counted: metrics::Call,
    done: bool,
}

impl Reply {
    /// Sends a call.
    pub(crate) fn start(
        target: Object,
        method: &'static Method,
        message: Message,
        arguments: impl FnOnce(&mut Short) -> std::fmt::Result,
    ) -> Reply {
        let shared = target.shared().clone();
        let lane = message.names_thread().then(|| shared.lanes.enter(shared.options.lanes));
        let (answer, receiver) = AnswerTo::future();
        let trace = trace::Sent::begin(&shared, method, arguments);
        let counted = metrics::Call::begin(Side::Client, method, &message);
        let ticket = next_ticket();
        let deadline = deadline::of_call(shared.options.deadline_of(method));
        shared.event_loop.reactor().push(Command::Call(Box::new(CallCommand {
            request: Request {
                target,
                method,
                message,
                thread: lane.clone(),
                caller: None,
                ticket,
                trace: trace.clone(),
            },
            answer,
            deadline,
        })));
        Reply { receiver, shared, method, lane, ticket, trace, counted, done: false }
    }

    fn finish(&mut self, answer: &Answer) {
        self.done = true;
        self.counted.end(answer);
        if let Some(trace) = &self.trace {
            trace.ended(answer.as_ref().err());
        }
        let Some(lane) = &self.lane else { return };
        if !matches!(answer, Err(Error::TimedOut | Error::Cancelled)) {
            return self.shared.lanes.leave(lane);
        }
        if let Some(thread) = self.shared.lanes.give_up(lane) {
            self.shared.event_loop.reactor().push(Command::ThreadGone { thread, heir: None });
        }
    }
}

impl Future for Reply {
    type Output = Result<Incoming, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.done {
            return Poll::Ready(Err(Error::failed(format!("the results of {} were taken already", self.method.name))));
        }
        let answer = ready!(Pin::new(&mut self.receiver).poll(cx)).unwrap_or(Err(Error::Disconnected));
        let answer = answer.map_err(|error| self.shared.explain(error));
        self.finish(&answer);
        Poll::Ready(answer.map(Incoming::new))
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.done {
            let cancel = Command::Cancel { connection: self.shared.id, ticket: self.ticket };
            self.shared.event_loop.reactor().push(cancel);
            self.finish(&Err(Error::Cancelled));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_lane_before_a_new_one_before_a_busy_one() {
        let lanes = Lanes::default();
        let first = lanes.enter(2);
        let second = lanes.enter(2);
        assert!(!Arc::ptr_eq(&first, &second));
        let third = lanes.enter(2);
        assert!(Arc::ptr_eq(&first, &third));
        lanes.leave(&second);
        assert!(Arc::ptr_eq(&second, &lanes.enter(2)));
        lanes.leave(&first);
        lanes.leave(&third);
        assert!(Arc::ptr_eq(&first, &lanes.enter(2)));
        // One that may be busy with a call given up is used no more, unless it has others.
        assert_eq!(lanes.give_up(&first), Some(first.id()));
        assert!(!Arc::ptr_eq(&first, &lanes.enter(2)));
        let fourth = lanes.enter(2);
        assert_eq!(lanes.give_up(&fourth), None);
    }
}
