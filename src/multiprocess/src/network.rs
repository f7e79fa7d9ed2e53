//! A connection's socket as the RPC system sees it: messages in, messages out.
//!
//! Messages to send are queued as they are and leave in one system call at the end of the turn
//! ([`crate::core::Core::run`]), so that a result and the release that goes with it wake the other side once. Messages that
//! arrive are cut out of one buffer; a long one is read to where it stays.
//!
//! **Invariant:** a message's claimed size is checked before memory is taken for it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice, Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use capnp::Error;
use capnp::any_pointer;
use capnp::capability::Promise;
use capnp::message::{Builder, HeapAllocator, Reader, ReaderOptions};
use capnp::serialize::{OwnedSegments, SegmentLengthsBuilder};
use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::{Connection, IncomingMessage, OutgoingMessage, VatNetwork};
use futures::channel::oneshot;

use crate::io::Io;

/// Bytes read at a time.
const BUFFER: usize = 64 << 10;

/// Most segments of a message, as in Cap'n Proto.
const SEGMENTS: usize = 512;

/// Reads in a row; then others get their turn.
const READS: usize = 16;

/// Slices given to one system call.
const SLICES: usize = 64;

type Sent = Rc<Builder<HeapAllocator>>;

/// Channels with messages to send.
pub(crate) type Dirty = Rc<RefCell<Vec<Channel>>>;

/// Both directions of a connection.
#[derive(Clone)]
pub(crate) struct Channel(Rc<State>);

struct State {
    io: Arc<Io>,
    limits: ReaderOptions,
    dirty: Dirty,
    incoming: RefCell<Incoming>,
    outgoing: RefCell<Outgoing>,
    /// What reading failed with because writing did.
    broken: RefCell<Option<Error>>,
    /// Waits for a message.
    reader: Cell<Option<Waker>>,
    /// Wait until all is sent: those who shut down, and the RPC system for its end.
    writer: Cell<Option<Waker>>,
    end: Cell<Option<End>>,
}

/// How an RPC system ends, and whom to tell.
type End = (oneshot::Sender<Result<(), Error>>, Result<(), Error>);

struct Incoming {
    buffer: Box<[u8]>,
    /// What is read and not taken.
    start: usize,
    end: usize,
    /// A message that is longer than what of it was read, and how much is there.
    long: Option<(OwnedSegments, usize)>,
    /// The last read took all there was, or it is the turn of others.
    drained: bool,
    /// Reads of this turn.
    reads: usize,
}

#[derive(Default)]
struct Outgoing {
    /// Each with its segment table.
    messages: VecDeque<(Vec<u8>, Sent)>,
    /// Bytes of the first that are gone.
    gone: usize,
    /// On the list of those with messages to send.
    listed: bool,
}

impl Channel {
    pub(crate) fn new(io: Arc<Io>, limits: ReaderOptions, dirty: Dirty) -> Self {
        let buffer = vec![0; BUFFER].into_boxed_slice();
        Channel(Rc::new(State {
            io,
            limits,
            dirty,
            incoming: RefCell::new(Incoming { buffer, start: 0, end: 0, long: None, drained: false, reads: 0 }),
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
        let messages = if failed.is_some() { std::mem::take(&mut outgoing.messages) } else { VecDeque::new() };
        drop(outgoing);
        drop(messages);
        if let Some(error) = failed {
            // What arrived before is read first.
            self.0.incoming.borrow_mut().listen();
            *self.0.broken.borrow_mut() = Some(error);
            self.0.reader.take().into_iter().for_each(Waker::wake);
        }
        self.sent();
    }

    fn sent(&self) {
        self.0.writer.take().into_iter().for_each(Waker::wake);
        if let Some((system, result)) = self.0.end.take() {
            // Nobody drives a system that is being dropped.
            let _ = system.send(result);
        }
    }

    fn is_sent(&self) -> bool {
        self.0.outgoing.borrow().messages.is_empty()
    }

    fn queue(&self, message: Sent) {
        let table = segment_table(&message);
        let mut outgoing = self.0.outgoing.borrow_mut();
        outgoing.messages.push_back((table, message));
        if !std::mem::replace(&mut outgoing.listed, true) {
            self.0.dirty.borrow_mut().push(self.clone());
        }
    }

    /// Returns the next message; `None` at the end.
    fn receive(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Reader<OwnedSegments>>, Error>> {
        let received = self.read(cx);
        if matches!(received, Poll::Ready(Ok(None) | Err(_))) {
            self.0.io.set_deaf();
        }
        received
    }

    fn read(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Reader<OwnedSegments>>, Error>> {
        let mut incoming = self.0.incoming.borrow_mut();
        loop {
            match incoming.take(&self.0.limits) {
                Ok(None) => {}
                Ok(Some(segments)) => return Poll::Ready(Ok(Some(Reader::new(segments, self.0.limits)))),
                Err(error) => return Poll::Ready(Err(error)),
            }
            if incoming.drained {
                if let Some(error) = self.0.broken.borrow_mut().take() {
                    return Poll::Ready(Err(error));
                }
                self.0.reader.set(Some(cx.waker().clone()));
                return Poll::Pending;
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

impl Incoming {
    /// There may be more to read.
    fn listen(&mut self) {
        (self.drained, self.reads) = (false, 0);
    }

    fn is_empty(&self) -> bool {
        self.start == self.end && self.long.is_none()
    }

    /// Reads into the long message or the buffer.
    fn read(&mut self, stream: &mut impl Read) -> io::Result<usize> {
        let Incoming { buffer, start, end, long, drained, reads } = self;
        let space = match long {
            Some((segments, there)) => &mut segments[*there..],
            None => {
                if *start > 0 {
                    buffer.copy_within(*start..*end, 0);
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
    fn take(&mut self, limits: &ReaderOptions) -> Result<Option<OwnedSegments>, Error> {
        if let Some((segments, there)) = &self.long {
            return if *there == segments.len() {
                Ok(self.long.take().map(|(segments, _)| segments))
            } else {
                Ok(None)
            };
        }
        let bytes = &self.buffer[self.start..self.end];
        let Some((table, body)) = read_table(bytes, limits)? else { return Ok(None) };
        let mut segments = table.into_owned_segments();
        let there = body.len().min(segments.len());
        segments[..there].copy_from_slice(&body[..there]);
        self.start += bytes.len() - body.len() + there;
        if there == segments.len() {
            return Ok(Some(segments));
        }
        self.long = Some((segments, there));
        Ok(None)
    }
}

/// Reads a segment table; returns it and what follows, or `None` if it is not there as a whole.
fn read_table<'a>(bytes: &'a [u8], limits: &ReaderOptions) -> Result<Option<(SegmentLengthsBuilder, &'a [u8])>, Error> {
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
        return Err(Error::failed(format!("a message of {total} words is too long")));
    }
    let mut table = SegmentLengthsBuilder::with_capacity(count);
    for length in lengths {
        table.try_push_segment(length)?;
    }
    Ok(Some((table, &bytes[size..])))
}

/// Writes a message's segment table.
fn segment_table(message: &Builder<HeapAllocator>) -> Vec<u8> {
    let segments = message.get_segments_for_output();
    let mut table = Vec::with_capacity((segments.len() + 2) / 2 * 8);
    // Lengths fit by construction: a segment has less than 2^29 words.
    let mut push = |number: usize| table.extend_from_slice(&(number as u32).to_le_bytes());
    push(segments.len() - 1);
    segments.iter().for_each(|segment| push(segment.len() / 8));
    if segments.len().is_multiple_of(2) {
        push(0);
    }
    table
}

impl Outgoing {
    /// Writes until everything is gone.
    fn send(&mut self, stream: &mut impl Write) -> io::Result<()> {
        while !self.messages.is_empty() {
            let mut slices = Vec::with_capacity(SLICES);
            for (table, message) in &self.messages {
                let segments = message.get_segments_for_output();
                if slices.len() + 1 + segments.len() > SLICES && !slices.is_empty() {
                    break;
                }
                slices.push(IoSlice::new(table));
                slices.extend(segments.iter().map(|segment| IoSlice::new(segment)));
            }
            let mut rest = slices.as_mut_slice();
            IoSlice::advance_slices(&mut rest, self.gone);
            let limit = rest.len().min(SLICES);
            match stream.write_vectored(&rest[..limit]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.advance(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Notes that so many bytes more are gone.
    fn advance(&mut self, count: usize) {
        self.gone += count;
        while let Some((table, message)) = self.messages.front() {
            let size =
                table.len() + message.get_segments_for_output().iter().map(|segment| segment.len()).sum::<usize>();
            if self.gone < size {
                return;
            }
            self.gone -= size;
            self.messages.pop_front();
        }
    }
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
        let message = Builder::new(HeapAllocator::new().first_segment_words(first_segment_words));
        Box::new(Outbound { message, channel: self.channel.clone() })
    }

    fn receive_incoming_message(&mut self) -> Promise<Option<Box<dyn IncomingMessage>>, Error> {
        let channel = self.channel.clone();
        Promise::from_future(async move {
            let message = poll_fn(|cx| channel.receive(cx)).await?;
            Ok(message.map(|message| Box::new(Inbound(message)) as Box<dyn IncomingMessage>))
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
struct Inbound(Reader<OwnedSegments>);

impl IncomingMessage for Inbound {
    fn get_body(&self) -> Result<any_pointer::Reader<'_>, Error> {
        self.0.get_root()
    }
}

/// A message being written.
struct Outbound {
    message: Builder<HeapAllocator>,
    channel: Channel,
}

impl OutgoingMessage for Outbound {
    fn get_body(&mut self) -> Result<any_pointer::Builder<'_>, Error> {
        self.message.get_root()
    }

    fn get_body_as_reader(&self) -> Result<any_pointer::Reader<'_>, Error> {
        self.message.get_root_as_reader()
    }

    fn send(self: Box<Self>) -> (Promise<(), Error>, Sent) {
        let Outbound { message, channel } = *self;
        let message = Rc::new(message);
        channel.queue(message.clone());
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

    fn incoming() -> Incoming {
        Incoming { buffer: vec![0; 64].into_boxed_slice(), start: 0, end: 0, long: None, drained: false, reads: 0 }
    }

    /// A message of one text, in as many segments as that takes.
    fn message(text: &str) -> Sent {
        let mut message = Builder::new(HeapAllocator::new().first_segment_words(2));
        message.set_root(text).expect("a text fits");
        Rc::new(message)
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

    /// Takes at most `step` bytes at a time and counts the calls.
    #[derive(Default)]
    struct Sink {
        bytes: Vec<u8>,
        step: usize,
        calls: usize,
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.write_vectored(&[IoSlice::new(bytes)])
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            self.calls += 1;
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
            let count = all.len().min(self.step);
            self.bytes.extend_from_slice(&all[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn send(texts: &[String], step: usize) -> Sink {
        let mut outgoing = Outgoing::default();
        outgoing
            .messages
            .extend(texts.iter().map(|text| message(text)).map(|message| (segment_table(&message), message)));
        let mut sink = Sink { step, ..Sink::default() };
        outgoing.send(&mut sink).expect("the sink takes everything");
        sink
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
                while let Some(segments) = incoming.take(&ReaderOptions::new()).expect("well-formed") {
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
    fn what_is_queued_leaves_together() {
        let texts: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        assert_eq!(send(&texts, usize::MAX).calls, 1);
        let texts: Vec<String> = (0..100).map(|number| "x".repeat(number)).collect();
        assert!(send(&texts, usize::MAX).calls < 10);
    }

    #[test]
    fn claims_are_checked_before_memory_is_taken() {
        let mut limits = ReaderOptions::new();
        limits.traversal_limit_in_words(Some(1000));
        let check = |words: &[u32], expected: &str| {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            let got = match read_table(&bytes, &limits) {
                Ok(Some((table, rest))) => format!("{} words, then {} bytes", table.total_words(), rest.len()),
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
