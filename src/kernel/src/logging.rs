//! The engine's log. Separate because its logger is one per process, unlike everything else: categories and the sink
//! hold for all [`Kernel`](crate::Kernel)s. The logger writes neither to the terminal nor to a file of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};

use crate::ffi;

/// Receives the engine's log lines.
///
/// Implemented by the node's logging; called by whichever thread logs, while the engine may hold its locks: it must
/// not call the engine and must return soon. A panic is swallowed.
pub trait LogSink: Send + Sync {
    /// Takes one line.
    fn log(&self, record: &Record<'_>);
}

/// One log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Category name such as `validation`; empty for lines without one.
    pub category: &'a str,
    /// How important it is.
    pub level: Level,
    /// Source file, relative to the engine's source tree.
    pub file: &'a str,
    /// Line there.
    pub line: u32,
    /// Function there.
    pub function: &'a str,
    /// Name of the thread that logged; empty if it has none.
    pub thread: &'a str,
    /// The text, control characters escaped, without the line end.
    pub message: &'a str,
}

/// How important a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// High-volume detail.
    Trace,
    /// Detail; logged where its category is enabled.
    Debug,
    /// Always logged.
    Info,
    /// Something is not as it should be.
    Warning,
    /// Something failed.
    Error,
}

static SINK: RwLock<Option<Arc<dyn LogSink>>> = RwLock::new(None);

/// Sends the engine's log lines to `sink` from now on, and to no other. Lines logged before the first call are kept
/// and come first.
pub fn set_sink(sink: Arc<dyn LogSink>) {
    *SINK.write().unwrap_or_else(PoisonError::into_inner) = Some(sink);
    if let Err(error) = ffi::start_logging() {
        report(&format!("cannot start the engine's log: {error}"));
    }
}

/// Enables the debug lines of a category; `all` and `1` mean every one. Returns false if there is none of this name.
pub fn enable_category(name: &str) -> bool {
    ffi::set_log_category(name, true).unwrap_or(false)
}

/// Disables the debug lines of a category. Returns false if there is none of this name.
pub fn disable_category(name: &str) -> bool {
    ffi::set_log_category(name, false).unwrap_or(false)
}

/// Sets the least level of categories without a level of their own (`-loglevel=debug`).
pub fn set_level(level: Level) {
    // Fails on nothing but a lack of memory, and a log level is not worth more than the old one then.
    let _ = ffi::set_log_level(level.number());
}

/// Sets the least level of one category (`-loglevel=net:trace`). Returns false if there is none of this name.
pub fn set_category_level(name: &str, level: Level) -> bool {
    ffi::set_log_category_level(name, level.number()).unwrap_or(false)
}

impl Level {
    fn number(self) -> u8 {
        match self {
            Level::Trace => 0,
            Level::Debug => 1,
            Level::Info => 2,
            Level::Warning => 3,
            Level::Error => 4,
        }
    }

    fn parse(name: &str) -> Option<Level> {
        Some(match name {
            "trace" => Level::Trace,
            "debug" => Level::Debug,
            "info" => Level::Info,
            "warning" => Level::Warning,
            "error" => Level::Error,
            _ => return None,
        })
    }
}

/// Logs an error of the bridge's own.
#[track_caller]
pub(crate) fn report(message: &str) {
    let location = std::panic::Location::caller();
    deliver(&Record {
        category: "kernel",
        level: Level::Error,
        file: location.file(),
        line: location.line(),
        function: "",
        thread: std::thread::current().name().unwrap_or(""),
        message,
    });
}

/// Takes a line of the logger's: `[thread] [file:line] [function] [category:level] text`.
pub(crate) fn log_line(line: &[u8]) {
    let line = String::from_utf8_lossy(line);
    let current = std::thread::current();
    let mut record = parse(line.trim_end_matches('\n'));
    if record.thread.is_empty() {
        record.thread = current.name().unwrap_or("");
    }
    deliver(&record);
}

fn deliver(record: &Record<'_>) {
    let sink = SINK.read().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(sink) = sink {
        // A panic must not unwind into C++, and there is nowhere left to report it.
        let _ = catch_unwind(AssertUnwindSafe(|| sink.log(record)));
    }
}

/// Takes a line apart. One that does not have the expected form, which no version of the engine writes, is kept whole.
fn parse(line: &str) -> Record<'_> {
    let whole = Record { category: "", level: Level::Info, file: "", line: 0, function: "", thread: "", message: line };
    parse_parts(line).unwrap_or(whole)
}

fn parse_parts(line: &str) -> Option<Record<'_>> {
    let (thread, rest) = bracketed(line)?;
    let (place, rest) = bracketed(rest)?;
    let (function, rest) = bracketed(rest)?;
    let (kind, message) = bracketed(rest)?;
    let (file, number) = place.rsplit_once(':')?;
    let (category, level) = kind.rsplit_once(':')?;
    Some(Record {
        category: if category == "all" { "" } else { category },
        level: Level::parse(level)?,
        file: in_source_tree(file),
        line: number.parse().ok()?,
        function,
        thread: if thread == "unknown" { "" } else { thread },
        message,
    })
}

/// Leaves out where the engine was built, as Core's own build does.
fn in_source_tree(file: &str) -> &str {
    file.rsplit_once("/src/").map_or(file, |(_, inner)| inner)
}

/// Splits `[inner] rest`.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('[')?.split_once("] ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: (&str, &str, u32, &str, &str, Level, &str)) {
        let Record { thread, file, line, function, category, level, message } = parse(line);
        assert_eq!((thread, file, line, function, category, level, message), expected);
    }

    #[test]
    fn lines_are_taken_apart() {
        check(
            "[scheduler] [/usr/src/engine/src/node/chainstate.cpp:12] [UpdateTip] [all:info] UpdateTip: [x] y",
            ("scheduler", "node/chainstate.cpp", 12, "UpdateTip", "", Level::Info, "UpdateTip: [x] y"),
        );
        check(
            "[unknown] [txmempool.cpp:3] [operator()] [mempool:debug] a",
            ("", "txmempool.cpp", 3, "operator()", "mempool", Level::Debug, "a"),
        );
        check("[b] [f:1] [g] [all:error] ", ("b", "f", 1, "g", "", Level::Error, ""));
        check("no brackets", ("", "", 0, "", "", Level::Info, "no brackets"));
        check("[a] [f:x] [g] [all:info] m", ("", "", 0, "", "", Level::Info, "[a] [f:x] [g] [all:info] m"));
    }
}
