//! Limits how much one source line may write to the log file in an hour, so that nobody who can trigger a message can
//! fill the disk with it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Bytes per source line and window.
pub(super) const MAX_BYTES: u64 = 1024 * 1024;
/// Length of a window.
pub(super) const WINDOW: Duration = Duration::from_secs(3600);

/// A source line.
pub(super) type Location = (String, u32);

/// What to do with a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Write it.
    Write,
    /// Write it as the last of its source line in this window.
    WriteLast,
    /// Keep it out of the file.
    Drop,
}

/// Counts bytes per source line.
#[derive(Debug)]
pub(super) struct RateLimit {
    since: Instant,
    sources: HashMap<Location, Source>,
}

#[derive(Debug)]
struct Source {
    left: u64,
    dropped: u64,
}

impl RateLimit {
    pub(super) fn new(now: Instant) -> Self {
        RateLimit { since: now, sources: HashMap::new() }
    }

    /// Begins a new window if the last is over; returns the source lines that were limited, with the bytes dropped.
    pub(super) fn advance(&mut self, now: Instant) -> Vec<(Location, u64)> {
        if now.duration_since(self.since) < WINDOW {
            return Vec::new();
        }
        self.since = now;
        let sources = std::mem::take(&mut self.sources);
        sources.into_iter().filter(|(_, source)| source.dropped > 0).map(|(at, source)| (at, source.dropped)).collect()
    }

    /// Counts a line of `bytes` from `location`.
    pub(super) fn consume(&mut self, location: Location, bytes: u64) -> Verdict {
        let source = self.sources.entry(location).or_insert(Source { left: MAX_BYTES, dropped: 0 });
        let limited_before = source.dropped > 0;
        if bytes <= source.left && !limited_before {
            source.left -= bytes;
            return Verdict::Write;
        }
        source.left = 0;
        source.dropped += bytes;
        if limited_before { Verdict::Drop } else { Verdict::WriteLast }
    }

    /// Says whether any source line is being limited.
    pub(super) fn is_active(&self) -> bool {
        self.sources.values().any(|source| source.dropped > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_line_is_limited_until_the_window_ends() {
        let start = Instant::now();
        let mut limit = RateLimit::new(start);
        let at = |line| ("file.rs".to_owned(), line);
        assert_eq!(limit.consume(at(1), MAX_BYTES), Verdict::Write);
        assert!(!limit.is_active());
        assert_eq!(limit.consume(at(1), 10), Verdict::WriteLast);
        assert_eq!(limit.consume(at(1), 10), Verdict::Drop);
        assert_eq!(limit.consume(at(2), 10), Verdict::Write);
        assert!(limit.is_active());
        assert_eq!(limit.advance(start + WINDOW - Duration::from_secs(1)), vec![]);
        assert_eq!(limit.advance(start + WINDOW), vec![(at(1), 20)]);
        assert!(!limit.is_active());
        assert_eq!(limit.consume(at(1), 10), Verdict::Write);
    }
}
