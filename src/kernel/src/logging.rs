//! The engine's log. Separate because its logger is one per process, unlike everything else: categories and the sink
//! hold for all [`Kernel`](crate::Kernel)s. The logger writes neither to the terminal nor to a file of its own.

use std::sync::Arc;

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

/// Sends the engine's log lines to `sink` from now on, and to no other. Lines logged before the first call are kept
/// and come first.
pub fn set_sink(sink: Arc<dyn LogSink>) {
    let _ = sink;
    unimplemented!()
}

/// Enables the debug lines of a category; `all` and `1` mean every one. Returns false if there is none of this name.
pub fn enable_category(name: &str) -> bool {
    let _ = name;
    unimplemented!()
}

/// Disables the debug lines of a category. Returns false if there is none of this name.
pub fn disable_category(name: &str) -> bool {
    let _ = name;
    unimplemented!()
}

/// Sets the least level of categories without a level of their own (`-loglevel=debug`).
pub fn set_level(level: Level) {
    let _ = level;
    unimplemented!()
}

/// Sets the least level of one category (`-loglevel=net:trace`). Returns false if there is none of this name.
pub fn set_category_level(name: &str, level: Level) -> bool {
    let _ = (name, level);
    unimplemented!()
}
