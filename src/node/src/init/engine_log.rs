//! Brings the engine's log lines into ours. The engine knows its own categories; those it shares with us follow the
//! same options.

use kernel::logging::{Level, LogSink, Record};

/// Keeps the engine's categories and levels as ours are, now and after each change.
pub(crate) fn follow_categories() {
    copy_categories();
    common::logging::on_change(copy_categories);
}

fn copy_categories() {
    for category in common::logging::categories() {
        // The engine may lack a category of ours, or have it under no name: then there is nothing to follow.
        let _ = match category.active {
            true => kernel::logging::enable_category(category.name),
            false => kernel::logging::disable_category(category.name),
        };
        let level = match common::logging::category_level(category.name) {
            Some(log::Level::Trace) => Level::Trace,
            Some(log::Level::Debug) => Level::Debug,
            _ => Level::Info,
        };
        let _ = kernel::logging::set_category_level(category.name, level);
    }
}

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
