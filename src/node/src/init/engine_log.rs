//! Brings the engine's log lines into ours. The engine knows its own categories; those it shares with us follow the
//! same options.

use kernel::logging::{Level, LogSink, Record};

/// Hands the engine's lines to the process's log.
pub(crate) struct EngineLog;

impl LogSink for EngineLog {
    fn log(&self, record: &Record<'_>) {
        let Record { category, level, file, line, function, thread, message } = *record;
        let level = match level {
            Level::Trace => log::Level::Trace,
            Level::Debug => log::Level::Debug,
            Level::Info => log::Level::Info,
            Level::Warning => log::Level::Warn,
            Level::Error => log::Level::Error,
        };
        common::logging::log_line(category, level, file, line, function, thread, message);
    }
}
