//! What a message holds, as text that depends on its values alone: not on segments, paddings or numbers of objects.
//!
//! It is read without schemas, because these may be what changed. `{1 2 | a b}` is a struct with two words of numbers (in
//! hexadecimal) and two pointers, `[a b]` a list; words that are zero and pointers that are null are left out at the end,
//! as they mean the same there.

use std::fmt::Write;

use bitcoin::hashes::{Hash, sha256};
use bitcoin::hex::DisplayHex;
use capnp::message::ReaderSegments;

/// Longest bytes that are shown as they are.
const SHOWN: usize = 100;

/// A word of a message.
#[derive(Clone, Copy)]
struct Place {
    segment: u32,
    word: usize,
}

impl Place {
    fn plus(self, words: usize) -> Place {
        Place { word: self.word + words, ..self }
    }
}

/// What a pointer points to.
enum Target {
    Null,
    Struct { at: Place, words: usize, pointers: usize },
    List { at: Place, kind: u64, count: usize },
    Object(usize),
}

/// A message, and where the objects in it live.
pub struct Content<'a, S> {
    pub segments: &'a S,
    pub objects: Vec<&'static str>,
    /// Makes texts independent of this process.
    pub text: &'a dyn Fn(&str) -> String,
}

impl<S: ReaderSegments> Content<'_, S> {
    /// Shows what is found by going from the root through these pointers.
    pub fn show(&self, path: &[usize]) -> String {
        let mut at = Place { segment: 0, word: 0 };
        for pointer in path {
            let Target::Struct { at: found, words, .. } = self.follow(at) else { panic!("not a struct") };
            at = found.plus(words + pointer);
        }
        let mut text = String::new();
        self.pointer(at, &mut text);
        text
    }

    fn bytes(&self, at: Place, count: usize) -> &[u8] {
        &self.segments.get_segment(at.segment).unwrap()[8 * at.word..][..count]
    }

    fn word(&self, at: Place) -> u64 {
        u64::from_le_bytes(self.bytes(at, 8).try_into().unwrap())
    }

    fn follow(&self, from: Place) -> Target {
        let word = self.word(from);
        if word & 3 != 2 {
            let offset = (word as i32 >> 2) as isize;
            return Self::target(word, Place { word: (from.word + 1).wrapping_add_signed(offset), ..from });
        }
        // In another segment, where either the pointer is or, if there is no room, what it is like.
        let elsewhere = |word: u64| Place { segment: (word >> 32) as u32, word: (word as u32 >> 3) as usize };
        let pad = elsewhere(word);
        if word & 4 == 0 {
            return self.follow(pad);
        }
        Self::target(self.word(pad.plus(1)), elsewhere(self.word(pad)))
    }

    fn target(word: u64, at: Place) -> Target {
        let like = word >> 32;
        match word & 3 {
            _ if word == 0 => Target::Null,
            0 => Target::Struct { at, words: (like & 0xffff) as usize, pointers: (like >> 16) as usize },
            1 => Target::List { at, kind: like & 7, count: (like >> 3) as usize },
            _ => Target::Object(like as usize),
        }
    }

    fn pointer(&self, at: Place, text: &mut String) {
        match self.follow(at) {
            Target::Null => text.push('_'),
            Target::Struct { at, words, pointers } => self.structure(at, words, pointers, text),
            Target::List { at, kind, count } => self.list(at, kind, count, text),
            Target::Object(index) => text.push_str(self.objects[index]),
        }
    }

    fn structure(&self, at: Place, words: usize, pointers: usize, text: &mut String) {
        let used = |range: std::ops::Range<usize>| {
            let last = range.clone().rev().find(|index| self.word(at.plus(*index)) != 0);
            range.start..last.map_or(range.start, |last| last + 1)
        };
        let numbers: Vec<_> = used(0..words).map(|index| format!("{:x}", self.word(at.plus(index)))).collect();
        text.push('{');
        text.push_str(&numbers.join(" "));
        let pointers = used(words..words + pointers);
        text.push_str(if pointers.is_empty() { "" } else { " |" });
        for index in pointers {
            text.push(' ');
            self.pointer(at.plus(index), text);
        }
        text.push('}');
    }

    fn list(&self, at: Place, kind: u64, count: usize, text: &mut String) {
        match kind {
            0 | 1 => write!(text, "{count} {}", self.bytes(at, (count * kind as usize).div_ceil(8)).as_hex()).unwrap(),
            2 => text.push_str(&self.blob(self.bytes(at, count))),
            3..=5 => {
                let size = 1 << (kind - 2);
                let elements = self.bytes(at, size * count).chunks(size).map(|element| element.to_lower_hex_string());
                write!(text, "[{}]", elements.collect::<Vec<_>>().join(" ")).unwrap();
            }
            kind => {
                text.push('[');
                // Structs come after a word that says how many there are, and what they are like.
                let (count, like) = match self.word(at) {
                    tag if kind == 7 => (tag as u32 as usize >> 2, tag >> 32),
                    _ => (count, 0),
                };
                let (words, pointers) = ((like & 0xffff) as usize, (like >> 16) as usize);
                for index in 0..count {
                    text.push_str(if index == 0 { "" } else { " " });
                    match kind {
                        6 => self.pointer(at.plus(index), text),
                        _ => self.structure(at.plus(1 + index * (words + pointers)), words, pointers, text),
                    }
                }
                text.push(']');
            }
        }
    }

    fn blob(&self, bytes: &[u8]) -> String {
        if bytes.len() > SHOWN {
            return format!(
                "({} bytes with SHA-256 {})",
                bytes.len(),
                sha256::Hash::hash(bytes).as_byte_array().as_hex()
            );
        }
        match bytes.split_last().map(|(end, words)| (end, str::from_utf8(words))) {
            Some((0, Ok(words))) if !words.contains(char::is_control) => format!("{:?}", (self.text)(words)),
            _ => format!("0x{}", bytes.as_hex()),
        }
    }
}
