//! One line on the terminal that says how far the node is while it catches up.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use kernel::SyncState;

/// Least time between two changes of the line.
const INTERVAL: Duration = Duration::from_millis(100);

/// What the line is made of.
#[derive(Debug, Default)]
pub(crate) struct SyncLine {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Height of the tip, and how much of all there is to verify is verified.
    tip: (u32, f64),
    /// Height of the best header.
    headers: i64,
    /// Height up to which headers are looked at before any is kept.
    presync: i64,
    /// What the node is at, once it is at something.
    at: Option<SyncState>,
    ended: bool,
    written: Option<Instant>,
}

impl SyncLine {
    /// The tip moved.
    pub fn tip(&self, state: SyncState, height: u32, progress: f64) {
        self.change(|line| {
            line.tip = (height, progress);
            line.at = Some(state);
        });
    }

    /// The best header moved.
    pub fn header(&self, state: SyncState, height: i64, presync: bool) {
        self.change(|line| {
            line.at = Some(state);
            (line.headers, line.presync) = if presync { (line.headers, height) } else { (height, 0) };
        });
    }

    /// Takes the line away for good.
    pub fn end(&self) {
        self.change(|line| line.ended = true);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let text = state.text();
        if text.is_empty() || state.written.is_none_or(|written| written.elapsed() >= INTERVAL) {
            state.written = Some(Instant::now());
            common::logging::set_status(&text);
        }
    }
}

impl State {
    /// Returns the text: nothing once the node has all it knows of.
    fn text(&self) -> String {
        let (height, progress) = self.tip;
        let what = match self.at {
            None | Some(SyncState::Synced) => return String::new(),
            _ if self.ended => return String::new(),
            _ if self.presync > 0 => return format!("Looking at block headers: {}", self.presync),
            _ if i64::from(height) >= self.headers => return String::new(),
            Some(SyncState::Reindex) => "Reindexing",
            Some(SyncState::Download) => "Synchronizing",
        };
        format!("{what}: block {height} of {} ({:.2} %)", self.headers, (progress * 100.0).min(100.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_there_while_blocks_are_missing() {
        let mut state = State { at: Some(SyncState::Download), ..State::default() };
        let check = |state: &State, expected: &str| assert_eq!(state.text(), expected);
        check(&state, "");
        state.presync = 2000;
        check(&state, "Looking at block headers: 2000");
        (state.presync, state.headers) = (0, 850_000);
        check(&state, "Synchronizing: block 0 of 850000 (0.00 %)");
        (state.tip, state.at) = ((1234, 0.015_678), Some(SyncState::Reindex));
        check(&state, "Reindexing: block 1234 of 850000 (1.57 %)");
        state.at = Some(SyncState::Synced);
        check(&state, "");
        (state.tip, state.at) = ((850_000, 1.0), Some(SyncState::Download));
        check(&state, "");
    }
}
