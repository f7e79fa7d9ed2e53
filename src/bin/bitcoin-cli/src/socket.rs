//! JSON-RPC through the node's socket instead of HTTP (`-ipcconnect`), and the key this program is known by there.
//!
//! Separate because a build without the feature has none of it: such a client uses HTTP where it may choose, and says
//! so where it may not.

use serde_json::Value;

use crate::error::CliError;
use crate::options::{Options, Socket};

/// A connection, if the options want one and it can be had.
pub struct SocketClient {
    // Before the object, which a node that does not answer would else be asked to release.
    #[cfg(feature = "multiprocess")]
    _connection: Box<dyn std::any::Any>,
    #[cfg(feature = "multiprocess")]
    rpc: std::sync::Arc<dyn interfaces::Rpc>,
}

/// Who this program is, for the node.
#[cfg(feature = "multiprocess")]
fn identity(options: &Options) -> interfaces::Identity {
    interfaces::Identity {
        program: "bitcoin-cli".to_owned(),
        version: common::version::VERSION.to_owned(),
        build: common::version::build_details().to_owned(),
        network: options.chain.clone(),
    }
}

/// Makes an attempt to reach the node through a socket, which ends with `-rpcclienttimeout`.
#[cfg(feature = "multiprocess")]
pub fn attempt<T>(options: &Options, work: impl FnOnce() -> T) -> T {
    /// For ever: without any limit, connecting has one of its own.
    const NO_LIMIT: std::time::Duration = std::time::Duration::from_secs(100 * 365 * 24 * 3600);
    ipc::within(options.server.timeout.unwrap_or(NO_LIMIT), work)
}

/// Makes an attempt to reach the node.
#[cfg(not(feature = "multiprocess"))]
pub fn attempt<T>(_options: &Options, work: impl FnOnce() -> T) -> T {
    work()
}

#[cfg(feature = "multiprocess")]
impl SocketClient {
    /// Connects as the options say; `None` means HTTP.
    pub fn connect(options: &Options) -> Result<Option<SocketClient>, CliError> {
        match &options.socket {
            Socket::Never => Ok(None),
            Socket::Always(address) if address.is_empty() => Ok(None),
            Socket::IfThere => Self::reach(options, "unix", true),
            Socket::Always(address) => Self::reach(options, address, false),
        }
    }

    fn reach(options: &Options, address: &str, optional: bool) -> Result<Option<SocketClient>, CliError> {
        use std::io::ErrorKind::{ConnectionRefused, NotADirectory, NotFound, TimedOut};

        use interfaces::Init;
        let own = identity(options);
        let ipc::Connected { link, init, peer } = match ipc::connect_as(address, &options.net_datadir, "node", &own) {
            Ok(connected) => connected,
            Err(ipc::Error::TooLong { .. }) if optional => return Ok(None),
            Err(ipc::Error::Connect { source })
                if optional && matches!(source.kind(), ConnectionRefused | NotFound | NotADirectory) =>
            {
                return Ok(None);
            }
            Err(ipc::Error::Connect { source }) if source.kind() == TimedOut => return Err(Self::silent(options)),
            // No waiting helps against a wrong key, or for a descriptor.
            Err(ipc::Error::Tls(error)) if !error.is_transient() => return Err(CliError::Usage(error.to_string())),
            Err(
                error @ (ipc::Error::WrongServer { .. }
                | ipc::Error::NotConnected { .. }
                | ipc::Error::NotLocal { .. }
                | ipc::Error::Own { .. }),
            ) => return Err(CliError::Usage(error.to_string())),
            Err(ipc::Error::Refused { reason }) => return Err(CliError::Usage(reason)),
            Err(error) => return Err(Self::unreachable(options, &error.to_string())),
        };
        // An address in a network says nothing of the chain; a local one may be given without -chain, as with Bitcoin Core.
        if let Some(peer) = peer.filter(|_| address.starts_with("tls:")) {
            own.check_network(&peer).map_err(|skew| CliError::Usage(skew.to_string()))?;
        }
        let rpc = init.make_rpc().map_err(|error| match error {
            interfaces::Error::Disconnected { .. } => Self::unreachable(options, "Connection reset by peer"),
            interfaces::Error::Unsupported { .. } => {
                CliError::Usage("the node does not offer RPC on this socket".to_owned())
            }
            interfaces::Error::TimedOut { .. } => Self::silent(options),
            other => CliError::Usage(other.to_string()),
        })?;
        Ok(Some(SocketClient { _connection: Box::new(link), rpc }))
    }

    fn silent(options: &Options) -> CliError {
        let address = match &options.socket {
            Socket::Always(address) => address,
            Socket::Never | Socket::IfThere => "unix",
        };
        CliError::NoAnswer { address: address.to_owned() }
    }

    fn unreachable(options: &Options, reason: &str) -> CliError {
        let reason = reason.to_owned();
        match &options.socket {
            Socket::Always(address) if address.starts_with("tls:") => CliError::Remote { reason },
            _ => CliError::Socket { reason, chain: options.chain.clone() },
        }
    }

    /// Returns the fingerprint of the data directory's key.
    pub fn fingerprint(options: &Options) -> Result<String, CliError> {
        let found = ipc::fingerprint(&options.net_datadir).map_err(|error| CliError::Usage(error.to_string()))?;
        Ok(found.to_string())
    }

    /// Sends a request and returns the parsed answer.
    pub fn call(&self, endpoint: &str, options: &Options, request: String) -> Result<Value, CliError> {
        let user = options.server.user.clone();
        // Texts that go through the socket are UTF-8; a server that gets anything else over HTTP answers this.
        let Ok(request) = String::from_utf8(common::lossless::to_bytes(&request).into_owned()) else {
            return Ok(
                serde_json::json!({"result": null, "error": {"code": -32700, "message": "Parse error"}, "id": null}),
            );
        };
        let answer = self.rpc.execute_rpc(request, endpoint.to_owned(), user);
        let answer = answer.map_err(|error| match error {
            interfaces::Error::TimedOut { .. } => Self::silent(options),
            other => CliError::Usage(other.to_string()),
        })?;
        common::json::parse(answer.as_bytes()).map_err(|_| CliError::UnparsableReply)
    }
}

#[cfg(not(feature = "multiprocess"))]
impl SocketClient {
    /// Connects as the options say; `None` means HTTP.
    pub fn connect(options: &Options) -> Result<Option<SocketClient>, CliError> {
        match &options.socket {
            Socket::Never | Socket::IfThere => Ok(None),
            Socket::Always(_) => Err(Self::missing()),
        }
    }

    fn missing() -> CliError {
        CliError::Usage("bitcoin-cli was not built with IPC support".to_owned())
    }

    /// Returns the fingerprint of the data directory's key.
    pub fn fingerprint(_options: &Options) -> Result<String, CliError> {
        Err(Self::missing())
    }

    /// Sends a request and returns the parsed answer.
    pub fn call(&self, _endpoint: &str, _options: &Options, _request: String) -> Result<Value, CliError> {
        Err(CliError::EmptyResponse)
    }
}
