//! The trace of calls (log target `ipc`, level debug): one line per request and one per response.
//!
//! **Invariant:** with the trace off, nothing is formatted.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::connection::Shared;
use crate::{Error, Method};

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
    one_line(&short.text)
}

/// Makes a text fit for a line of a log, whoever it is from: without ends of lines and what terminals act on.
pub(crate) fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// Says whether the trace is on.
pub(crate) fn enabled() -> bool {
    log::log_enabled!(target: "ipc", log::Level::Debug)
}

/// A call of ours, of which both ends are traced.
pub(crate) struct Sent {
    peer: String,
    method: &'static Method,
    arguments: String,
    start: Instant,
    /// Its number on the connection, which the other side has for it, too; 0 while it has not left.
    id: AtomicU64,
}

impl Sent {
    /// Begins a call; `None` with the trace off.
    pub(crate) fn begin(
        shared: &Shared,
        method: &'static Method,
        arguments: impl FnOnce(&mut Short) -> fmt::Result,
    ) -> Option<Arc<Sent>> {
        enabled().then(|| {
            let (peer, arguments) = (shared.options.peer.clone(), shorten(arguments));
            Arc::new(Sent { peer, method, arguments, start: Instant::now(), id: AtomicU64::new(0) })
        })
    }

    /// Notes that it left.
    pub(crate) fn left(&self, id: u64) {
        self.id.store(id, Ordering::Relaxed);
        let Sent { peer, method, arguments, .. } = self;
        log::debug!(target: "ipc", "{peer} IPC client send #{id} {}({arguments})", method.name);
    }

    /// Notes what it ended with.
    pub(crate) fn ended(&self, error: Option<&Error>) {
        let time = micros(self.start.elapsed());
        let status =
            error.map_or_else(|| "ok".to_owned(), |error| shorten(|out| out.write_fmt(format_args!("error: {error}"))));
        let Sent { peer, method, id, .. } = self;
        let id = match id.load(Ordering::Relaxed) {
            0 => "-".to_owned(),
            id => id.to_string(),
        };
        log::debug!(target: "ipc", "{peer} IPC client recv #{id} {} {time} {status}", method.name);
    }
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
        check("\u{1b}[2Jred\u{9b}31m", " [2Jred 31m");
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
