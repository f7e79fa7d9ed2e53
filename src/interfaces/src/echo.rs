//! The smallest interface: proves that two processes talk.

use crate::Result;

/// Returns what it is sent. Served by every process; called by tests and benchmarks.
pub trait Echo: Send + Sync {
    /// Returns `echo` unchanged.
    fn echo(&self, echo: String) -> Result<String>;
}
