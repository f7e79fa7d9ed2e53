//! What a connection has to send, as it is: nothing is copied to be sent, and what is queued leaves in few system calls.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};
use std::rc::Rc;

use capnp::message::{Builder, HeapAllocator};

use crate::attachment::{Attachment, Patches};

/// Slices given to one system call.
const SLICES: usize = 64;

/// A message as the RPC system shares it.
pub(crate) type Sent = Rc<Builder<HeapAllocator>>;

/// The messages not sent yet.
#[derive(Default)]
pub(crate) struct Outgoing {
    messages: VecDeque<Queued>,
    /// Bytes of the first that are gone.
    gone: usize,
    /// Bytes of all.
    bytes: usize,
    /// On the list of those with messages to send.
    pub(crate) listed: bool,
}

/// A message and what goes before it.
pub(crate) struct Queued {
    head: Vec<u8>,
    body: Body,
    size: usize,
}

enum Body {
    Whole(Sent),
    /// All but its first word, and a segment after it; see [`crate::splice`].
    Spliced(Box<Builder<HeapAllocator>>, Vec<u8>),
    /// With segments after it, and other words where those are pointed to.
    Attached(Sent, Patches, Vec<Attachment>),
}

impl Queued {
    /// A message as it is.
    pub(crate) fn whole(message: Sent) -> Self {
        let segments = message.get_segments_for_output();
        let head = segment_table(segments.iter().map(|segment| segment.len()));
        drop(segments);
        Queued::new(head, Body::Whole(message))
    }

    /// A message of which the first word is another one, and that has one more segment.
    pub(crate) fn spliced(first: [u8; 8], body: Box<Builder<HeapAllocator>>, tail: Vec<u8>) -> Self {
        let segments = body.get_segments_for_output();
        let mut head = segment_table(segments.iter().map(|segment| segment.len()).chain([tail.len()]));
        drop(segments);
        head.extend_from_slice(&first);
        Queued::new(head, Body::Spliced(body, tail))
    }

    /// A message with attachments.
    pub(crate) fn attached(message: Sent, patches: Patches, attachments: Vec<Attachment>) -> Self {
        let segments = message.get_segments_for_output();
        let more = attachments.iter().map(Attachment::size);
        let lengths = segments.iter().map(|segment| segment.len()).chain([patches.pointers.len()]).chain(more);
        let head = segment_table(lengths);
        drop(segments);
        Queued::new(head, Body::Attached(message, patches, attachments))
    }

    fn new(head: Vec<u8>, body: Body) -> Self {
        let mut queued = Queued { head, body, size: 0 };
        let mut size = 0;
        queued.each(|slice| size += slice.len());
        queued.size = size;
        queued
    }

    /// Returns the message as it is sent.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.size);
        self.each(|part| bytes.extend_from_slice(part));
        bytes
    }

    /// Size in bytes.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Gives the message's parts in order.
    fn each<'a>(&'a self, mut take: impl FnMut(&'a [u8])) {
        take(&self.head);
        match &self.body {
            Body::Whole(message) => message.get_segments_for_output().iter().copied().for_each(take),
            Body::Spliced(body, tail) => {
                for (index, segment) in body.get_segments_for_output().iter().copied().enumerate() {
                    take(if index == 0 { &segment[8..] } else { segment });
                }
                take(tail);
            }
            Body::Attached(message, patches, attachments) => {
                let mut words = patches.words.iter().peekable();
                for (index, mut rest) in message.get_segments_for_output().iter().copied().enumerate() {
                    let mut there = 0;
                    while let Some((_, word, instead)) = words.next_if(|(segment, ..)| *segment == index) {
                        let (before, after) = rest.split_at(word * 8 - there);
                        take(before);
                        take(instead);
                        (rest, there) = (&after[8..], word * 8 + 8);
                    }
                    take(rest);
                }
                take(&patches.pointers);
                for attachment in attachments {
                    take(&attachment.bytes);
                    take(attachment.padding());
                }
            }
        }
    }
}

/// Writes a segment table.
fn segment_table(lengths: impl Iterator<Item = usize>) -> Vec<u8> {
    // Lengths fit by construction: a segment has less than 2^29 words.
    let lengths: Vec<u32> = lengths.map(|length| (length / 8) as u32).collect();
    let mut table = Vec::with_capacity((lengths.len() + 2) / 2 * 8 + 8);
    let mut push = |number: u32| table.extend_from_slice(&number.to_le_bytes());
    push(lengths.len() as u32 - 1);
    lengths.iter().for_each(|length| push(*length));
    if lengths.len().is_multiple_of(2) {
        push(0);
    }
    table
}

impl Outgoing {
    /// Bytes that wait to be sent.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes - self.gone
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(crate) fn push(&mut self, message: Queued) {
        self.bytes += message.size;
        self.messages.push_back(message);
    }

    /// Lets go of everything.
    pub(crate) fn clear(&mut self) -> impl Sized + use<> {
        (self.gone, self.bytes) = (0, 0);
        std::mem::take(&mut self.messages)
    }

    /// Writes until everything is gone.
    pub(crate) fn send(&mut self, stream: &mut impl Write) -> io::Result<()> {
        while !self.messages.is_empty() {
            let mut slices = Vec::with_capacity(SLICES);
            for message in &self.messages {
                message.each(|slice| slices.push(IoSlice::new(slice)));
                if slices.len() >= SLICES {
                    break;
                }
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
        while let Some(message) = self.messages.front()
            && self.gone >= message.size
        {
            self.gone -= message.size;
            self.bytes -= message.size;
            self.messages.pop_front();
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A message of one text, in as many segments as that takes.
    pub(crate) fn message(text: &str) -> Sent {
        let mut message = Builder::new(HeapAllocator::new().first_segment_words(2));
        message.set_root(text).expect("a text fits");
        Rc::new(message)
    }

    /// Takes at most `step` bytes at a time and counts the calls.
    #[derive(Default)]
    pub(crate) struct Sink {
        pub(crate) bytes: Vec<u8>,
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

    pub(crate) fn send(texts: &[String], step: usize) -> Sink {
        let mut outgoing = Outgoing::default();
        texts.iter().for_each(|text| outgoing.push(Queued::whole(message(text))));
        let size = outgoing.bytes();
        let mut sink = Sink { step, ..Sink::default() };
        outgoing.send(&mut sink).expect("the sink takes everything");
        assert_eq!((sink.bytes.len(), outgoing.bytes()), (size, 0));
        sink
    }

    #[test]
    fn what_is_queued_leaves_together() {
        let texts: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        assert_eq!(send(&texts, usize::MAX).calls, 1);
        let texts: Vec<String> = (0..100).map(|number| "x".repeat(number)).collect();
        assert!(send(&texts, usize::MAX).calls < 10);
    }

    #[test]
    fn a_spliced_message_has_another_first_word_and_one_more_segment() {
        let parts = message(&"x".repeat(100));
        let body = Rc::try_unwrap(parts).ok().expect("not shared");
        let segments: Vec<Vec<u8>> = body.get_segments_for_output().iter().map(|part| part.to_vec()).collect();
        let mut expected = segment_table(segments.iter().map(Vec::len).chain([16]));
        expected.extend([7; 8]);
        expected.extend(segments.concat().split_off(8));
        expected.extend([9; 16]);
        let mut outgoing = Outgoing::default();
        outgoing.push(Queued::spliced([7; 8], Box::new(body), vec![9; 16]));
        let mut sink = Sink { step: 5, ..Sink::default() };
        outgoing.send(&mut sink).expect("the sink takes everything");
        assert_eq!(sink.bytes, expected);
    }
}
