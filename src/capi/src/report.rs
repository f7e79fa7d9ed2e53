//! What a call reports: its code, and the message in the caller's `mp_error`.

use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::api::{
    MP_CONNECT, MP_DISCONNECTED, MP_FAILED, MP_INTERNAL, MP_INVALID, MP_MESSAGE_SIZE, MP_OK, MP_OVERLOADED,
    MP_TIMED_OUT, MP_UNSUPPORTED, mp_code, mp_error,
};
use crate::arguments::Place;

/// Why a call did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: mp_code,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(code: mp_code, message: impl Into<String>) -> Self {
        Failure { code, message: message.into() }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Failure::new(MP_INVALID, message)
    }
}

impl From<interfaces::Error> for Failure {
    fn from(error: interfaces::Error) -> Self {
        let code = match &error {
            interfaces::Error::Disconnected { .. } => MP_DISCONNECTED,
            interfaces::Error::Unsupported { .. } => MP_UNSUPPORTED,
            interfaces::Error::TimedOut { .. } => MP_TIMED_OUT,
            interfaces::Error::Overloaded { .. } => MP_OVERLOADED,
            interfaces::Error::Cancelled { .. } | interfaces::Error::Internal { .. } => MP_FAILED,
        };
        Failure::new(code, error.to_string())
    }
}

impl From<ipc::Error> for Failure {
    fn from(error: ipc::Error) -> Self {
        let code = match &error {
            ipc::Error::Connect { source } if source.kind() == std::io::ErrorKind::TimedOut => {
                return Failure::new(MP_TIMED_OUT, "the node is too busy to take connections");
            }
            ipc::Error::Connect { .. } | ipc::Error::Refused { .. } => MP_CONNECT,
            ipc::Error::Setup(cause) => {
                return Failure::new(MP_FAILED, format!("{error}: {cause}"));
            }
            _ => MP_INVALID,
        };
        Failure::new(code, error.to_string())
    }
}

/// Does the work of a call and reports how it went. A panic ends here.
pub(crate) fn report<T>(error: Option<Place<mp_error>>, work: impl FnOnce() -> Result<T, Failure>) -> mp_code {
    let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied());
        let message = format!("panic: {}", text.unwrap_or_default());
        // What else a panic carries can panic when dropped.
        if text.is_none() {
            std::mem::forget(panic);
        }
        Err(Failure::new(MP_INTERNAL, message))
    });
    let (code, message) = match result {
        Ok(_) => (MP_OK, String::new()),
        Err(failure) => (failure.code, failure.message),
    };
    if let Some(error) = error {
        error.set(mp_error { code, message: line(&message) });
    }
    code
}

/// A message as it is handed out: one line, cut at a character's end where it is too long.
fn line(message: &str) -> [c_char; MP_MESSAGE_SIZE] {
    let mut text: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.len() >= MP_MESSAGE_SIZE {
        let dots = "…";
        text.truncate(text.floor_char_boundary(MP_MESSAGE_SIZE - 1 - dots.len()));
        text.push_str(dots);
    }
    array(&text)
}

/// A text in an array that it fits into with its final zero.
pub(crate) fn array<const SIZE: usize>(text: &str) -> [c_char; SIZE] {
    let mut array = [0; SIZE];
    let room = SIZE.saturating_sub(1);
    array.iter_mut().take(room).zip(text.bytes()).for_each(|(to, from)| *to = from.cast_signed() as c_char);
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, expected: &str) {
        let bytes: Vec<u8> = line(message).iter().map(|c| *c as u8).take_while(|c| *c != 0).collect();
        assert_eq!(String::from_utf8_lossy(&bytes), expected);
    }

    #[test]
    fn messages_are_one_line_and_fit() {
        check("two\nlines\0", "two lines ");
        check(&"x".repeat(511), &"x".repeat(511));
        check(&"x".repeat(512), &format!("{}…", "x".repeat(508)));
        check(&"é".repeat(300), &format!("{}…", "é".repeat(254)));
    }

    #[test]
    fn a_panic_is_a_code() {
        assert_eq!(report::<()>(None, || panic!("on purpose")), MP_INTERNAL);
    }
}
