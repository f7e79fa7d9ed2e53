//! One log line: time, thread, source, category and level, text.

use std::time::Duration;

use log::Level;

use super::category::CATEGORIES;
use super::sink::Entry;
use crate::time::iso8601;

/// What a line shows besides its text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    pub timestamps: bool,
    pub time_micros: bool,
    pub thread_names: bool,
    pub source_locations: bool,
    pub level_always: bool,
}

impl Format {
    pub(super) const DEFAULT: Format = Format {
        timestamps: true,
        time_micros: false,
        thread_names: false,
        source_locations: false,
        level_always: false,
    };

    /// Returns the line, with its end.
    pub(super) fn line(&self, entry: &Entry) -> String {
        let mut line = String::with_capacity(entry.text.len() + 64);
        if self.timestamps {
            line += &self.timestamp(entry.time);
            if let Some(mocked) = entry.mock_time {
                line += &format!(" (mocktime: {})", iso8601(mocked));
            }
            line.push(' ');
        }
        if self.thread_names {
            let name = if entry.thread.is_empty() { "unknown" } else { entry.thread.as_str() };
            line += &format!("[{name}] ");
        }
        if self.source_locations {
            let file = entry.file.strip_prefix("./").unwrap_or(&entry.file);
            line += &format!("[{file}:{}] [{}] ", entry.line, entry.function);
        }
        self.push_prefix(&mut line, entry);
        push_escaped(&mut line, &entry.text);
        if !line.ends_with('\n') {
            line.push('\n');
        }
        line
    }

    fn timestamp(&self, time: Duration) -> String {
        let mut text = iso8601(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
        if self.time_micros {
            text.pop();
            text += &format!(".{:06}Z", time.subsec_micros());
        }
        text
    }

    /// Writes `[category:level] `. Without a category, info is understood; with one, debug is.
    fn push_prefix(&self, line: &mut String, entry: &Entry) {
        let category = entry.category.and_then(|at| CATEGORIES.get(at)).copied();
        let category = category.or(self.level_always.then_some("all"));
        let Some(category) = category else {
            if entry.level != Level::Info {
                *line += &format!("[{}] ", level_name(entry.level));
            }
            return;
        };
        if self.level_always || entry.level != Level::Debug {
            *line += &format!("[{category}:{}] ", level_name(entry.level));
        } else {
            *line += &format!("[{category}] ");
        }
    }
}

pub(super) fn level_name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

/// Writes text with control characters but the line feed as `\x..`, so that nothing logged can steer a terminal.
fn push_escaped(line: &mut String, text: &str) {
    for character in text.chars() {
        if (character.is_ascii_control() && character != '\n') || character == '\x7f' {
            *line += &format!("\\x{:02x}", u32::from(character));
        } else {
            line.push(character);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::category::find;

    fn entry(category: &str, level: Level, text: &str) -> Entry {
        Entry {
            time: Duration::from_micros(1_795_297_349_123_456),
            mock_time: None,
            category: find(category),
            level,
            thread: "http".to_owned(),
            file: "./src/rpc/src/server.rs".to_owned(),
            line: 12,
            function: "serve".to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn lines() {
        const ALL: Format = Format { time_micros: true, thread_names: true, source_locations: true, ..Format::DEFAULT };
        const BARE: Format = Format { timestamps: false, ..Format::DEFAULT };
        let check = |format: Format, entry: Entry, expected: &str| assert_eq!(format.line(&entry), expected);
        check(Format::DEFAULT, entry("", Level::Info, "text"), "2026-11-21T21:42:29Z text\n");
        check(
            ALL,
            entry("net", Level::Debug, "text\n"),
            "2026-11-21T21:42:29.123456Z [http] [src/rpc/src/server.rs:12] [serve] [net] text\n",
        );
        check(BARE, entry("net", Level::Trace, "text"), "[net:trace] text\n");
        check(BARE, entry("net", Level::Info, "text"), "[net:info] text\n");
        check(BARE, entry("net", Level::Warn, "text"), "[net:warning] text\n");
        check(BARE, entry("", Level::Warn, "text"), "[warning] text\n");
        check(BARE, entry("", Level::Error, "text"), "[error] text\n");
        check(BARE, entry("", Level::Info, "a\x1b[0m\r\tb\x7f\nc"), "a\\x1b[0m\\x0d\\x09b\\x7f\nc\n");
        check(BARE, entry("", Level::Info, "grüße"), "grüße\n");
        let always = Format { level_always: true, ..BARE };
        check(always, entry("", Level::Info, "text"), "[all:info] text\n");
        check(always, entry("net", Level::Debug, "text"), "[net:debug] text\n");
        let mocked = Entry { mock_time: Some(0), ..entry("", Level::Info, "text") };
        check(Format::DEFAULT, mocked, "2026-11-21T21:42:29Z (mocktime: 1970-01-01T00:00:00Z) text\n");
    }
}
