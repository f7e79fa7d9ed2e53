//! The clock as the protocol sees it: mocked where the rest of the node's is, and finer than seconds.

use std::time::Duration;

use rand::Rng;

/// Time since the Unix epoch.
pub(crate) type Time = Duration;

/// Returns the time, mocked or the system's.
pub(crate) fn now() -> Time {
    match common::clock::mock_time() {
        Some(seconds) => Duration::from_secs(seconds.unsigned_abs()),
        None => common::clock::since_epoch(),
    }
}

/// Returns whole Unix seconds.
pub(crate) fn seconds(time: Time) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// Draws a waiting time from the exponential distribution: what comes after it cannot be foretold from what came before.
pub(crate) fn exponential(average: Duration) -> Duration {
    let uniform: f64 = rand::thread_rng().gen_range(f64::MIN_POSITIVE..1.0);
    average.mul_f64(-uniform.ln())
}

/// Draws a time below `limit`.
pub(crate) fn below(limit: Duration) -> Duration {
    limit.mul_f64(rand::thread_rng().r#gen::<f64>())
}
