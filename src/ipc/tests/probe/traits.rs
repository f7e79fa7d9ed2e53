//! The trait and its types, as `src/interfaces` has those of the protocol.

pub use ::interfaces::{Result, serve_caller};

/// One method for every kind of type that can cross: most return what they are given.
pub trait Probe: Send + Sync {
    /// Returns so many bytes.
    fn bytes(&self, size: u64) -> Result<Vec<u8>>;

    /// Returns how many bytes it was given.
    fn take(&self, bytes: Vec<u8>) -> Result<u64>;

    /// Returns both.
    fn floats(&self, single: f32, double: f64) -> Result<Vec<f64>>;
}
