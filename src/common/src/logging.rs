//! The log: a backend for the `log` crate that writes Bitcoin Core's line format.
//!
//! The `target:` of a record is its category (`log::debug!(target: "rpc", ...)`); any other target has none. Debug and
//! trace records without a category are dropped, those with one are written while it is enabled. Before [`start`]
//! records are kept; then they go to the file, unbuffered, and to standard output.
//!
//! **Invariant:** a record that is not written costs a look at atomics: no lock, no formatting.

mod category;
mod config;
mod format;
mod rate;
mod sink;

use std::cell::Cell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use log::{Level, Log, Metadata, Record};

pub use category::{CATEGORIES, Categories};
pub use config::{LoggingError, Options};
use sink::{Entry, Sink};

use crate::args::Args;

static BACKEND: Backend = Backend;
static CATEGORY_STATE: Categories = Categories::new();
static SINK: Mutex<Sink> = Mutex::new(Sink::new());
static LOG_IPS: AtomicBool = AtomicBool::new(false);

/// Called with no lock held after categories or levels changed.
type ChangeListener = Arc<dyn Fn() + Send + Sync>;
static LISTENERS: Mutex<Vec<ChangeListener>> = Mutex::new(Vec::new());

/// A category and whether it is enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CategoryState {
    /// Name.
    pub name: &'static str,
    /// Its debug records are written.
    pub active: bool,
}

struct Backend;

impl Log for Backend {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        enabled(metadata.target(), metadata.level())
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let thread = std::thread::current();
        let name = THREAD_NAME.get().or(thread.name()).unwrap_or_default();
        write(Entry::new(
            category::find(record.target()),
            record.level(),
            record.file().unwrap_or_default(),
            record.line().unwrap_or_default(),
            // The log crate does not know the function; the module is the nearest it does.
            record.module_path().unwrap_or_default(),
            name,
            one_line(record.args().to_string()),
        ));
    }

    fn flush(&self) {}
}

/// Escapes line feeds within a text, which may come from a user, a file or a peer, so that nothing logged looks like two
/// lines.
fn one_line(text: String) -> String {
    let line = text.trim_end_matches('\n');
    if line.contains('\n') { line.replace('\n', "\\x0a") } else { text }
}

thread_local! {
    /// What lines of this thread are marked with, if not with its name.
    static THREAD_NAME: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Marks the lines of the calling thread with this name from now on; the system goes on to know it by its own.
pub fn name_thread(name: &'static str) {
    THREAD_NAME.set(Some(name));
}

/// Makes this the process's log; records are kept until [`start`]. May be called again.
pub fn install() {
    if log::set_logger(&BACKEND).is_ok() {
        log::set_max_level(CATEGORY_STATE.max_level());
    }
}

/// Takes categories and levels from options (`-debug`, `-debugexclude`, `-loglevel`); the error is what to tell the
/// user before stopping.
pub fn configure_categories(args: &Args) -> Result<(), LoggingError> {
    let result = config::apply_categories(args, &CATEGORY_STATE);
    LOG_IPS.store(args.get_bool("logips"), Ordering::Relaxed);
    changed();
    result
}

/// Opens the log as options say and writes what was logged so far.
pub fn start(options: &Options) -> Result<(), LoggingError> {
    install();
    sink().start(options)
}

/// Does everything that a helper process needs in one call: install, categories, levels, and opening a log of its own
/// beside that of its parent ([`beside`]).
pub fn init(args: &Args, process: &str) -> Result<(), LoggingError> {
    install();
    configure_categories(args)?;
    let mut options = options(args);
    options.file = options.file.map(|file| beside(&file, process));
    start(&options)
}

/// Returns where a process logs whose parent logs to `file`: `wallet.log` beside `debug.log`, `node.wallet.log` beside
/// `node.log`. What is no regular file, such as a pipe or /dev/null, takes the lines of both.
fn beside(file: &Path, process: &str) -> PathBuf {
    if file.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return file.to_owned();
    }
    let (stem, extension) = (file.file_stem().unwrap_or_default(), file.extension());
    let mut name = OsString::new();
    if stem != "debug" {
        name.push(stem);
        name.push(".");
    }
    name.push(process);
    if let Some(extension) = extension {
        name.push(".");
        name.push(extension);
    }
    file.with_file_name(name)
}

/// Returns the options of the log, for [`start`].
pub fn options(args: &Args) -> Options {
    Options::from_args(args, CATEGORY_STATE.none_enabled())
}

/// Says whether a record of this category and level would be written: cheap enough to ask before preparing one.
pub fn enabled(category: &str, level: Level) -> bool {
    level <= Level::Info || category::find(category).is_some_and(|at| CATEGORY_STATE.will_log(at, level))
}

/// Writes a line that comes from elsewhere: the consensus engine or another process. It is filtered like any other. If
/// the calling thread has a name here ([`name_thread`]), it is that one's line.
pub fn log_line(category: &str, level: Level, file: &str, line: u32, function: &str, thread: &str, text: &str) {
    if enabled(category, level) {
        let thread = THREAD_NAME.get().unwrap_or(thread);
        write(Entry::new(category::find(category), level, file, line, function, thread, text.to_owned()));
    }
}

/// Enables a category's debug records; `all`, `1` and the empty name mean every one. Returns whether there is such a
/// category.
pub fn enable_category(name: &str) -> bool {
    let known = CATEGORY_STATE.set(name, true);
    changed();
    known
}

/// Disables a category's debug records. Returns whether there is such a category.
pub fn disable_category(name: &str) -> bool {
    let known = CATEGORY_STATE.set(name, false);
    changed();
    known
}

/// Lists the categories in alphabetical order.
pub fn categories() -> Vec<CategoryState> {
    CATEGORIES
        .iter()
        .enumerate()
        .map(|(at, name)| CategoryState { name, active: CATEGORY_STATE.is_enabled(at) })
        .collect()
}

/// Returns the least severe level written of an enabled category, which `-loglevel` sets for all or for one.
pub fn category_level(name: &str) -> Option<Level> {
    category::find(name).map(|at| CATEGORY_STATE.level(at))
}

/// Calls `listener` after each change of categories or levels, so that a log elsewhere (the engine's, another
/// process's) can follow.
pub fn on_change(listener: impl Fn() + Send + Sync + 'static) {
    LISTENERS.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(listener));
}

/// Says whether log lines may name IP addresses (`-logips`).
pub fn log_ips() -> bool {
    LOG_IPS.load(Ordering::Relaxed)
}

/// Returns the log file, if one is in use.
pub fn file_path() -> Option<PathBuf> {
    sink().file_path()
}

/// Shows a text below the log while standard output is a terminal that shows the log; an empty one takes it away.
pub fn set_status(text: &str) {
    sink().set_status(text);
}

/// Opens the log file anew at the next line, after it was moved away (SIGHUP).
pub fn reopen() {
    sink().reopen();
}

fn changed() {
    log::set_max_level(CATEGORY_STATE.max_level());
    let listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for listener in listeners {
        listener();
    }
}

fn write(entry: Entry) {
    sink().write(entry);
}

// A panic while a line is written leaves at worst half a line behind.
fn sink() -> MutexGuard<'static, Sink> {
    SINK.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_logs_beside() {
        let check = |file: &str, expected: &str| assert_eq!(beside(Path::new(file), "wallet"), Path::new(expected));
        check("/d/regtest/debug.log", "/d/regtest/wallet.log");
        check("/logs/debug.log", "/logs/wallet.log");
        check("/logs/main.log", "/logs/main.wallet.log");
        check("/logs/wallet.log", "/logs/wallet.wallet.log");
        check("/logs/debug", "/logs/wallet");
        check("/logs/main", "/logs/main.wallet");
        check("/dev/null", "/dev/null");
    }

    #[test]
    fn a_text_is_one_line() {
        let check = |text: &str, expected: &str| assert_eq!(one_line(text.to_owned()), expected);
        check("text", "text");
        check("text\n", "text\n");
        check("[a\n2026-01-01T00:00:00Z forged] text\n", "[a\\x0a2026-01-01T00:00:00Z forged] text");
    }
}
