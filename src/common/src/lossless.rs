//! Words of the system as text from which the same bytes can be had again.
//!
//! Command lines, configuration files, paths and passwords are bytes, and need not be UTF-8. Here they become `String`s
//! so that options need one kind of value only: a byte that is not part of UTF-8 becomes one reserved character, and is
//! that byte again where the text leaves the program, as a path, a password, a request or a command.
//!
//! **Invariant:** [`to_bytes`] of [`from_bytes`] are the same bytes, whatever they are, and [`from_bytes`] changes no
//! text without reserved characters.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// Reserved character of the byte 0; only those of 0x80 and up are used. They are for private use (plane 16).
const FIRST: u32 = 0x10_fe00;

/// The byte that a reserved character stands for.
fn byte_of(character: char) -> Option<u8> {
    u8::try_from(u32::from(character).checked_sub(FIRST)?).ok().filter(|byte| !byte.is_ascii())
}

fn push_byte(text: &mut String, byte: u8) {
    text.push(char::from_u32(FIRST + u32::from(byte)).expect("the reserved characters are Unicode scalar values"));
}

/// Returns the text of some bytes.
pub fn from_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match byte_of(character) {
                // A reserved character that was there before is bytes, too, so that it comes back as itself.
                Some(_) => character.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| push_byte(&mut text, byte)),
                None => text.push(character),
            }
        }
        chunk.invalid().iter().for_each(|byte| push_byte(&mut text, *byte));
    }
    text
}

/// Returns the bytes that became this text.
pub fn to_bytes(text: &str) -> Cow<'_, [u8]> {
    if !text.chars().any(|character| byte_of(character).is_some()) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        match byte_of(character) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(bytes)
}

/// Returns the text of a word of the system.
pub fn from_os(word: impl AsRef<OsStr>) -> String {
    from_bytes(word.as_ref().as_bytes())
}

/// Returns the word of the system that became this text.
pub fn to_os(text: &str) -> OsString {
    OsString::from_vec(to_bytes(text).into_owned())
}

/// Returns the path that became this text.
pub fn to_path(text: &str) -> PathBuf {
    to_os(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        let check = |bytes: &[u8], characters: usize| {
            let text = from_bytes(bytes);
            assert_eq!((text.chars().count(), &*to_bytes(&text)), (characters, bytes), "{bytes:x?}");
        };
        check(b"", 0);
        check(b"plain", 5);
        check("grün \u{fffd} \u{10fdff} \u{10ff00}".as_bytes(), 10);
        check(b"p\xe4ss", 4);
        check(b"\xf6\xff\x80", 3);
        // Cut short, too long, a surrogate.
        check(b"\xe2\x82", 2);
        check(b"\xc0\xaf", 2);
        check(b"\xed\xa0\x80", 3);
        // Reserved ones that somebody wrote, the first and the last of them, and their neighbours.
        check("\u{10fe80}".as_bytes(), 4);
        check("\u{10feff}".as_bytes(), 4);
        check("\u{10fe7f}".as_bytes(), 1);
        let every: Vec<u8> = (0..=255).collect();
        check(&every, 256);
    }

    #[test]
    fn different_bytes_are_different_texts() {
        assert_ne!(from_bytes(b"p\xe4ss"), from_bytes(b"p\xf6ss"));
        assert_eq!(from_bytes("päss".as_bytes()), "päss");
    }
}
