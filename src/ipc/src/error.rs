//! Why a process could not be started or a connection not be set up.

use std::path::PathBuf;

/// Why a process could not be started or a connection not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system gave no socket, thread or descriptor.
    #[error("cannot set up the connection between processes")]
    Setup(#[source] std::io::Error),
    /// The program could not be run.
    #[error("cannot run {}: {source}", program.display())]
    Run {
        /// Where it was looked for.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The number given with `-ipcfd` is no socket.
    #[error("-ipcfd={fd} is not a socket inherited from a parent process")]
    NotASocket {
        /// The number.
        fd: i32,
    },
    /// No program of this name where one could be.
    #[error("{name} not found at {places}; install it there")]
    NotFound {
        /// Name of the program.
        name: String,
        /// Where it was looked for.
        places: String,
    },
}

/// Result of setting something up.
pub type Result<T, E = Error> = std::result::Result<T, E>;
