//! A long result sent from where it was written, without a copy.
//!
//! What the RPC system writes around it, the envelope, goes along as one more segment, and pointers tie the two
//! together: the message's root leads to the envelope, and the envelope's content, by a pointer of two words behind it,
//! to the result. Segments of the result keep their numbers, so that pointers between them hold. Only what refers to no
//! object can be sent like this.

use capnp::Error;
use capnp::message::{Builder, HeapAllocator, ReaderSegments};
use capnp_rpc::rpc_capnp::{message, return_};

/// Bytes in a word.
const WORD: usize = 8;

/// A pointer's lowest bits: what kind it is.
const KIND: u64 = 3;
/// A pointer to another segment.
const FAR: u64 = 2;
/// One whose target is two words: where the object is, and what it is.
const DOUBLE: u64 = 4;

/// What stands in place of a body's first word, and what follows it as a segment.
pub(crate) type Splice = ([u8; WORD], Vec<u8>);

/// Says whether a body is one that can be sent like this: a struct.
pub(crate) fn is_struct(body: &Builder<HeapAllocator>) -> bool {
    body.get_segments_for_output().first().is_some_and(|first| matches!(word(first, 0) & KIND, 0 | FAR))
}

/// Ties `body` to what is around it; `None` if that cannot be done.
pub(crate) fn splice(
    envelope: &Builder<HeapAllocator>,
    body: &Builder<HeapAllocator>,
) -> Result<Option<Splice>, Error> {
    let segments = envelope.get_segments_for_output();
    let body = body.get_segments_for_output();
    let (&[segment], Some(first)) = (&*segments, body.first()) else { return Ok(None) };
    let Some(content) = content_at(envelope)? else { return Ok(None) };
    let mut tail = segment.to_vec();
    let number = body.len() as u64;
    let root = word(first, 0);
    let pointer = match root & KIND {
        0 if root == 0 => 0,
        FAR => root,
        0 => {
            // An offset from the end of the pointer, in the upper 30 of the lower 32 bits.
            let start = 1 + i64::from(root as u32 as i32 >> 2);
            let pad = (tail.len() / WORD) as u64;
            tail.extend_from_slice(&far(start as u64, 0).to_le_bytes());
            tail.extend_from_slice(&(root >> 32 << 32).to_le_bytes());
            far(pad, number) | DOUBLE
        }
        _ => return Ok(None),
    };
    tail[content * WORD..][..WORD].copy_from_slice(&pointer.to_le_bytes());
    Ok(Some((far(0, number).to_le_bytes(), tail)))
}

/// A pointer to a word of a segment.
fn far(word: u64, segment: u64) -> u64 {
    FAR | word << 3 | segment << 32
}

fn word(bytes: &[u8], index: usize) -> u64 {
    bytes.as_chunks::<WORD>().0.get(index).map_or(0, |word| u64::from_le_bytes(*word))
}

/// Finds the envelope's pointer to its content: an index in words. There is none but in results without objects.
fn content_at(envelope: &Builder<HeapAllocator>) -> Result<Option<usize>, Error> {
    let message::Return(answer) = envelope.get_root_as_reader::<message::Reader<'_>>()?.which()? else {
        return Ok(None);
    };
    let return_::Results(payload) = answer?.which()? else { return Ok(None) };
    let payload = payload?;
    if !payload.get_cap_table()?.is_empty() || payload.has_content() {
        return Ok(None);
    }
    // The same way again, by hand: the reader does not say where it is.
    let segments = envelope.get_segments_for_output();
    let Some(segment) = segments.first() else { return Ok(None) };
    let pointers = |at: usize| {
        let pointer = word(segment, at);
        let data = (pointer >> 32 & 0xffff) as usize;
        (pointer & KIND == 0).then(|| (at + 1).wrapping_add_signed((pointer as u32 as i32 >> 2) as isize) + data)
    };
    Ok(pointers(0).and_then(pointers).and_then(pointers).filter(|at| *at < segment.len() / WORD))
}

#[cfg(test)]
mod tests {
    use capnp::Word;
    use capnp::message::{Reader, ReaderOptions, SegmentArray};

    use super::*;

    /// An envelope around nothing.
    fn envelope() -> Builder<HeapAllocator> {
        let mut envelope = Builder::new(HeapAllocator::new().first_segment_words(100));
        let mut answer = envelope.init_root::<message::Builder<'_>>().init_return();
        answer.set_answer_id(7);
        answer.init_results();
        envelope
    }

    /// A segment as it is received: in memory that words may be in.
    fn words(segment: &[u8]) -> Vec<Word> {
        let mut words = Word::allocate_zeroed_vec(segment.len() / WORD);
        Word::words_to_bytes_mut(&mut words).copy_from_slice(segment);
        words
    }

    /// Sends a text, as the only field of a struct, in a body that starts with so many words.
    #[track_caller]
    fn check(text: &str, first: u32) {
        let mut body = Builder::new(HeapAllocator::new().first_segment_words(first));
        body.init_root::<crate::proxy_capnp::thread::get_name_results::Builder<'_>>().set_result(text);
        let (root, tail) = splice(&envelope(), &body).expect("well-formed").expect("nothing in the way");
        let parts = body.get_segments_for_output();
        let mut segments: Vec<Vec<Word>> = parts.iter().copied().chain([tail.as_slice()]).map(words).collect();
        Word::words_to_bytes_mut(&mut segments[0])[..WORD].copy_from_slice(&root);
        let segments: Vec<&[u8]> = segments.iter().map(|segment| Word::words_to_bytes(segment)).collect();
        let reader = Reader::new(SegmentArray::new(&segments), ReaderOptions::new());
        let message::Return(answer) = reader.get_root::<message::Reader<'_>>().unwrap().which().unwrap() else {
            panic!("not a return")
        };
        let answer = answer.unwrap();
        assert_eq!(answer.get_answer_id(), 7);
        let return_::Results(payload) = answer.which().unwrap() else { panic!("not results") };
        let content = payload.unwrap().get_content();
        let results: crate::proxy_capnp::thread::get_name_results::Reader<'_> = content.get_as().unwrap();
        assert_eq!(results.get_result().unwrap(), text);
    }

    #[test]
    fn results_are_read_as_they_were_written() {
        for first in [1, 2, 3, 64, 10_000] {
            for length in [0, 1, 100, 70_000] {
                check(&"x".repeat(length), first);
            }
        }
    }

    #[test]
    fn nothing_stays_nothing() {
        let body = Builder::new(HeapAllocator::new());
        assert!(splice(&envelope(), &body).unwrap().is_none(), "a body without a root has no first word");
        let mut other = Builder::new(HeapAllocator::new());
        other.init_root::<message::Builder<'_>>().init_finish();
        let mut body = Builder::new(HeapAllocator::new());
        body.init_root::<capnp::any_pointer::Builder<'_>>();
        assert!(splice(&other, &body).unwrap().is_none(), "only results have content");
    }
}
