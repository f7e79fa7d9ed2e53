//! What the other side may have this one hold: counted where its messages arrive, before anything is done about them.
//!
//! A call over the limits is answered here, with an error of its own, and the RPC system does not learn of it. A side
//! that goes on against all answers loses the connection.
//!
//! **Invariant:** a call counts until it is answered or given up, whether it is served or waits for another.

use std::collections::HashMap;

use capnp::Error;
use capnp_rpc::rpc_capnp::{cap_descriptor, message, message_target, resolve, return_};

use crate::Options;

/// Answers kept for a side that does not say that it is finished with them, for each call that it may have in progress.
const KEPT: usize = 16;

/// Calls that may be given up in the life of a connection: the RPC system remembers each.
const ABANDONED: usize = 1 << 20;

/// Calls of the other side, and what is held for it.
pub(crate) struct Quota {
    calls: usize,
    bytes: usize,
    /// By the number it gave them.
    known: HashMap<u32, Call>,
    in_progress: usize,
    held: usize,
    abandoned: usize,
    /// Calls that arrived, and that left, in the life of the connection: their numbers on both sides.
    pub(crate) calls_arrived: u64,
    pub(crate) calls_sent: u64,
}

struct Call {
    /// Size of its parameters.
    bytes: usize,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    InProgress,
    Answered,
    /// Answered here.
    Refused,
}

/// What is to be done about a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The RPC system is to have it.
    Pass,
    /// This call is to be answered with an error.
    Refuse(u32, String),
}

impl Quota {
    pub(crate) fn new(options: &Options) -> Self {
        let Options { calls, bytes, .. } = *options;
        Quota {
            calls,
            bytes,
            known: HashMap::new(),
            in_progress: 0,
            held: 0,
            abandoned: 0,
            calls_arrived: 0,
            calls_sent: 0,
        }
    }

    /// Judges a message that arrived; `queued` is how many bytes the other side has not read.
    ///
    /// # Errors
    /// If the connection is to end.
    pub(crate) fn arrived(
        &mut self,
        message: message::Reader<'_>,
        size: usize,
        queued: usize,
    ) -> Result<Verdict, Error> {
        let (call, target) = match message.which() {
            Ok(message::Bootstrap(bootstrap)) => (bootstrap?.get_question_id(), None),
            Ok(message::Call(call)) => {
                self.calls_arrived += 1;
                let call = call?;
                let target = match call.get_target()?.which() {
                    Ok(message_target::PromisedAnswer(answer)) => Some(answer?.get_question_id()),
                    _ => None,
                };
                (call.get_question_id(), target)
            }
            Ok(message::Finish(finish)) => {
                self.finished(finish?.get_question_id())?;
                return Ok(Verdict::Pass);
            }
            // Promises that stand for each other go round for ever, and hold each other for ever.
            Ok(message::Resolve(resolve)) => {
                if let resolve::Cap(cap) = resolve?.which()?
                    && let cap_descriptor::SenderPromise(_) = cap?.which()?
                {
                    return Err(Error::failed("a promise of an object stands for another promise".to_owned()));
                }
                return Ok(Verdict::Pass);
            }
            _ => return Ok(Verdict::Pass),
        };
        let refused = |id: u32| self.known.get(&id).is_some_and(|call| call.state == State::Refused);
        let reason = if target.is_some_and(refused) {
            Some("the call it waits for was not taken".to_owned())
        } else if self.in_progress >= self.calls {
            Some(format!("too many calls at once: {} are allowed", self.calls))
        } else if self.held + queued + size > self.bytes {
            Some(format!("calls and unread answers of more than {} bytes", self.bytes))
        } else {
            None
        };
        if self.known.len() >= self.calls.saturating_mul(KEPT) {
            return Err(Error::overloaded(format!("it keeps {} answers", self.known.len())));
        }
        let known = match reason {
            None => {
                self.in_progress += 1;
                self.held += size;
                Call { bytes: size, state: State::InProgress }
            }
            Some(_) => Call { bytes: 0, state: State::Refused },
        };
        // The same number again is for the RPC system to complain of.
        if let Some(Call { bytes, state: State::InProgress }) = self.known.insert(call, known) {
            self.ended(bytes);
        }
        Ok(reason.map_or(Verdict::Pass, |reason| Verdict::Refuse(call, reason)))
    }

    /// Notes a message that is about to be sent.
    pub(crate) fn leaves(&mut self, message: message::Reader<'_>) {
        let answer = match message.which() {
            Ok(message::Return(Ok(answer))) => answer,
            Ok(message::Call(_)) => {
                self.calls_sent += 1;
                return;
            }
            _ => return,
        };
        let id = answer.get_answer_id();
        let Some(call) = self.known.get_mut(&id) else { return };
        let bytes = std::mem::take(&mut call.bytes);
        if std::mem::replace(&mut call.state, State::Answered) == State::InProgress {
            self.ended(bytes);
        }
        if answer.get_no_finish_needed() {
            self.known.remove(&id);
        }
    }

    fn finished(&mut self, id: u32) -> Result<(), Error> {
        let Some(Call { bytes, state: State::InProgress }) = self.known.remove(&id) else { return Ok(()) };
        self.ended(bytes);
        self.abandoned += 1;
        if self.abandoned > ABANDONED {
            return Err(Error::overloaded(format!("it gave up {} calls", self.abandoned)));
        }
        Ok(())
    }

    fn ended(&mut self, bytes: usize) {
        self.in_progress -= 1;
        self.held -= bytes;
    }
}

/// Returns the number of the call that a message answers, and whether it needs no finish, if it has results without
/// objects: another answer may take its place.
pub(crate) fn replaceable(message: message::Reader<'_>) -> Option<(u32, bool)> {
    let Ok(message::Return(Ok(answer))) = message.which() else { return None };
    let Ok(return_::Results(Ok(payload))) = answer.which() else { return None };
    let objects = payload.get_cap_table().ok()?.len();
    (objects == 0).then(|| (answer.get_answer_id(), answer.get_no_finish_needed()))
}

#[cfg(test)]
mod tests {
    use capnp::message::Builder;
    use capnp_rpc::rpc_capnp::exception;

    use super::*;

    fn quota() -> Quota {
        Quota::new(&Options { calls: 2, bytes: 1000, ..Options::default() })
    }

    fn message(fill: impl FnOnce(message::Builder<'_>)) -> Builder<capnp::message::HeapAllocator> {
        let mut message = Builder::new_default();
        fill(message.init_root());
        message
    }

    impl Quota {
        fn call(&mut self, id: u32, target: Option<u32>, size: usize) -> Result<Verdict, Error> {
            let message = message(|message| {
                let mut call = message.init_call();
                call.set_question_id(id);
                match target {
                    Some(target) => call.init_target().init_promised_answer().set_question_id(target),
                    None => call.init_target().set_imported_cap(0),
                }
            });
            self.arrived(message.get_root_as_reader()?, size, 0)
        }

        fn answer(&mut self, id: u32, finish: bool) {
            let message = message(|message| {
                let mut answer = message.init_return();
                answer.set_answer_id(id);
                answer.set_no_finish_needed(!finish);
                answer.init_exception().set_type(exception::Type::Failed);
            });
            self.leaves(message.get_root_as_reader().expect("well-formed"));
        }

        fn finish(&mut self, id: u32) -> Result<Verdict, Error> {
            let message = message(|message| message.init_finish().set_question_id(id));
            self.arrived(message.get_root_as_reader()?, 10, 0)
        }
    }

    #[track_caller]
    fn passed(verdict: Result<Verdict, Error>) {
        assert_eq!(verdict.expect("the connection stays"), Verdict::Pass);
    }

    #[track_caller]
    fn refused(verdict: Result<Verdict, Error>, text: &str) {
        match verdict.expect("the connection stays") {
            Verdict::Refuse(_, reason) => assert!(reason.contains(text), "{reason}"),
            Verdict::Pass => panic!("not refused"),
        }
    }

    #[test]
    fn calls_count_until_they_are_answered() {
        let mut quota = quota();
        passed(quota.call(1, None, 10));
        passed(quota.call(2, Some(1), 10));
        refused(quota.call(3, None, 10), "too many calls at once: 2 are allowed");
        refused(quota.call(4, Some(3), 10), "the call it waits for was not taken");
        quota.answer(2, true);
        refused(quota.call(5, Some(3), 10), "the call it waits for was not taken");
        passed(quota.call(6, None, 10));
        passed(quota.finish(1));
        assert_eq!((quota.in_progress, quota.held), (1, 10));
        quota.answer(6, false);
        assert_eq!((quota.in_progress, quota.held), (0, 0));
        (2..6).for_each(|id| passed(quota.finish(id)));
        assert!(quota.known.is_empty());
    }

    #[test]
    fn bytes_count_until_the_call_is_answered() {
        let mut quota = quota();
        passed(quota.call(1, None, 600));
        refused(quota.call(2, None, 600), "more than 1000 bytes");
        quota.answer(1, false);
        passed(quota.call(2, None, 600));
    }

    #[test]
    fn who_never_finishes_loses_the_connection() {
        let mut quota = quota();
        for id in 0..2 * KEPT as u32 {
            passed(quota.call(id, None, 1));
            quota.answer(id, true);
        }
        assert!(quota.call(1000, None, 1).is_err());
    }

    #[test]
    fn a_promise_becomes_an_object_and_no_other_promise() {
        let resolve = |fill: fn(cap_descriptor::Builder<'_>)| {
            let message = message(|message| {
                let mut resolve = message.init_resolve();
                resolve.set_promise_id(3);
                fill(resolve.init_cap());
            });
            quota().arrived(message.get_root_as_reader()?, 10, 0)
        };
        passed(resolve(|mut object| object.set_sender_hosted(4)));
        passed(resolve(|mut object| object.set_receiver_hosted(3)));
        assert!(resolve(|mut promise| promise.set_sender_promise(3)).is_err());
    }

    #[test]
    fn who_gives_up_all_calls_loses_the_connection() {
        let mut quota = quota();
        for _ in 0..ABANDONED {
            passed(quota.call(1, None, 1));
            passed(quota.finish(1));
        }
        passed(quota.call(1, None, 1));
        assert!(quota.finish(1).is_err());
    }
}
