//! Reading what C passes and handing out what it gets. With [`crate::api`], the only code that touches its memory.
#![allow(unsafe_code, reason = "pointers of C programs")]

use std::ffi::{CString, c_char};
use std::ptr::NonNull;

use bitcoin::BlockHash;
use interfaces::TipRef;

use crate::api::{MP_HASH_SIZE, MP_MAX_TEXT, mp_error, mp_tip};
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
    let length = unsafe { libc::strnlen(pointer, MP_MAX_TEXT + 1) };
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
    let text = CString::new(text).map_err(|_| {
        Failure::new(crate::api::mp_code::MP_FAILED, "the answer has a zero in it, which ends a text in C")
    })?;
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
