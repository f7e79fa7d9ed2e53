//! Reading what C passes and handing out what it gets. With [`crate::api`], the only code that touches its memory.
#![allow(unsafe_code, reason = "pointers of C programs")]

use std::ffi::{CString, c_char};
use std::ptr::NonNull;

use bitcoin::BlockHash;
use interfaces::TipRef;

use crate::api::{MP_FAILED, MP_HASH_SIZE, MP_MAX_TEXT, mp_error, mp_tip};
use crate::report::{Failure, array};

/// Memory of the caller that a result goes to.
pub(crate) struct Place<T>(NonNull<T>);

impl<T> Place<T> {
    /// Writes a value; what was there is not looked at.
    pub(crate) fn set(self, value: T) -> Self {
        // SAFETY: `place` and `error` are told that it may be written to, and a place does not outlive the call.
        unsafe { self.0.write(value) };
        self
    }
}

/// Takes an argument that a result goes to.
///
/// # Safety
/// It is NULL, or may be written to during the call.
pub(crate) unsafe fn place<T>(pointer: *mut T, name: &str) -> Result<Place<T>, Failure> {
    NonNull::new(pointer).map(Place).ok_or_else(|| Failure::invalid(format!("{name} is NULL")))
}

/// Takes the argument that errors go to, if the caller wants them.
///
/// # Safety
/// As [`place`].
pub(crate) unsafe fn error(pointer: *mut mp_error) -> Option<Place<mp_error>> {
    NonNull::new(pointer).map(Place)
}

/// Copies a text.
///
/// # Safety
/// It is NULL, or ends with a zero or is at least [`MP_MAX_TEXT`] bytes long.
pub(crate) unsafe fn text(pointer: *const c_char, name: &str) -> Result<String, Failure> {
    if pointer.is_null() {
        return Err(Failure::invalid(format!("{name} is NULL")));
    }
    // SAFETY: as the caller promises; nothing after the zero or the limit is looked at.
    let length = unsafe {
        match cfg!(miri) {
            // It does not know the function.
            true => (0..=MP_MAX_TEXT).find(|&at| *pointer.add(at) == 0).unwrap_or(MP_MAX_TEXT + 1),
            false => libc::strnlen(pointer, MP_MAX_TEXT + 1),
        }
    };
    if length > MP_MAX_TEXT {
        return Err(Failure::invalid(format!("{name} is longer than {MP_MAX_TEXT} bytes")));
    }
    // SAFETY: so many bytes were just found there.
    let bytes = unsafe { std::slice::from_raw_parts(pointer.cast::<u8>(), length) };
    String::from_utf8(bytes.to_vec()).map_err(|error| Failure::invalid(format!("{name} is not UTF-8: {error}")))
}

/// Copies the hash of a tip, if there is one.
///
/// # Safety
/// It is NULL or initialized.
pub(crate) unsafe fn known_tip(pointer: *const mp_tip) -> Result<Option<BlockHash>, Failure> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: as the caller promises.
    let tip = unsafe { pointer.read() };
    let bytes = tip.hash.map(|c| c as u8);
    let text = std::str::from_utf8(&bytes[..MP_HASH_SIZE - 1]).unwrap_or_default();
    text.parse().map(Some).map_err(|_| Failure::invalid("the hash of the known tip is not one"))
}

/// Writes a tip as C programs get it.
pub(crate) fn give_tip(tip: &TipRef) -> mp_tip {
    mp_tip { height: tip.height, hash: array(&tip.hash.to_string()) }
}

/// Hands out a text, to be released with [`take_text`].
pub(crate) fn give_text(text: String) -> Result<*mut c_char, Failure> {
    let text = CString::new(text)
        .map_err(|_| Failure::new(MP_FAILED, "the answer has a zero in it, which ends a text in C"))?;
    Ok(text.into_raw())
}

/// Releases a text.
///
/// # Safety
/// It is NULL, or comes from [`give_text`] and was not released before.
pub(crate) unsafe fn take_text(text: *mut c_char) {
    if !text.is_null() {
        // SAFETY: as the caller promises.
        drop(unsafe { CString::from_raw(text) });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::mem::MaybeUninit;
    use std::ptr::{null, null_mut};

    use bitcoin::hashes::Hash;

    use super::*;

    #[test]
    fn texts_are_copied_and_handed_out() {
        for words in ["", "grüß dich"] {
            let given = give_text(words.to_owned()).unwrap();
            assert_eq!(unsafe { text(given, "text") }.unwrap(), words);
            unsafe { take_text(given) };
        }
        assert_eq!(give_text("a\0b".to_owned()).unwrap_err().code, MP_FAILED);
        assert_eq!(unsafe { text(null(), "text") }.unwrap_err().message, "text is NULL");
        assert!(unsafe { text(c"\xff".as_ptr(), "text") }.is_err());
        unsafe { take_text(null_mut()) };
    }

    #[test]
    fn what_is_written_to_may_be_uninitialized_and_is_read_back() {
        let tip = TipRef { hash: BlockHash::from_byte_array([7; 32]), height: 3 };
        let mut memory = MaybeUninit::<mp_tip>::uninit();
        let pointer = memory.as_mut_ptr();
        unsafe { place(pointer, "tip") }.unwrap().set(give_tip(&tip));
        // The place of the next one may be the same.
        let (known, next) = unsafe { (known_tip(pointer), place(pointer, "tip")) };
        assert_eq!(known.unwrap(), Some(tip.hash));
        next.unwrap().set(give_tip(&TipRef { height: 4, ..tip }));
        assert_eq!(unsafe { memory.assume_init() }.height, 4);
        assert_eq!(unsafe { known_tip(null()) }.unwrap(), None);
        assert!(unsafe { place::<mp_tip>(null_mut(), "tip") }.is_err());
        assert!(unsafe { error(null_mut()) }.is_none());
    }

    #[test]
    fn a_tip_that_has_no_end_is_none() {
        let tip = mp_tip { height: 1, hash: [b'x' as c_char; MP_HASH_SIZE] };
        assert!(unsafe { known_tip(&raw const tip) }.is_err());
    }
}
