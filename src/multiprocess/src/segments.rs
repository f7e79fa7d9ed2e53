//! The memory of a message that arrives, shared by those who read it. That of long ones is kept for the next: to have the
//! system give and take pages costs more than copying into them.
//!
//! **Invariant:** memory grows with the bytes that come, not with the size that is claimed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use capnp::Word;
use capnp::message::ReaderSegments;

/// Memory taken ahead of the bytes, in words.
const AHEAD: usize = 1 << 15;

/// Addresses taken ahead of the bytes, in words: the system gives memory to what is written to.
const RESERVE: usize = 1 << 20;

/// Words from which memory is worth keeping, up to [`RESERVE`].
const WORTH: usize = 1 << 13;

/// How many such memories are kept.
const KEPT: usize = 4;

/// Bytes in a word.
const WORD: usize = size_of::<Word>();

static POOL: Mutex<Vec<Vec<Word>>> = Mutex::new(Vec::new());

fn pool() -> MutexGuard<'static, Vec<Vec<Word>>> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns memory for so many words, of any content, or as many as are worth taking ahead.
fn memory(total: usize) -> Vec<Word> {
    let kept = (WORTH..=RESERVE).contains(&total).then(|| {
        let mut pool = pool();
        let fitting = pool.iter().position(|memory| memory.len() >= total);
        fitting.map(|index| pool.swap_remove(index))
    });
    let mut memory = kept.flatten().unwrap_or_else(|| Vec::with_capacity(total.min(RESERVE)));
    memory.truncate(total);
    memory
}

/// Memory that messages of several connections may take together, with whatever else its owner counts.
///
/// Called by the runtime, while it holds its lock, from any thread; must not wait.
pub trait MessageMemory: std::fmt::Debug + Send + Sync {
    /// Takes so many bytes; `false`, and takes none, if there are not as many.
    fn take(&self, bytes: usize) -> bool;

    /// Gives back bytes that were taken.
    fn give_back(&self, bytes: usize);
}

/// Memory that a message has taken; gives it back when dropped.
struct Taken {
    memory: Arc<dyn MessageMemory>,
    bytes: usize,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.memory.give_back(self.bytes);
    }
}

/// A message, as far as it is there.
pub(crate) struct Segments {
    /// Where each segment begins and ends, in words.
    bounds: Vec<(usize, usize)>,
    words: Vec<Word>,
    total: usize,
    taken: Option<Taken>,
}

impl Segments {
    /// Makes room for segments of these lengths, in words.
    pub(crate) fn new(lengths: &[usize]) -> Self {
        let mut total = 0;
        let bounds = lengths
            .iter()
            .map(|length| {
                let start = total;
                total += length;
                (start, total)
            })
            .collect();
        Segments { bounds, words: memory(total), total, taken: None }
    }

    /// Size of the whole message in bytes.
    pub(crate) fn size(&self) -> usize {
        self.total * WORD
    }

    /// Has the message count towards this memory from now on ([`Self::reserve`]).
    pub(crate) fn count(&mut self, memory: &Arc<dyn MessageMemory>) {
        self.taken = Some(Taken { memory: memory.clone(), bytes: 0 });
    }

    /// Takes the memory that [`Self::space`] is about to need; `false` if there is not enough.
    pub(crate) fn reserve(&mut self, there: usize) -> bool {
        let needed = self.grown(there) * WORD;
        let Some(Taken { memory, bytes }) = &mut self.taken else { return true };
        if needed > *bytes {
            if !memory.take(needed - *bytes) {
                return false;
            }
            *bytes = needed;
        }
        true
    }

    /// How many words there have to be for more than `there` bytes.
    fn grown(&self, there: usize) -> usize {
        if there == self.words.len() * WORD { (self.words.len() + AHEAD).min(self.total) } else { self.words.len() }
    }

    /// Where the bytes after the first `there` go: never empty unless the message is complete.
    pub(crate) fn space(&mut self, there: usize) -> &mut [u8] {
        let grown = self.grown(there);
        self.words.resize(grown, capnp::word(0, 0, 0, 0, 0, 0, 0, 0));
        &mut Word::words_to_bytes_mut(&mut self.words)[there..]
    }
}

impl Drop for Segments {
    fn drop(&mut self) {
        let mut words = std::mem::take(&mut self.words);
        if (WORTH..=RESERVE).contains(&words.len()) {
            // Messages may have secrets; the allocator wipes only what is given back to it.
            words.fill(capnp::word(0, 0, 0, 0, 0, 0, 0, 0));
            let mut pool = pool();
            if pool.len() < KEPT {
                pool.push(words);
            }
        }
    }
}

/// A message that arrived as a whole.
#[derive(Clone)]
pub(crate) struct Received(Arc<Segments>);

impl Received {
    /// Takes a message whose bytes are all there.
    pub(crate) fn new(segments: Segments) -> Self {
        Received(Arc::new(segments))
    }

    /// Size in bytes.
    pub(crate) fn size(&self) -> usize {
        self.0.size()
    }

    /// Returns bytes of the message that keep it, or `None` if they are not its.
    pub(crate) fn part(&self, part: &[u8]) -> Option<Bytes> {
        let all = Word::words_to_bytes(&self.0.words);
        let start = part.as_ptr().addr().checked_sub(all.as_ptr().addr())?;
        (start + part.len() <= all.len())
            .then(|| Bytes::from_owner(Whole(self.clone())).slice(start..start + part.len()))
    }
}

/// All bytes of a message.
struct Whole(Received);

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        Word::words_to_bytes(&self.0.0.words)
    }
}

impl ReaderSegments for Received {
    fn get_segment(&self, index: u32) -> Option<&[u8]> {
        let (start, end) = *self.0.bounds.get(index as usize)?;
        Some(Word::words_to_bytes(&self.0.words[start..end]))
    }

    fn len(&self) -> usize {
        self.0.bounds.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_follows_the_bytes() {
        let total = 1 << 27;
        let mut segments = Segments::new(&[1, total - 1]);
        assert_eq!(segments.space(0).len(), AHEAD * WORD);
        assert_eq!(segments.space(AHEAD * WORD - 3).len(), 3);
        assert_eq!(segments.space(AHEAD * WORD).len(), AHEAD * WORD);
        for step in 2..RESERVE / AHEAD {
            assert_eq!(segments.space(step * AHEAD * WORD).len(), AHEAD * WORD);
        }
        assert_eq!(segments.words.capacity(), RESERVE);
        assert_eq!(segments.size(), total * WORD);
        assert_eq!(Segments::new(&[2, 3]).space(0).len(), 5 * WORD);
        assert!(Segments::new(&[0]).space(0).is_empty());
    }

    #[derive(Debug)]
    struct Memory(Mutex<usize>);

    impl MessageMemory for Memory {
        fn take(&self, bytes: usize) -> bool {
            let mut left = self.0.lock().unwrap();
            let enough = bytes <= *left;
            *left -= if enough { bytes } else { 0 };
            enough
        }

        fn give_back(&self, bytes: usize) {
            *self.0.lock().unwrap() += bytes;
        }
    }

    #[test]
    fn memory_is_taken_as_it_grows_and_given_back() {
        let all = 5 * AHEAD * WORD / 2;
        let memory = Arc::new(Memory(Mutex::new(all)));
        let shared: Arc<dyn MessageMemory> = memory.clone();
        let left = || *memory.0.lock().unwrap();
        // Longer than what is kept for others, which may be there already.
        let mut segments = Segments::new(&[2 * RESERVE]);
        segments.count(&shared);
        for step in 0..2 {
            assert!(segments.reserve(step * AHEAD * WORD) && segments.reserve(step * AHEAD * WORD));
            segments.space(step * AHEAD * WORD);
            assert_eq!(left(), all - (step + 1) * AHEAD * WORD);
        }
        assert!(segments.reserve(AHEAD * WORD + 8), "there is room");
        assert!(!segments.reserve(2 * AHEAD * WORD));
        let received = Received::new(segments);
        let part = received.clone();
        drop(received);
        assert_eq!(left(), all - 2 * AHEAD * WORD);
        drop(part);
        assert_eq!(left(), all);
        assert!(Segments::new(&[2 * RESERVE]).reserve(0), "nobody counts");
    }
}
