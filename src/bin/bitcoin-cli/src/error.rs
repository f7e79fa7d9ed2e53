//! Why a call could not be made or its answer not be understood.
//!
//! Separate because two kinds must not be confused: [`CliError::is_transient`] ones are retried under `-rpcwait`,
//! all others end the program at once. Invariant: the texts are Bitcoin Core's, scripts match on them.

use std::path::PathBuf;

use thiserror::Error;

/// A failure of the client itself; an error that the server answered is not one of these.
#[derive(Debug, Error)]
pub enum CliError {
    /// A parameter that must be JSON is not.
    #[error("Error parsing JSON: {0}")]
    InvalidJson(String),
    /// `-rpcconnect` or `-rpcport` holds no usable port.
    #[error("Invalid port provided in {option}: {value}")]
    InvalidPort {
        /// The option, with its dash.
        option: &'static str,
        /// What the user gave.
        value: String,
    },
    /// The server could not be reached or did not finish its answer.
    #[error(
        "Error while attempting to communicate with server {host}:{port} ({reason})\n\n\
         Make sure the bitcoind server is running and that you are connecting to the correct RPC port.\n\
         Use \"bitcoin-cli -help\" for more info."
    )]
    Connection {
        /// Host as given.
        host: String,
        /// Port tried.
        port: u16,
        /// What went wrong.
        reason: String,
    },
    /// The server cannot be reached through its socket.
    #[error(
        "{reason}\n\nProbably bitcoin-node is not running or not listening on a unix socket. Can be started with:\n\n    \
         bitcoin-node -chain={chain} -ipcbind=unix"
    )]
    Socket {
        /// What went wrong.
        reason: String,
        /// The chain the options select.
        chain: String,
    },
    /// The server cannot be reached through its socket on another machine.
    #[error("{reason}\n\nProbably bitcoin-node is not running there, or not with -ipcbind=tls:<host>:<port>.")]
    Remote {
        /// What went wrong.
        reason: String,
    },
    /// The server that was reached through a socket did not answer in time. The text is that of HTTP but for its end.
    #[error(
        "Error while attempting to communicate with server {address} (timeout)\n\n\
         Make sure the bitcoin-node server is running and that you are connecting to the correct socket.\n\
         Use \"bitcoin-cli -help\" for more info."
    )]
    NoAnswer {
        /// The address.
        address: String,
    },
    /// The server answers, but only that it is still starting.
    #[error("server in warmup")]
    Warmup,
    /// `-rpcwaittimeout` ran out.
    #[error("timeout on transient error: {0}")]
    WaitTimeout(#[source] Box<CliError>),
    /// The server refused the credentials.
    #[error("Authorization failed: {reason} Configuration file: ({config})", config = config.display())]
    Unauthorized {
        /// Which credentials were used and what is wrong with them.
        reason: &'static str,
        /// The configuration file that was read for them.
        config: PathBuf,
    },
    /// The server has no room for another request.
    #[error("Server response: {0}")]
    Unavailable(String),
    /// Any other HTTP error.
    #[error("server returned HTTP error {0}")]
    Http(u16),
    /// The answer has no body.
    #[error("no response from server")]
    EmptyResponse,
    /// The answer is not JSON.
    #[error("couldn't parse reply from server")]
    UnparsableReply,
    /// The answer is JSON of the wrong shape.
    #[error("{0}")]
    UnexpectedReply(String),
    /// The command line contradicts itself or lacks something.
    #[error("{0}")]
    Usage(String),
}

impl CliError {
    /// Whether waiting and trying again may help.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            CliError::Connection { .. }
                | CliError::Socket { .. }
                | CliError::Remote { .. }
                | CliError::NoAnswer { .. }
                | CliError::Warmup
        )
    }

    /// The error for a JSON value that has another type than the place needs.
    pub fn wrong_type(found: &serde_json::Value, expected: &str) -> CliError {
        let found = match found {
            serde_json::Value::Null => "null",
            serde_json::Value::Bool(_) => "bool",
            serde_json::Value::Number(_) => "number",
            serde_json::Value::String(_) => "string",
            serde_json::Value::Array(_) => "array",
            serde_json::Value::Object(_) => "object",
        };
        CliError::UnexpectedReply(format!("JSON value of type {found} is not of expected type {expected}"))
    }
}
