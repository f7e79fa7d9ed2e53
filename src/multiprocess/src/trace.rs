//! The trace of calls (log target `ipc`, level debug): one line per request and one per response.
//!
//! **Invariant:** with the trace off, nothing is formatted.

use std::fmt::{self, Write};
use std::time::{Duration, Instant};

use crate::Error;

/// Longest text of one call's arguments.
const LIMIT: usize = 200;

/// Collects text up to a limit; formatting stops there, however long the value is.
pub struct Short {
    text: String,
    cut: bool,
}

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let left = LIMIT.saturating_sub(self.text.len());
        if text.len() <= left {
            self.text.push_str(text);
            return Ok(());
        }
        let end = (0..=left).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        self.text.push_str(&text[..end]);
        self.cut = true;
        Err(fmt::Error)
    }
}

/// Runs a formatter and returns what fits.
pub(crate) fn shorten(format: impl FnOnce(&mut Short) -> fmt::Result) -> String {
    let mut short = Short { text: String::new(), cut: false };
    let done = format(&mut short);
    if short.cut || done.is_err() {
        short.text.push('…');
    }
    // One line per call, whatever the arguments contain.
    if short.text.contains(['\n', '\r']) { short.text.replace(['\n', '\r'], " ") } else { short.text }
}

/// Says whether the trace is on.
pub(crate) fn enabled() -> bool {
    log::log_enabled!(target: "ipc", log::Level::Debug)
}

/// Notes a call of ours that left.
pub(crate) fn sent(peer: &str, id: u64, method: &str, arguments: impl FnOnce(&mut Short) -> fmt::Result) {
    let text = shorten(arguments);
    log::debug!(target: "ipc", "{peer} IPC client send #{id} {method}({text})");
}

/// Notes that a call of ours came back.
pub(crate) fn received(peer: &str, id: u64, method: &str, start: Instant, error: Option<&Error>) {
    let time = micros(start.elapsed());
    let status =
        error.map_or_else(|| "ok".to_owned(), |error| shorten(|out| out.write_fmt(format_args!("error: {error}"))));
    log::debug!(target: "ipc", "{peer} IPC client recv #{id} {method} {time} {status}");
}

/// Prints a duration in microseconds.
pub(crate) fn micros(duration: Duration) -> String {
    format!("{}us", duration.as_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(shorten(|out| write!(out, "{text}")), expected);
    }

    #[test]
    fn shortens_without_splitting_characters() {
        check("a", "a");
        check("two\nlines", "two lines");
        check(&"é".repeat(150), &format!("{}…", "é".repeat(100)));
        check(&format!("a{}", "é".repeat(150)), &format!("a{}…", "é".repeat(99)));
    }

    #[test]
    fn stops_formatting_at_the_limit() {
        let mut calls = 0;
        shorten(|out| {
            loop {
                calls += 1;
                write!(out, "0123456789")?;
            }
        });
        assert_eq!(calls, 21);
    }
}
