//! Where lines go: kept in memory before the log is open, then file and standard output, unbuffered.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use log::Level;

use super::LoggingError;
use super::config::Options;
use super::format::Format;
use super::rate::{self, RateLimit, Verdict};
use crate::clock;

/// Most bytes of text kept before the log is open.
const MAX_KEPT: usize = 1_000_000;
/// Takes the terminal's last line away.
const CLEAR: &str = "\r\x1b[K";
/// What is left of a file that is cut.
const KEPT_HISTORY: u64 = 10_000_000;

/// One record, all that its line may show.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub time: Duration,
    pub mock_time: Option<i64>,
    pub category: Option<usize>,
    pub level: Level,
    pub thread: String,
    pub file: String,
    pub line: u32,
    pub function: String,
    pub text: String,
}

impl Entry {
    #[allow(clippy::too_many_arguments, reason = "the parts of a line, as its sources have them")]
    pub(super) fn new(
        category: Option<usize>,
        level: Level,
        file: &str,
        line: u32,
        function: &str,
        thread: &str,
        text: String,
    ) -> Self {
        Entry {
            time: clock::since_epoch(),
            mock_time: clock::mock_time(),
            category,
            level,
            thread: thread.to_owned(),
            file: file.to_owned(),
            line,
            function: function.to_owned(),
            text,
        }
    }

    fn own(level: Level, text: String) -> Self {
        Entry::new(None, level, file!(), line!(), module_path!(), "", text)
    }

    fn size(&self) -> usize {
        self.text.len() + self.thread.len() + size_of::<Entry>()
    }
}

/// The log's state.
#[derive(Debug)]
pub(super) struct Sink {
    /// Records from before the log was open; `None` once it is.
    kept: Option<VecDeque<Entry>>,
    kept_size: usize,
    discarded: usize,
    format: Format,
    console: bool,
    /// Standard output is a terminal, whose last line can be written anew.
    terminal: bool,
    /// What the last line of the terminal says; empty for nothing.
    status: String,
    path: Option<PathBuf>,
    file: Option<File>,
    reopen: bool,
    limit: Option<RateLimit>,
}

impl Sink {
    pub(super) const fn new() -> Self {
        Sink {
            kept: Some(VecDeque::new()),
            kept_size: 0,
            discarded: 0,
            format: Format::DEFAULT,
            console: false,
            terminal: false,
            status: String::new(),
            path: None,
            file: None,
            reopen: false,
            limit: None,
        }
    }

    pub(super) fn file_path(&self) -> Option<PathBuf> {
        self.path.clone()
    }

    pub(super) fn reopen(&mut self) {
        self.reopen = true;
    }

    pub(super) fn start(&mut self, options: &Options) -> Result<(), LoggingError> {
        if let Some(path) = &options.file {
            if options.shrink {
                self.shrink(path);
            }
            let mut file = open(path).map_err(|error| LoggingError::Open { path: path.clone(), error })?;
            // Sets this run apart from the last.
            let _ = file.write_all(b"\n\n\n\n\n");
            self.file = Some(file);
        }
        self.path = options.file.clone();
        self.format = options.format;
        self.console = options.console;
        self.terminal = options.console && std::io::stdout().is_terminal();
        let kept = self.kept.take().unwrap_or_default();
        if self.discarded > 0 {
            let text = format!("Early logging buffer overflowed, {} log lines discarded.", self.discarded);
            self.write(Entry::own(Level::Info, text));
        }
        for entry in kept {
            self.write(entry);
        }
        (self.kept_size, self.discarded) = (0, 0);
        self.limit = options.rate_limit.then(|| RateLimit::new(Instant::now()));
        Ok(())
    }

    pub(super) fn write(&mut self, entry: Entry) {
        if let Some(kept) = &mut self.kept {
            self.kept_size += entry.size();
            kept.push_back(entry);
            while self.kept_size > MAX_KEPT {
                let Some(oldest) = kept.pop_front() else { break };
                self.kept_size -= oldest.size();
                self.discarded += 1;
            }
            return;
        }
        if self.file.is_none() && !self.console {
            return;
        }
        let to_file = self.passes_limit(&entry);
        self.emit(&entry, to_file);
    }

    /// Writes a line, whatever limits say.
    fn emit(&mut self, entry: &Entry, to_file: bool) {
        let mut line = self.format.line(entry);
        if self.limit.as_ref().is_some_and(RateLimit::is_active) {
            line.insert_str(0, "[*] ");
        }
        // A full disk or a closed terminal must not stop the program, and there is nowhere left to say so.
        if self.console {
            if self.status.is_empty() {
                print(&line);
            } else {
                print(&format!("{CLEAR}{line}{}", self.status));
            }
        }
        if to_file && let Some(file) = self.current_file() {
            let _ = file.write_all(line.as_bytes());
        }
    }

    /// Shows a text below the log, where standard output is a terminal that shows it; an empty one takes it away.
    pub(super) fn set_status(&mut self, text: &str) {
        if !self.terminal || (text.is_empty() && self.status.is_empty()) {
            return;
        }
        self.status = if text.is_empty() {
            String::new()
        } else {
            // The cursor goes back to where it began: what others write there is to replace it.
            format!("{}\r", text.chars().take(columns().saturating_sub(1)).collect::<String>())
        };
        print(&format!("{CLEAR}{}", self.status));
    }

    /// Counts a record against the limit of its source line; says whether it goes to the file. Debug and trace records
    /// are there because somebody asked for them, so they are not limited.
    fn passes_limit(&mut self, entry: &Entry) -> bool {
        if entry.level > Level::Info {
            return true;
        }
        let size = u64::try_from(self.format.line(entry).len()).unwrap_or(u64::MAX);
        let Some(limit) = &mut self.limit else { return true };
        let over = limit.advance(Instant::now());
        let verdict = limit.consume((entry.file.clone(), entry.line), size);
        let window = rate::WINDOW.as_secs();
        for ((file, line), dropped) in over {
            let text = format!(
                "Restarting logging from {file}:{line}: {dropped} bytes were dropped during the last {window}s."
            );
            self.emit(&Entry::own(Level::Warn, text), true);
        }
        if verdict == Verdict::WriteLast {
            let text = format!(
                "Excessive logging detected from {}:{} ({}): >{} bytes logged during the last time window of {window}s. \
                 Suppressing logging to disk from this source location until time window resets. Console logging \
                 unaffected. Last log entry.",
                entry.file,
                entry.line,
                entry.function,
                rate::MAX_BYTES
            );
            self.emit(&Entry::own(Level::Warn, text), true);
        }
        verdict != Verdict::Drop
    }

    fn current_file(&mut self) -> Option<&mut File> {
        if std::mem::take(&mut self.reopen)
            && let Some(file) = self.path.as_deref().and_then(|path| open(path).ok())
        {
            self.file = Some(file);
        }
        self.file.as_mut()
    }

    /// Leaves only the end of a file that is more than a tenth larger than that.
    fn shrink(&mut self, path: &Path) {
        let shrunk = (|| {
            let mut file = match File::open(path) {
                Ok(file) => file,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            };
            if file.metadata()?.len() <= KEPT_HISTORY / 10 * 11 {
                return Ok(());
            }
            file.seek(SeekFrom::End(-i64::try_from(KEPT_HISTORY).unwrap_or(i64::MAX)))?;
            let mut end = Vec::new();
            file.read_to_end(&mut end)?;
            std::fs::write(path, end)
        })();
        if let Err(error) = shrunk {
            self.write(Entry::own(Level::Warn, format!("Failed to shrink debug log file: {error}")));
        }
    }
}

/// Writes to standard output.
fn print(text: &str) {
    let mut console = std::io::stdout().lock();
    let _ = console.write_all(text.as_bytes()).and_then(|()| console.flush());
}

/// Returns how many characters a line of the terminal has.
fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout());
    size.ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(80)
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(path: &Path) -> Options {
        Options {
            file: Some(path.to_owned()),
            console: false,
            shrink: true,
            rate_limit: true,
            format: Format { timestamps: false, ..Format::DEFAULT },
        }
    }

    fn entry(text: &str) -> Entry {
        Entry::new(None, Level::Info, "x.rs", 1, "", "", text.to_owned())
    }

    #[test]
    fn records_from_before_the_file_come_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("debug.log");
        let mut sink = Sink::new();
        sink.write(entry("early"));
        sink.start(&options(&path)).unwrap();
        sink.write(entry("late"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "\n\n\n\n\nearly\nlate\n");
        std::fs::rename(&path, dir.path().join("old.log")).unwrap();
        sink.reopen();
        sink.write(entry("new"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new\n");
    }

    #[test]
    fn a_large_file_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("debug.log");
        std::fs::write(&path, vec![b'x'; 11_000_001]).unwrap();
        Sink::new().start(&options(&path)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), KEPT_HISTORY + 5);
    }

    #[test]
    fn one_source_cannot_fill_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("debug.log");
        let mut sink = Sink::new();
        sink.start(&options(&path)).unwrap();
        let long = "x".repeat(100_000);
        for _ in 0..20 {
            sink.write(entry(&long));
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(&long).count(), 11);
        assert!(
            text.contains("[*] [warning] Excessive logging detected from x.rs:1 ()"),
            "{}",
            &text[text.len() - 900..]
        );
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("missing").join("debug.log");
        let error = Sink::new().start(&options(&path)).expect_err("no directory");
        assert_eq!(error.to_string(), format!("Could not open debug log file {}", path.display()));
    }

    #[test]
    fn early_records_are_limited() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("debug.log");
        let mut sink = Sink::new();
        let long = "x".repeat(400_000);
        (0..5).for_each(|_| sink.write(entry(&long)));
        sink.start(&options(&path)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("\n\n\n\n\nEarly logging buffer overflowed, 3 log lines discarded.\n"));
    }
}
