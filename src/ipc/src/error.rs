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
    /// The process that started this one died before it was served.
    #[error("the parent process is gone")]
    Orphaned,
    /// An address of a socket that is none. The text is Bitcoin Core's.
    #[error("Unrecognized address '{address}'")]
    Address {
        /// What was given.
        address: String,
    },
    /// An address in a network without encryption.
    #[error("Unrecognized address '{address}': plain TCP is neither encrypted nor authenticated; tls:<host>:<port> is")]
    Tcp {
        /// What was given.
        address: String,
    },
    /// An address in a network that is none.
    #[error("'{address}' has no host and port: tls:<host>:<port> has, with an IPv6 address in brackets")]
    Host {
        /// What was given.
        address: String,
    },
    /// An option after an address to connect to that is none.
    #[error("'{option}' is not an option of -ipcconnect: fingerprint is")]
    ConnectOption {
        /// What was given.
        option: String,
    },
    /// What concerns connections across a network.
    #[error(transparent)]
    Tls(#[from] crate::tls::Error),
    /// An option after an address that is none.
    #[error(
        "'{option}' is not an option of a socket: allow, connections, memory, calls, objects, threads, nesting, message and buffers are"
    )]
    BindOption {
        /// What was given.
        option: String,
    },
    /// A number after an address that is out of range.
    #[error("'{option}' is out of range: a number from {least} to {most} is not")]
    BindNumber {
        /// What was given.
        option: String,
        /// The lowest number.
        least: usize,
        /// The highest number.
        most: usize,
    },
    /// A path that is too long for the system. The text is Bitcoin Core's.
    #[error("Unix address path {} exceeded maximum socket path length", quoted(path))]
    TooLong {
        /// The path.
        path: PathBuf,
    },
    /// The socket cannot be made.
    #[error("{}", system_text(source))]
    Bind {
        /// What the system said.
        source: std::io::Error,
    },
    /// The socket cannot be reached.
    #[error("{}", system_text(source))]
    Connect {
        /// What the system said.
        source: std::io::Error,
    },
    /// The other side does not want to talk to this program.
    #[error("{reason}")]
    Refused {
        /// What it said.
        reason: String,
    },
    /// Somebody listens on the socket.
    #[error("another program listens on {}; end it, or choose another path", path.display())]
    InUse {
        /// The path.
        path: PathBuf,
    },
    /// A link where the socket is to be.
    #[error("{} is a symbolic link, which is not followed; remove it, or give the path it leads to", path.display())]
    Symlink {
        /// The path.
        path: PathBuf,
    },
    /// A file of another kind where the socket is to be.
    #[error("{} exists and is not a socket; remove it, or choose another path", path.display())]
    NotASocketFile {
        /// The path.
        path: PathBuf,
    },
    /// A socket of another user where the socket is to be.
    #[error("{} belongs to user {uid}; choose another path", path.display())]
    Foreign {
        /// The path.
        path: PathBuf,
        /// Whose it is.
        uid: u32,
    },
    /// A descriptor that is not a socket to take connections from.
    #[error("fd:{fd} is not a listening socket inherited from a parent process")]
    NotListening {
        /// The number.
        fd: i32,
    },
    /// A descriptor that this program opened itself.
    #[error("descriptor {fd} is of this program itself; one that the parent process left open can be taken over")]
    Own {
        /// The number.
        fd: i32,
    },
    /// A descriptor that is not a connection.
    #[error("fd:{fd} is not a connected socket inherited from a parent process")]
    NotConnected {
        /// The number.
        fd: i32,
    },
    /// A descriptor that is a socket in a network.
    #[error("fd:{fd} is not a Unix socket: sockets are local only, since whoever reaches one needs no password")]
    NotLocal {
        /// The number.
        fd: i32,
    },
    /// A server of another user.
    #[error(
        "user {uid} listens on {}, which is neither this user nor root nor the owner of the directory; nothing is sent there",
        path.display()
    )]
    WrongServer {
        /// The path.
        path: PathBuf,
        /// The user.
        uid: u32,
    },
    /// A client of another user.
    #[error("it comes from user {uid}")]
    WrongUser {
        /// The user.
        uid: u32,
    },
    /// More clients than are allowed.
    #[error("there are {limit} connections already, as many as are allowed")]
    TooMany {
        /// How many that is.
        limit: usize,
    },
    /// The listener is closed.
    #[error("the socket is being closed")]
    Closed,
    /// No program of this name where one could be.
    #[error("{name} not found at {places}; install it there")]
    NotFound {
        /// Name of the program.
        name: String,
        /// Where it was looked for.
        places: String,
    },
}

/// What the system says, without the number Rust appends: as C++ programs show it.
pub(crate) fn system_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// A path as C++ programs quote it.
fn quoted(path: &std::path::Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('\\', "\\\\").replace('"', "\\\""))
}

/// Result of setting something up.
pub type Result<T, E = Error> = std::result::Result<T, E>;
