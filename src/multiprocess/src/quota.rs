//! What the other side may have this one hold: counted where its messages arrive, before anything is done about them.
//!
//! A call over the limits is answered here, with an error of its own, and the RPC system does not learn of it. A side
//! that goes on against all answers loses the connection.
//!
//! **Invariant:** a call counts until it is answered or given up, whether it is served or waits for another.

use std::collections::{HashMap, HashSet, VecDeque};

use capnp::Error;
use capnp_rpc::rpc_capnp::{cap_descriptor, message, message_target, payload, resolve, return_};

use crate::Options;
use crate::segments::Received;

/// Answers kept for a side that does not say that it is finished with them, for each call that it may have in progress.
const KEPT: usize = 16;

/// Calls that may be given up in the life of a connection before a thread is found to serve them, or which are passed on to
/// another process: the RPC system never answers those and remembers each. The others are answered ([`Verdict::GivenUp`]).
const ABANDONED: usize = 1 << 20;

/// Calls of the other side, and what is held for it.
pub(crate) struct Quota {
    calls: usize,
    bytes: usize,
    /// By the number it gave them.
    known: HashMap<u32, Call>,
    /// Those that a thread serves or has served, and that are not answered yet, by their own number.
    served: HashSet<u64>,
    in_progress: usize,
    held: usize,
    abandoned: usize,
    /// What says that the other side is finished with calls, which were answered after that came.
    finishes: VecDeque<Received>,
    /// Calls that arrived, and that left, in the life of the connection: their numbers on both sides.
    pub(crate) calls_arrived: u64,
    pub(crate) calls_sent: u64,
}

struct Call {
    /// Size of its parameters.
    bytes: usize,
    state: State,
    /// How many calls had come with it.
    number: u64,
    /// Another message refers to what it will give: the other side may be finished with it and still need that.
    needed: bool,
    /// What says that the other side is finished with it: for the RPC system once it is answered.
    finish: Option<Received>,
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
    /// The other side gave up the call with this id and number, which is not answered yet and not needed for another.
    GivenUp(u32, u64),
}

impl Quota {
    pub(crate) fn new(options: &Options) -> Self {
        let Options { calls, bytes, .. } = *options;
        Quota {
            calls,
            bytes,
            known: HashMap::new(),
            served: HashSet::new(),
            in_progress: 0,
            held: 0,
            abandoned: 0,
            finishes: VecDeque::new(),
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
                if let Some(needed) = target.and_then(|target| self.known.get_mut(&target)) {
                    needed.needed = true;
                }
                self.need(call.get_params()?)?;
                (call.get_question_id(), target)
            }
            Ok(message::Finish(finish)) => {
                let id = finish?.get_question_id();
                match self.known.get(&id) {
                    Some(Call { state: State::InProgress, needed: false, number, .. }) => {
                        return Ok(Verdict::GivenUp(id, *number));
                    }
                    Some(Call { state: State::InProgress, .. }) => self.abandon(id)?,
                    _ => drop(self.known.remove(&id)),
                }
                return Ok(Verdict::Pass);
            }
            Ok(message::Return(answer)) => {
                if let return_::Results(payload) = answer?.which()? {
                    self.need(payload?)?;
                }
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
        let number = self.calls_arrived;
        let known = match reason {
            None => {
                self.in_progress += 1;
                self.held += size;
                Call { bytes: size, state: State::InProgress, number, needed: false, finish: None }
            }
            Some(_) => Call { bytes: 0, state: State::Refused, number, needed: false, finish: None },
        };
        // The same number again is for the RPC system to complain of.
        if let Some(Call { bytes, state: State::InProgress, number, .. }) = self.known.insert(call, known) {
            self.ended(number, bytes);
        }
        Ok(reason.map_or(Verdict::Pass, |reason| Verdict::Refuse(call, reason)))
    }

    /// Notes the calls whose objects are in parameters or results.
    fn need(&mut self, payload: payload::Reader<'_>) -> Result<(), Error> {
        for cap in payload.get_cap_table()? {
            if let cap_descriptor::ReceiverAnswer(answer) = cap.which()?
                && let Some(needed) = self.known.get_mut(&answer?.get_question_id())
            {
                needed.needed = true;
            }
        }
        Ok(())
    }

    /// Notes a message that is about to be sent. Says whether there is something for the RPC system now
    /// ([`Self::next_finish`]).
    pub(crate) fn leaves(&mut self, message: message::Reader<'_>) -> bool {
        let answer = match message.which() {
            Ok(message::Return(Ok(answer))) => answer,
            Ok(message::Call(_)) => {
                self.calls_sent += 1;
                return false;
            }
            _ => return false,
        };
        let id = answer.get_answer_id();
        let Some(call) = self.known.get_mut(&id) else { return false };
        let (bytes, finish) = (std::mem::take(&mut call.bytes), call.finish.take());
        let number = call.number;
        if std::mem::replace(&mut call.state, State::Answered) == State::InProgress {
            self.ended(number, bytes);
        }
        if answer.get_no_finish_needed() || finish.is_some() {
            self.known.remove(&id);
        }
        self.finishes.extend(finish);
        !self.finishes.is_empty()
    }

    /// Keeps what says that a call was given up until that is answered: the RPC system would forget to.
    pub(crate) fn keep(&mut self, id: u32, finish: Received) {
        if let Some(call) = self.known.get_mut(&id) {
            call.finish.get_or_insert(finish);
        }
    }

    /// Returns what was kept and is for the RPC system now.
    pub(crate) fn next_finish(&mut self) -> Option<Received> {
        self.finishes.pop_front()
    }

    /// Counts a call that was given up and that nobody answers.
    ///
    /// # Errors
    /// If the connection is to end.
    pub(crate) fn abandon(&mut self, id: u32) -> Result<(), Error> {
        let Some(Call { bytes, number, .. }) = self.known.remove(&id) else { return Ok(()) };
        self.ended(number, bytes);
        self.abandoned += 1;
        if self.abandoned > ABANDONED {
            return Err(Error::overloaded(format!("it gave up {} calls", self.abandoned)));
        }
        Ok(())
    }

    /// Notes that a thread was found for a call: it will be answered, also if it is given up.
    pub(crate) fn serve(&mut self, number: u64) {
        self.served.insert(number);
    }

    /// Says whether that is so of a call that is not answered yet.
    pub(crate) fn is_served(&self, number: u64) -> bool {
        self.served.contains(&number)
    }

    fn ended(&mut self, number: u64, bytes: usize) {
        self.served.remove(&number);
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
            let _ = self.leaves(message.get_root_as_reader().expect("well-formed"));
        }

        /// Finishes a call, which nobody answers after that.
        fn finish(&mut self, id: u32) -> Result<Verdict, Error> {
            let message = message(|message| message.init_finish().set_question_id(id));
            match self.arrived(message.get_root_as_reader()?, 10, 0)? {
                Verdict::GivenUp(id, _) => self.abandon(id).map(|()| Verdict::Pass),
                verdict => Ok(verdict),
            }
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
            other => panic!("{other:?}, not refused"),
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
    fn a_call_given_up_may_be_needed_for_another() {
        let mut quota = Quota::new(&Options { calls: 9, ..Options::default() });
        let finish = |quota: &mut Quota, id: u32| {
            let message = message(|message| message.init_finish().set_question_id(id));
            quota.arrived(message.get_root_as_reader().expect("a message"), 10, 0).expect("the connection stays")
        };
        (1..4).for_each(|id| passed(quota.call(id, None, 1)));
        assert_eq!(finish(&mut quota, 1), Verdict::GivenUp(1, 1));
        // What it gives is called, or is a parameter.
        passed(quota.call(4, Some(2), 1));
        let message = message(|message| {
            let mut call = message.init_call();
            call.set_question_id(5);
            call.init_params().init_cap_table(1).get(0).init_receiver_answer().set_question_id(3);
        });
        passed(quota.arrived(message.get_root_as_reader().expect("a message"), 10, 0));
        assert_eq!((finish(&mut quota, 2), finish(&mut quota, 3)), (Verdict::Pass, Verdict::Pass));
        assert_eq!(finish(&mut quota, 5), Verdict::GivenUp(5, 5));
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
