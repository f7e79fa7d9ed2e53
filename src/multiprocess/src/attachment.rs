//! Long bytes sent from where they are, without a copy.
//!
//! A message says where the bytes of a field are by a pointer. Of an attachment, that pointer leads to a segment of its own,
//! which is the bytes themselves: behind the segments that were written come one of pointers and one for each attachment.
//! What is attached are fields of the root of parameters or results, whose place in the RPC system's message can be found.

use bytes::Bytes;
use capnp::message::{Builder, HeapAllocator};
use capnp::{Error, Word};
use capnp_rpc::rpc_capnp::{message, return_};

/// Bytes in a word.
const WORD: usize = size_of::<Word>();

/// A pointer's lowest bits: what kind it is.
const KIND: u64 = 3;
const STRUCT: u64 = 0;
const LIST: u64 = 1;
/// A pointer to another segment.
const FAR: u64 = 2;
/// One whose target is two words: where the object is, and what it is.
const DOUBLE: u64 = 4;
/// The elements of a list of bytes.
const BYTES: u64 = 2 << 32;

/// Most elements of a list.
const ELEMENTS: usize = 1 << 29;

/// A field that is sent from where it is.
#[derive(Clone)]
pub(crate) struct Attachment {
    /// Which of the pointers of the message's root leads to it.
    pub(crate) slot: u16,
    pub(crate) bytes: Bytes,
    /// Has a zero byte at its end that is not in `bytes`.
    pub(crate) text: bool,
}

impl Attachment {
    /// Number of bytes on the wire.
    fn length(&self) -> usize {
        self.bytes.len() + usize::from(self.text)
    }

    /// Bytes that it takes on the wire.
    pub(crate) fn size(&self) -> usize {
        self.length().next_multiple_of(WORD)
    }

    /// What follows the bytes on the wire.
    pub(crate) fn padding(&self) -> &'static [u8] {
        &[0; WORD][..self.size() - self.bytes.len()]
    }

    /// Says whether so many bytes can be one.
    pub(crate) fn fits(length: usize) -> bool {
        length < ELEMENTS
    }
}

/// A word of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    segment: usize,
    word: usize,
}

/// What is different about a message with attachments.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Patches {
    /// Words that are others: the segment, the word in it, and the word. In order.
    pub(crate) words: Vec<(usize, usize, [u8; WORD])>,
    /// The segment of pointers.
    pub(crate) pointers: Vec<u8>,
}

/// Ties attachments to a message; `None` if that has no place for them.
pub(crate) fn tie(envelope: &Builder<HeapAllocator>, attachments: &[Attachment]) -> Result<Option<Patches>, Error> {
    // From a message to its payload: `rpc.capnp`.
    let path: [u16; 3] = match envelope.get_root_as_reader::<message::Reader<'_>>()?.which()? {
        message::Call(_) => [0, 1, 0],
        message::Return(answer) => match answer?.which()? {
            return_::Results(_) => [0, 0, 0],
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    Ok(tie_below(envelope, &path, attachments))
}

/// Ties attachments to the struct that `path` leads to: which pointer of each struct is followed.
pub(crate) fn tie_below(message: &Builder<HeapAllocator>, path: &[u16], attachments: &[Attachment]) -> Option<Patches> {
    let segments = message.get_segments_for_output();
    let mut root = Place { segment: 0, word: 0 };
    for slot in path {
        root = pointer_of(&segments, root, *slot)?;
    }
    let pointers = segments.len() as u64;
    let mut patches = Patches::default();
    for (index, attachment) in attachments.iter().enumerate() {
        let Place { segment, word } = pointer_of(&segments, root, attachment.slot)?;
        let pad = (patches.pointers.len() / WORD) as u64;
        let target = pointers + 1 + index as u64;
        patches.words.push((segment, word, (FAR | DOUBLE | pad << 3 | pointers << 32).to_le_bytes()));
        patches.pointers.extend((FAR | target << 32).to_le_bytes());
        patches.pointers.extend((LIST | BYTES | (attachment.length() as u64) << 35).to_le_bytes());
    }
    patches.words.sort_unstable();
    Some(patches)
}

/// Finds a pointer of the struct that another pointer leads to.
fn pointer_of(segments: &[&[u8]], from: Place, slot: u16) -> Option<Place> {
    let word = |Place { segment, word }: Place| {
        let words = segments.get(segment)?.as_chunks::<WORD>().0;
        words.get(word).map(|word| u64::from_le_bytes(*word))
    };
    let far = |pointer: u64| Place { segment: (pointer >> 32) as usize, word: (pointer as u32 >> 3) as usize };
    let mut place = from;
    let mut pointer = word(place)?;
    let mut start = None;
    if pointer & KIND == FAR {
        place = far(pointer);
        let double = pointer & DOUBLE != 0;
        pointer = word(place)?;
        if double {
            start = Some(far(pointer));
            pointer = word(Place { word: place.word + 1, ..place })?;
        }
    }
    if pointer == 0 || pointer & KIND != STRUCT {
        return None;
    }
    let start = match start {
        Some(start) => start,
        None => Place { word: (place.word + 1).checked_add_signed((pointer as u32 as i32 >> 2) as isize)?, ..place },
    };
    let (data, count) = ((pointer >> 32 & 0xffff) as usize, (pointer >> 48) as u16);
    (slot < count).then(|| Place { word: start.word + data + usize::from(slot), ..start })
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use capnp::any_pointer;
    use capnp::message::ReaderOptions;
    use capnp::serialize::read_message;
    use capnp_rpc::rpc_capnp::{exception, payload};

    use super::*;
    use crate::outgoing::Queued;
    use crate::proxy_capnp::context;
    use crate::proxy_capnp::thread::get_name_results;

    /// A message with an empty payload, which starts with so many words.
    fn envelope(call: bool, first: u32) -> Builder<HeapAllocator> {
        let mut envelope = Builder::new(HeapAllocator::new().first_segment_words(first));
        let root = envelope.init_root::<message::Builder<'_>>();
        if call {
            root.init_call().init_params();
        } else {
            root.init_return().init_results();
        }
        envelope
    }

    fn content(envelope: &mut Builder<HeapAllocator>) -> any_pointer::Builder<'_> {
        let payload: Result<payload::Builder<'_>, Error> =
            match envelope.get_root::<message::Builder<'_>>().unwrap().which().unwrap() {
                message::Call(call) => call.unwrap().get_params(),
                message::Return(answer) => match answer.unwrap().which().unwrap() {
                    return_::Results(payload) => payload,
                    _ => panic!("not results"),
                },
                _ => panic!("neither a call nor a return"),
            };
        payload.unwrap().get_content()
    }

    /// Sends a text in a message and reads it.
    #[track_caller]
    fn check(call: bool, text: &str, first: u32) {
        let mut envelope = envelope(call, first);
        // Something before, so that the content is not next to the pointer that leads to it.
        content(&mut envelope).init_as::<context::Builder<'_>>();
        content(&mut envelope).init_as::<get_name_results::Builder<'_>>();
        let attachment = Attachment { slot: 0, bytes: Bytes::from(text.to_owned()), text: true };
        let patches = tie(&envelope, std::slice::from_ref(&attachment)).unwrap().unwrap();
        let sent = Queued::attached(Rc::new(envelope), patches, vec![attachment]).to_vec();
        let read = read_message(sent.as_slice(), ReaderOptions::new()).unwrap();
        let payload = match read.get_root::<message::Reader<'_>>().unwrap().which().unwrap() {
            message::Call(call) => call.unwrap().get_params(),
            message::Return(answer) => match answer.unwrap().which().unwrap() {
                return_::Results(payload) => payload,
                _ => panic!("not results"),
            },
            _ => panic!("neither a call nor a return"),
        };
        let results: get_name_results::Reader<'_> = payload.unwrap().get_content().get_as().unwrap();
        assert_eq!(results.get_result().unwrap(), text);
    }

    #[test]
    fn fields_are_read_as_if_they_had_been_written() {
        for first in (1..40).chain([1000]) {
            for length in [0, 1, 6, 7, 8, 9, 70_000] {
                check(true, &"x".repeat(length), first);
                check(false, &"x".repeat(length), first);
            }
        }
    }

    #[test]
    fn several_fields_of_a_struct_are_attached_in_any_order() {
        for first in (1..40).chain([1000]) {
            let mut envelope = envelope(true, first);
            content(&mut envelope).init_as::<context::Builder<'_>>();
            // A struct with data before its pointers: `reason` is the first of them, `trace` the second.
            content(&mut envelope).init_as::<exception::Builder<'_>>().set_type(exception::Type::Overloaded);
            let field = |slot, text: &str| Attachment { slot, bytes: Bytes::from(text.to_owned()), text: true };
            let attachments = vec![field(1, "where it came from"), field(0, "why")];
            let patches = tie(&envelope, &attachments).unwrap().unwrap();
            let sent = Queued::attached(Rc::new(envelope), patches, attachments).to_vec();
            let read = read_message(sent.as_slice(), ReaderOptions::new()).unwrap();
            let message::Call(call) = read.get_root::<message::Reader<'_>>().unwrap().which().unwrap() else {
                panic!("not a call")
            };
            let content = call.unwrap().get_params().unwrap().get_content();
            let exception: exception::Reader<'_> = content.get_as().unwrap();
            assert_eq!(exception.get_type().unwrap(), exception::Type::Overloaded);
            assert_eq!(exception.get_reason().unwrap(), "why");
            assert_eq!(exception.get_trace().unwrap(), "where it came from");
        }
    }

    #[test]
    fn a_list_holds_less_than_half_a_gibibyte() {
        assert!(Attachment::fits(0));
        assert!(Attachment::fits((1 << 29) - 1));
        assert!(!Attachment::fits(1 << 29));
        assert!(!Attachment::fits(usize::MAX));
    }

    /// A pointer to a struct: words between the pointer and the struct, words of data, pointers.
    fn structure(offset: i32, data: u64, pointers: u64) -> u64 {
        u64::from((offset as u32) << 2) | data << 32 | pointers << 48
    }

    /// A pointer to a word of a segment; to one of two words that describe the object if `double`.
    fn far(segment: u64, word: u64, double: bool) -> u64 {
        2 | u64::from(double) << 2 | word << 3 | segment << 32
    }

    /// Looks for a pointer of the struct that the word at `from` leads to. Words that are not given are zero.
    fn found(words: &[(usize, usize, u64)], from: (usize, usize), slot: u16) -> Option<(usize, usize)> {
        let mut segments = [[0; 12 * WORD]; 3];
        for (segment, word, value) in words {
            segments[*segment][word * WORD..][..WORD].copy_from_slice(&value.to_le_bytes());
        }
        let segments: Vec<&[u8]> = segments.iter().map(|segment| &segment[..]).collect();
        let place = pointer_of(&segments, Place { segment: from.0, word: from.1 }, slot)?;
        Some((place.segment, place.word))
    }

    /// The encoding's specification says where each of them leads.
    #[test]
    fn pointers_are_followed_across_segments() {
        let near = [(0, 1, structure(2, 1, 2))];
        assert_eq!(found(&near, (0, 1), 0), Some((0, 5)));
        assert_eq!(found(&near, (0, 1), 1), Some((0, 6)));
        assert_eq!(found(&near, (0, 1), 2), None, "the struct has two pointers");
        assert_eq!(found(&[(1, 9, structure(-4, 2, 1))], (1, 9), 0), Some((1, 8)), "backwards");
        assert_eq!(found(&[(0, 0, far(1, 3, false)), (1, 3, structure(1, 1, 1))], (0, 0), 0), Some((1, 6)));
        let double = [(0, 2, far(1, 4, true)), (1, 4, far(2, 5, false)), (1, 5, structure(0, 1, 2))];
        assert_eq!(found(&double, (0, 2), 0), Some((2, 6)));
        assert_eq!(found(&double, (0, 2), 1), Some((2, 7)));
        assert_eq!(found(&double, (0, 2), 2), None);
    }

    #[test]
    fn what_leads_to_no_struct_is_not_followed() {
        let check = |pointer: u64| assert_eq!(found(&[(0, 0, pointer)], (0, 0), 0), None, "{pointer:x}");
        check(0);
        check(structure(0, 1, 1) | LIST);
        check(structure(0, 1, 1) | KIND);
        check(structure(-3, 1, 1));
        check(far(1, 3, false));
        check(far(1, 3, true));
        check(far(3, 0, false));
        check(far(1, 12, false));
        assert_eq!(found(&[], (0, 12), 0), None);
        assert_eq!(found(&[], (3, 0), 0), None);
    }

    #[test]
    fn a_message_without_a_place_for_them_takes_none() {
        let attachment = Attachment { slot: 0, bytes: Bytes::new(), text: false };
        let attachments = std::slice::from_ref(&attachment);
        // No content yet.
        assert_eq!(tie(&envelope(true, 100), attachments).unwrap(), None);
        let mut exception = Builder::new_default();
        exception.init_root::<message::Builder<'_>>().init_return().init_exception();
        assert_eq!(tie(&exception, attachments).unwrap(), None);
        let mut other = Builder::new_default();
        other.init_root::<message::Builder<'_>>().init_finish();
        assert_eq!(tie(&other, attachments).unwrap(), None);
        let mut small = Builder::new_default();
        small.init_root::<get_name_results::Builder<'_>>();
        assert!(tie_below(&small, &[], attachments).is_some());
        let beyond = Attachment { slot: 1, ..attachment };
        assert_eq!(tie_below(&small, &[], &[beyond]), None);
    }
}
