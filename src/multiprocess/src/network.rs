//! A connection's socket as the RPC system sees it: messages in, messages out.
//!
//! Messages to send are queued as they are and leave in one system call at the end of the turn
//! ([`crate::core::Core::run`]), so that a result and the release that goes with it wake the other side once. Messages that
//! arrive are cut out of one buffer; a long one is read to where it stays, and who reads it keeps it there.
//!
//! **Invariant:** a message's claimed size is checked before memory is taken for it, and what the other side may have
//! held for it is bounded ([`crate::quota`]).

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::io::{self, Read};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use capnp::Error;
use capnp::any_pointer;
use capnp::capability::Promise;
use capnp::message::{Builder, HeapAllocator, Reader, ReaderOptions};
use capnp_rpc::rpc_capnp::{exception, message};
use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::{Connection, IncomingMessage, OutgoingMessage, VatNetwork};
use futures::channel::oneshot;

use crate::Options;
use crate::attachment::{Attachment, tie};
use crate::io::Io;
use crate::message::Message;
use crate::outgoing::{Outgoing, Queued, Sent};
use crate::quota::{self, Quota, Verdict};
use crate::segments::{MessageMemory, Received, Segments};
use crate::splice::splice;

/// Bytes read at a time.
const BUFFER: usize = 64 << 10;

/// Most segments of a message, as in Cap'n Proto.
const SEGMENTS: usize = 512;

/// Reads in a row; then others get their turn.
const READS: usize = 16;

/// Bytes from which a message or a field of one stays where it is: below, a copy costs less than to keep track of it.
pub const LONG: usize = 32 << 10;

/// How often a message may be read, so that one with many pointers to the same part does not become much more than what
/// came; and the words that may be read beside, as what leads to the content of a short one is read often.
const READINGS: usize = 4;
const READ_AHEAD: usize = 1 << 16;

/// Bytes for which a message may take a second more ([`Options::message_timeout`]).
const SLOWEST: usize = 1 << 20;

/// Most words to begin a message with: the RPC system asks for more than most calls need, which costs time to clear.
const FIRST_SEGMENT: u32 = 192;

/// Tells calls of our own objects by ourselves from those that have a number of the connection.
pub(crate) const OWN: u64 = 1 << 63;

/// Channels with messages to send.
pub(crate) type Dirty = Rc<RefCell<Vec<Channel>>>;

/// Both directions of a connection.
#[derive(Clone)]
pub(crate) struct Channel(Rc<State>);

struct State {
    io: Arc<Io>,
    limits: ReaderOptions,
    /// Most bytes that may wait to be sent.
    room: usize,
    dirty: Dirty,
    memory: Option<Arc<dyn MessageMemory>>,
    message_timeout: Option<Duration>,
    /// Has [`Channel::check_message`] called at a time.
    alarm: Alarm,
    incoming: RefCell<Incoming>,
    outgoing: RefCell<Outgoing>,
    quota: RefCell<Quota>,
    /// The long message that the RPC system read last.
    read: RefCell<Option<Received>>,
    /// The number of the call that it read last; 0 if none.
    call_read: Cell<u64>,
    /// Where the results of calls go that are being served, by number.
    serving: RefCell<HashMap<u64, oneshot::Sender<Result<Message, crate::Error>>>>,
    /// What goes along with the next message to be made.
    along: RefCell<Option<Along>>,
    /// That message is being made.
    making: Cell<bool>,
    /// What reading failed with because writing did.
    broken: RefCell<Option<Error>>,
    /// Waits for a message.
    reader: Cell<Option<Waker>>,
    /// Wait until all is sent: those who shut down, and the RPC system for its end.
    writer: Cell<Option<Waker>>,
    end: Cell<Option<End>>,
}

/// Sets an alarm.
type Alarm = Box<dyn Fn(Instant)>;

/// What a message has beside what the RPC system writes.
pub(crate) enum Along {
    /// Its content.
    Content(Box<Builder<HeapAllocator>>),
    /// Fields of its content.
    Attachments(Vec<Attachment>),
}

/// How an RPC system ends, and whom to tell.
type End = (oneshot::Sender<Result<(), Error>>, Result<(), Error>);

struct Incoming {
    buffer: Box<[u8]>,
    /// What is read and not taken.
    start: usize,
    end: usize,
    /// A message that is longer than what of it was read, and how much is there.
    long: Option<(Segments, usize)>,
    /// The last read took all there was, or it is the turn of others.
    drained: bool,
    /// Reads of this turn.
    reads: usize,
    /// When a message was found to be there in part.
    begun: Option<Instant>,
    /// An alarm is set for it, or for one before it.
    alarmed: bool,
}

impl Channel {
    pub(crate) fn new(io: Arc<Io>, options: &Options, dirty: Dirty, alarm: Alarm) -> Self {
        let buffer = vec![0; BUFFER].into_boxed_slice();
        Channel(Rc::new(State {
            io,
            limits: options.reader(),
            room: options.bytes,
            dirty,
            memory: options.memory.clone(),
            message_timeout: options.message_timeout,
            alarm,
            quota: RefCell::new(Quota::new(options)),
            read: RefCell::default(),
            call_read: Cell::default(),
            serving: RefCell::default(),
            along: RefCell::default(),
            making: Cell::default(),
            incoming: RefCell::new(Incoming::new(buffer)),
            outgoing: RefCell::default(),
            broken: RefCell::default(),
            reader: Cell::default(),
            writer: Cell::default(),
            end: Cell::default(),
        }))
    }

    /// Tries to read and write again.
    pub(crate) fn ready(&self) {
        self.0.incoming.borrow_mut().listen();
        self.0.reader.take().into_iter().for_each(Waker::wake);
        self.flush();
    }

    /// Sends what is queued, as far as there is room.
    pub(crate) fn flush(&self) {
        let mut outgoing = self.0.outgoing.borrow_mut();
        outgoing.listed = false;
        let failed = match outgoing.send(&mut self.0.io.writer()) {
            Ok(()) => None,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return self.0.io.set_full(),
            Err(error) => Some(Error::from(error)),
        };
        let messages = failed.is_some().then(|| outgoing.clear());
        drop(outgoing);
        drop(messages);
        if let Some(error) = failed {
            self.break_off(error);
        }
        self.sent();
    }

    /// Ends the connection with an error; what arrived before is read first.
    fn break_off(&self, error: Error) {
        self.0.incoming.borrow_mut().listen();
        *self.0.broken.borrow_mut() = Some(error);
        self.0.reader.take().into_iter().for_each(Waker::wake);
    }

    fn sent(&self) {
        self.0.writer.take().into_iter().for_each(Waker::wake);
        if let Some((system, result)) = self.0.end.take() {
            // Nobody drives a system that is being dropped.
            let _ = system.send(result);
        }
    }

    fn is_sent(&self) -> bool {
        self.0.outgoing.borrow().is_empty()
    }

    /// Says whether so many bytes more may wait to be sent.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.0.outgoing.borrow().bytes().saturating_add(bytes) <= self.0.room
    }

    fn queue(&self, message: Queued) {
        let mut outgoing = self.0.outgoing.borrow_mut();
        outgoing.push(message);
        let waiting = outgoing.bytes();
        if !std::mem::replace(&mut outgoing.listed, true) {
            self.0.dirty.borrow_mut().push(self.clone());
        }
        drop(outgoing);
        // What is refused is answered, too, and what holds objects is sent in any case.
        if waiting > self.0.room.saturating_mul(2) && self.0.broken.borrow().is_none() {
            self.break_off(Error::overloaded(format!("it does not read {waiting} bytes")));
        }
    }

    /// Answers a call with an error.
    fn refuse(&self, call: u32, finish: bool, reason: &str) {
        let mut refusal = Builder::new_default();
        let mut answer = refusal.init_root::<message::Builder<'_>>().init_return();
        answer.set_answer_id(call);
        answer.set_no_finish_needed(!finish);
        let mut error = answer.init_exception();
        error.set_type(exception::Type::Overloaded);
        error.set_reason(reason);
        self.queue(Queued::whole(Rc::new(refusal)));
    }

    /// Has `along` go with the message that `make` makes. Returns it if no message took it: what was made is then to be made
    /// again with all that it needs.
    pub(crate) fn with_along<T>(&self, along: Along, make: impl FnOnce() -> T) -> (T, Option<Along>) {
        *self.0.along.borrow_mut() = Some(along);
        self.0.making.set(true);
        let made = make();
        self.0.making.set(false);
        (made, self.0.along.borrow_mut().take())
    }

    /// Returns what `read` has the RPC system read, and the message that is in if it is a long one.
    pub(crate) fn reading<T>(&self, read: impl FnOnce() -> T) -> (T, Option<Received>) {
        self.0.read.borrow_mut().take();
        self.0.call_read.set(0);
        let got = read();
        (got, self.0.read.borrow_mut().take())
    }

    /// The number of the call that was in the message last read ([`Self::reading`]): the how-manieth of the connection it
    /// is. The side that sent it counts the same ([`Self::calls_sent`]). 0 for what did not arrive here.
    pub(crate) fn call_read(&self) -> u64 {
        self.0.call_read.get()
    }

    /// Notes a call that a thread is about to serve; its result arrives at the receiver, or that it was given up.
    pub(crate) fn begin_serving(&self, call: u64) -> oneshot::Receiver<Result<Message, crate::Error>> {
        let (sender, receiver) = oneshot::channel();
        self.0.serving.borrow_mut().insert(call, sender);
        if call < OWN {
            self.0.quota.borrow_mut().serve(call);
        }
        receiver
    }

    /// Returns where the result of a call goes, if it is wanted. It is no longer being served.
    pub(crate) fn end_serving(&self, call: u64) -> Option<oneshot::Sender<Result<Message, crate::Error>>> {
        self.0.serving.borrow_mut().remove(&call)
    }

    /// Ends all calls being served.
    pub(crate) fn end_all_serving(&self) {
        drop(self.0.serving.take());
    }

    /// How many calls have left.
    pub(crate) fn calls_sent(&self) -> u64 {
        self.0.quota.borrow().calls_sent
    }

    /// How messages may be read.
    pub(crate) fn limits(&self, message: &Received) -> ReaderOptions {
        let words = message.size() / size_of::<capnp::Word>();
        let most = words.saturating_mul(READINGS).saturating_add(READ_AHEAD);
        let limit = self.0.limits.traversal_limit_in_words.map_or(most, |limit| limit.min(most));
        ReaderOptions { traversal_limit_in_words: Some(limit), ..self.0.limits }
    }

    /// Returns the next message; `None` at the end.
    fn receive(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Received>, Error>> {
        let received = self.read(cx);
        if matches!(received, Poll::Ready(Ok(None) | Err(_))) {
            self.0.io.set_deaf();
        }
        received
    }

    fn read(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Received>, Error>> {
        let finish = self.0.quota.borrow_mut().next_finish();
        if finish.is_some() {
            return Poll::Ready(Ok(finish));
        }
        let mut incoming = self.0.incoming.borrow_mut();
        loop {
            match incoming.take(&self.0.limits, self.0.memory.as_ref()) {
                Ok(None) => {}
                Ok(Some(message)) => match self.judge(message.clone())? {
                    Verdict::Pass => return Poll::Ready(Ok(Some(message))),
                    Verdict::Refuse(call, reason) => {
                        drop(incoming);
                        self.refuse(call, true, &reason);
                        incoming = self.0.incoming.borrow_mut();
                        continue;
                    }
                    Verdict::GivenUp(call, number) => {
                        let mut quota = self.0.quota.borrow_mut();
                        if !quota.is_served(number) {
                            quota.abandon(call)?;
                            return Poll::Ready(Ok(Some(message)));
                        }
                        quota.keep(call, message);
                        drop(quota);
                        // Otherwise its result is on its way. Nobody listens any more if the connection is ending.
                        if let Some(serving) = self.end_serving(number) {
                            let _ = serving.send(Err(crate::Error::Cancelled));
                        }
                        continue;
                    }
                },
                Err(error) => return Poll::Ready(Err(error)),
            }
            if incoming.drained {
                if let Some(error) = self.0.broken.borrow_mut().take() {
                    return Poll::Ready(Err(error));
                }
                self.watch(&mut incoming);
                self.0.reader.set(Some(cx.waker().clone()));
                return Poll::Pending;
            }
            if !incoming.reserve() {
                return Poll::Ready(Err(no_memory()));
            }
            match incoming.read(&mut self.0.io.stream()) {
                Ok(0) if incoming.is_empty() => return Poll::Ready(Ok(None)),
                Ok(0) => return Poll::Ready(Err(Error::disconnected("ended inside a message".to_owned()))),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => incoming.drained = true,
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }
}

impl Channel {
    /// Sets an alarm for a message that is there in part.
    fn watch(&self, incoming: &mut Incoming) {
        let Some(timeout) = self.0.message_timeout.filter(|_| !incoming.is_empty()) else { return };
        incoming.begun.get_or_insert_with(Instant::now);
        if let Some(due) = incoming.due(timeout).filter(|_| !incoming.alarmed) {
            incoming.alarmed = true;
            (self.0.alarm)(due);
        }
    }

    /// Ends the connection if a message has taken too long; says whether it did.
    pub(crate) fn check_message(&self) -> bool {
        let Some(timeout) = self.0.message_timeout else { return false };
        let mut incoming = self.0.incoming.borrow_mut();
        incoming.alarmed = false;
        let Some(due) = incoming.due(timeout) else { return false };
        if Instant::now() < due {
            // Another one than that for which the alarm was set.
            incoming.alarmed = true;
            drop(incoming);
            (self.0.alarm)(due);
            return false;
        }
        drop(incoming);
        self.break_off(Error::overloaded(format!("a message did not arrive within {} s", timeout.as_secs_f64())));
        true
    }

    fn judge(&self, received: Received) -> Result<Verdict, Error> {
        let size = received.size();
        let limits = self.limits(&received);
        let message = Reader::new(received, limits);
        let queued = self.0.outgoing.borrow().bytes();
        self.0.quota.borrow_mut().arrived(message.get_root()?, size, queued)
    }
}

fn no_memory() -> Error {
    Error::overloaded("the messages and objects of all clients take all the memory that they may".to_owned())
}

impl Incoming {
    fn new(buffer: Box<[u8]>) -> Self {
        Incoming { buffer, start: 0, end: 0, long: None, drained: false, reads: 0, begun: None, alarmed: false }
    }

    /// When the message that is there in part is late.
    fn due(&self, timeout: Duration) -> Option<Instant> {
        let size = self.long.as_ref().map_or(0, |(segments, _)| segments.size());
        let more = Duration::from_secs((size / SLOWEST) as u64);
        // Negligible: a time that cannot be represented never comes.
        self.begun?.checked_add(timeout)?.checked_add(more)
    }

    /// Takes the memory that the next read needs; `false` if there is not enough.
    fn reserve(&mut self) -> bool {
        self.long.as_mut().is_none_or(|(segments, there)| segments.reserve(*there))
    }

    /// There may be more to read.
    fn listen(&mut self) {
        (self.drained, self.reads) = (false, 0);
    }

    fn is_empty(&self) -> bool {
        self.start == self.end && self.long.is_none()
    }

    /// Reads into the long message or the buffer.
    fn read(&mut self, stream: &mut impl Read) -> io::Result<usize> {
        let Incoming { buffer, start, end, long, drained, reads, .. } = self;
        let space = match long {
            Some((segments, there)) => segments.space(*there),
            None => {
                if *start > 0 {
                    buffer.copy_within(*start..*end, 0);
                    buffer[*end - *start..*end].fill(0);
                    (*start, *end) = (0, *end - *start);
                }
                &mut buffer[*end..]
            }
        };
        let wanted = space.len();
        let count = stream.read(space)?;
        // What comes after a short read shows as readable again; so does the end.
        *reads += 1;
        *drained = count > 0 && (count < wanted || *reads >= READS);
        match long {
            Some((_, there)) => *there += count,
            None => *end += count,
        }
        Ok(count)
    }

    /// Takes a message that is there; starts on one that is not there as a whole.
    fn take(
        &mut self,
        limits: &ReaderOptions,
        memory: Option<&Arc<dyn MessageMemory>>,
    ) -> Result<Option<Received>, Error> {
        if let Some((segments, there)) = self.long.take() {
            if there == segments.size() {
                self.begun = None;
                return Ok(Some(Received::new(segments)));
            }
            self.long = Some((segments, there));
            return Ok(None);
        }
        let bytes = &self.buffer[self.start..self.end];
        let Some((lengths, body)) = read_table(bytes, limits)? else { return Ok(None) };
        let mut segments = Segments::new(&lengths);
        let there = body.len().min(segments.size());
        if there < segments.size()
            && let Some(memory) = memory
        {
            segments.count(memory);
            if !segments.reserve(0) {
                return Err(no_memory());
            }
        }
        segments.space(0)[..there].copy_from_slice(&body[..there]);
        let begin = self.start;
        self.start += bytes.len() - body.len() + there;
        // The buffer lives as long as the connection, and the message may hold a secret.
        self.buffer[begin..self.start].fill(0);
        if there == segments.size() {
            self.begun = None;
            return Ok(Some(Received::new(segments)));
        }
        self.long = Some((segments, there));
        Ok(None)
    }
}

/// The lengths of a message's segments in words, and the bytes after them.
type Table<'a> = (Vec<usize>, &'a [u8]);

/// Reads a segment table; returns the lengths in words and what follows, or `None` if it is not there as a whole.
fn read_table<'a>(bytes: &'a [u8], limits: &ReaderOptions) -> Result<Option<Table<'a>>, Error> {
    let (words, _) = bytes.as_chunks::<4>();
    let number = |index: usize| words.get(index).map(|word| u32::from_le_bytes(*word) as usize);
    let Some(more) = number(0) else { return Ok(None) };
    if more >= SEGMENTS {
        return Err(Error::failed(format!("a message of {more} and one segments")));
    }
    let count = more + 1;
    // The number and the lengths, filled up to whole words.
    let size = (count + 2) / 2 * 8;
    if bytes.len() < size {
        return Ok(None);
    }
    let lengths: Vec<usize> = (1..=count).filter_map(number).collect();
    let total = lengths.iter().sum::<usize>();
    if limits.traversal_limit_in_words.is_some_and(|limit| total > limit) {
        return Err(Error::overloaded(format!("a message of {total} words is too long")));
    }
    Ok(Some((lengths, &bytes[size..])))
}

/// The RPC system's only connection.
pub(crate) struct Network {
    side: Side,
    channel: Channel,
    /// What `accept` has not given out.
    accepted: Option<Link>,
    ended: Option<oneshot::Receiver<Result<(), Error>>>,
}

/// A connection as the RPC system holds it.
struct Link {
    side: Side,
    channel: Channel,
    result: Result<(), Error>,
    ended: Option<oneshot::Sender<Result<(), Error>>>,
}

impl Network {
    /// `side` says whether this end called or was called.
    pub(crate) fn new(side: Side, channel: Channel) -> Self {
        let (sender, ended) = oneshot::channel();
        let link = Link { side, channel: channel.clone(), result: Ok(()), ended: Some(sender) };
        Network { side, channel, accepted: Some(link), ended: Some(ended) }
    }
}

impl VatNetwork<Side> for Network {
    fn connect(&mut self, host: Side) -> Option<Box<dyn Connection<Side>>> {
        if host == self.side {
            return None;
        }
        // The RPC system asks once, and then accepts nothing.
        let link = self.accepted.take().unwrap_or_else(|| Link {
            side: self.side,
            channel: self.channel.clone(),
            result: Ok(()),
            ended: None,
        });
        Some(Box::new(link))
    }

    fn accept(&mut self) -> Promise<Box<dyn Connection<Side>>, Error> {
        match (self.side, self.accepted.take()) {
            (Side::Server, Some(link)) => Promise::ok(Box::new(link)),
            (_, link) => {
                self.accepted = link;
                Promise::from_future(std::future::pending())
            }
        }
    }

    fn drive_until_shutdown(&mut self) -> Promise<(), Error> {
        let ended = self.ended.take();
        Promise::from_future(async move {
            match ended {
                Some(ended) => ended.await.unwrap_or(Ok(())),
                None => std::future::pending().await,
            }
        })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let Some(system) = self.ended.take() else { return };
        self.channel.0.end.set(Some((system, std::mem::replace(&mut self.result, Ok(())))));
        if self.channel.is_sent() {
            self.channel.sent();
        }
    }
}

impl Connection<Side> for Link {
    fn get_peer_vat_id(&self) -> Side {
        self.side
    }

    fn new_outgoing_message(&mut self, first_segment_words: u32) -> Box<dyn OutgoingMessage> {
        let first = first_segment_words.min(FIRST_SEGMENT);
        let message = Builder::new(HeapAllocator::new().first_segment_words(first));
        let along = self.channel.0.along.borrow_mut().take();
        Box::new(Outbound { message, companion: Companion { along, channel: self.channel.clone() } })
    }

    fn receive_incoming_message(&mut self) -> Promise<Option<Box<dyn IncomingMessage>>, Error> {
        let channel = self.channel.clone();
        Promise::from_future(async move {
            let message = poll_fn(|cx| channel.receive(cx)).await?;
            Ok(message.map(|received| {
                let message = Reader::new(received.clone(), channel.limits(&received));
                let long = (received.size() >= LONG).then_some(received);
                let call = channel.0.quota.borrow().calls_arrived;
                Box::new(Inbound { message, long, call, channel }) as Box<dyn IncomingMessage>
            }))
        })
    }

    fn shutdown(&mut self, result: Result<(), Error>) -> Promise<(), Error> {
        self.result = result;
        let channel = self.channel.clone();
        Promise::from_future(poll_fn(move |cx| {
            if channel.is_sent() {
                return Poll::Ready(Ok(()));
            }
            channel.0.writer.set(Some(cx.waker().clone()));
            Poll::Pending
        }))
    }
}

/// A message that arrived.
struct Inbound {
    message: Reader<Received>,
    /// The same, if it is long.
    long: Option<Received>,
    /// Its number, if it is a call.
    call: u64,
    channel: Channel,
}

impl IncomingMessage for Inbound {
    fn get_body(&self) -> Result<any_pointer::Reader<'_>, Error> {
        if let Some(long) = &self.long {
            *self.channel.0.read.borrow_mut() = Some(long.clone());
        }
        self.channel.0.call_read.set(self.call);
        self.message.get_root()
    }
}

/// A message being written.
struct Outbound {
    message: Builder<HeapAllocator>,
    companion: Companion,
}

/// What goes along with a message until that is sent.
struct Companion {
    along: Option<Along>,
    channel: Channel,
}

impl Drop for Companion {
    fn drop(&mut self) {
        if let Some(along) = self.along.take()
            && self.channel.0.making.get()
        {
            *self.channel.0.along.borrow_mut() = Some(along);
        }
    }
}

/// Puts a message together.
fn pack(message: Builder<HeapAllocator>, along: Option<Along>) -> (Queued, Sent) {
    let (message, queued) = match along {
        None => (Rc::new(message), None),
        Some(Along::Content(content)) => {
            let spliced = splice(&message, &content).ok().flatten();
            (Rc::new(message), spliced.map(|(first, tail)| Queued::spliced(first, content, tail)))
        }
        Some(Along::Attachments(attachments)) => {
            let patches = tie(&message, &attachments).ok().flatten();
            let message = Rc::new(message);
            let queued = patches.map(|patches| Queued::attached(message.clone(), patches, attachments));
            (message, queued)
        }
    };
    // Without what was to go along if it is not what that was meant for, such as an error in its place.
    (queued.unwrap_or_else(|| Queued::whole(message.clone())), message)
}

impl OutgoingMessage for Outbound {
    fn get_body(&mut self) -> Result<any_pointer::Builder<'_>, Error> {
        self.message.get_root()
    }

    fn get_body_as_reader(&self) -> Result<any_pointer::Reader<'_>, Error> {
        self.message.get_root_as_reader()
    }

    fn send(self: Box<Self>) -> (Promise<(), Error>, Sent) {
        let Outbound { message, mut companion } = *self;
        let (along, channel) = (companion.along.take(), &companion.channel);
        let mut instead = None;
        if let Ok(root) = message.get_root_as_reader::<message::Reader<'_>>() {
            if channel.0.quota.borrow_mut().leaves(root) {
                channel.0.reader.take().into_iter().for_each(Waker::wake);
            }
            instead = quota::replaceable(root);
        }
        let (queued, message) = pack(message, along);
        match instead {
            Some((call, no_finish)) if !channel.has_room(queued.size()) => {
                let room = channel.0.room;
                channel.refuse(call, !no_finish, &format!("unread answers of more than {room} bytes"));
            }
            _ => channel.queue(queued),
        }
        (Promise::ok(()), message)
    }

    fn take(self: Box<Self>) -> Builder<HeapAllocator> {
        self.message
    }

    fn size_in_words(&self) -> usize {
        self.message.size_in_words()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outgoing::tests::{message, send};

    fn incoming() -> Incoming {
        Incoming::new(vec![0; 64].into_boxed_slice())
    }

    /// Gives at most `step` bytes at a time.
    struct Steps<'a> {
        bytes: &'a [u8],
        step: usize,
    }

    impl Read for Steps<'_> {
        fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
            let step = self.step.min(space.len());
            self.bytes.take(step as u64).read(space).inspect(|count| self.bytes = &self.bytes[*count..])
        }
    }

    #[test]
    fn messages_survive_any_cut() {
        let texts: Vec<String> = [0, 1, 7, 40, 200, 3].iter().map(|length| "x".repeat(*length)).collect();
        let expected: Vec<u8> =
            texts.iter().flat_map(|text| capnp::serialize::write_message_to_words(&*message(text))).collect();
        for step in 1..100 {
            assert_eq!(send(&texts, step).bytes, expected);
            let (mut incoming, mut got) = (incoming(), Vec::new());
            let mut stream = Steps { bytes: &expected, step };
            loop {
                while let Some(segments) = incoming.take(&ReaderOptions::new(), None).expect("well-formed") {
                    let reader = Reader::new(segments, ReaderOptions::new());
                    let text: capnp::text::Reader<'_> = reader.get_root().expect("a text");
                    got.push(text.to_string().expect("UTF-8"));
                }
                if incoming.read(&mut stream).expect("memory does not fail") == 0 {
                    break;
                }
            }
            assert_eq!(got, texts);
            assert!(incoming.is_empty());
        }
    }

    #[test]
    fn claims_are_checked_before_memory_is_taken() {
        let mut limits = ReaderOptions::new();
        limits.traversal_limit_in_words(Some(1000));
        let check = |words: &[u32], expected: &str| {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            let got = match read_table(&bytes, &limits) {
                Ok(Some((lengths, rest))) => {
                    format!("{} words, then {} bytes", lengths.iter().sum::<usize>(), rest.len())
                }
                Ok(None) => "not yet".to_owned(),
                Err(error) => error.extra,
            };
            assert_eq!(got, expected, "{words:?}");
        };
        check(&[], "not yet");
        check(&[0], "not yet");
        check(&[0, 5], "5 words, then 0 bytes");
        check(&[0, 5, 9, 9], "5 words, then 8 bytes");
        check(&[1, 5, 6], "not yet");
        check(&[1, 5, 6, 0], "11 words, then 0 bytes");
        check(&[0, 1001], "a message of 1001 words is too long");
        check(&[1, u32::MAX, u32::MAX, 0], "a message of 8589934590 words is too long");
        check(&[512], "a message of 512 and one segments");
        check(&[u32::MAX, u32::MAX], "a message of 4294967295 and one segments");
    }
}
