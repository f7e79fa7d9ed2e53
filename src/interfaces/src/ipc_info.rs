//! What programs count of the calls between them, for those who show it.

use std::time::Duration;

/// Which side of a call or of an object a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpcSide {
    /// It calls, and holds the object.
    Client,
    /// It serves.
    Server,
}

/// Calls of a method since the process started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpcMethod {
    /// `Interface.method`.
    pub method: String,
    /// The process's side.
    pub side: IpcSide,
    /// Calls that have ended.
    pub calls: u64,
    /// Those that ended with an error.
    pub errors: u64,
    /// Bytes sent.
    pub sent: u64,
    /// Bytes received.
    pub received: u64,
    /// Time of all calls.
    pub total: Duration,
    /// Time of the longest.
    pub longest: Duration,
    /// Time that half of them did not take.
    pub median: Duration,
    /// Time that 99 of 100 did not take.
    pub p99: Duration,
}

/// Objects of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpcObjects {
    /// Its name.
    pub interface: String,
    /// The process's side.
    pub side: IpcSide,
    /// How many there are.
    pub live: u64,
}

/// Everything that is counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IpcInfo {
    /// By method.
    pub methods: Vec<IpcMethod>,
    /// By interface.
    pub objects: Vec<IpcObjects>,
}
