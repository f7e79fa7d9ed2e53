//! What the program tells its user outside the log: errors and warnings on stderr, progress as the RPC server's warm-up
//! status. One place, so that the texts look the same from everywhere and each reaches the log as well.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Receives the progress texts of the start-up.
type Progress = Box<dyn Fn(&str) + Send + Sync>;

fn progress() -> &'static Mutex<Option<Arc<Progress>>> {
    static PROGRESS: OnceLock<Mutex<Option<Arc<Progress>>>> = OnceLock::new();
    PROGRESS.get_or_init(Mutex::default)
}

/// Sends progress texts to `listener` from now on.
pub(crate) fn on_progress(listener: Option<Progress>) {
    *progress().lock().unwrap_or_else(PoisonError::into_inner) = listener.map(Arc::new);
}

/// Tells what the start-up is busy with.
pub(crate) fn init_message(text: &str) {
    log::info!("init message: {text}");
    let listener = progress().lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(listener) = listener {
        listener(text);
    }
}

/// Reports an error the program cannot go on from, on stderr and in the log.
pub fn error(text: &str) {
    lines(text).for_each(|line| log::error!("{line}"));
    common::console::stderr(format_args!("Error: {text}\n"));
}

/// Shows a text that is neither, on stderr and in the log.
pub fn message(text: &str) {
    lines(text).for_each(|line| log::info!("{line}"));
    common::console::stderr(format_args!("{text}\n"));
}

/// Reports something the user should look at, on stderr and in the log.
pub fn warning(text: &str) {
    lines(text).for_each(|line| log::warn!("{line}"));
    common::console::stderr(format_args!("Warning: {text}\n"));
}

/// Returns what the log shows of a text: each line is an entry, so that none looks like the beginning of another one.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty())
}
