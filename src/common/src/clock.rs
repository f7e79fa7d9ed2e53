//! The process-wide clock, which tests can set (`-mocktime`, `setmocktime`).
//!
//! **Invariant:** code that shows or compares wall-clock times asks here, never the system; durations use
//! [`std::time::Instant`], which is not mocked.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Mocked time; 0 while the system's is in force, as `setmocktime 0` has it.
static MOCK_TIME: AtomicI64 = AtomicI64::new(0);

/// Returns the time in Unix seconds, mocked or the system's.
pub fn now() -> i64 {
    mock_time().unwrap_or_else(system_now)
}

/// Returns the system's time in Unix seconds, whatever was mocked.
pub fn system_now() -> i64 {
    i64::try_from(since_epoch().as_secs()).unwrap_or(i64::MAX)
}

/// Returns the system's time since the epoch.
pub fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Returns the mocked time, if one is in force.
pub fn mock_time() -> Option<i64> {
    Some(MOCK_TIME.load(Ordering::SeqCst)).filter(|&time| time != 0)
}

/// Sets the clock to `time`, or back to the system's.
pub fn set_mock_time(time: Option<i64>) {
    MOCK_TIME.store(time.unwrap_or(0), Ordering::SeqCst);
}
