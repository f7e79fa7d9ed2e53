//! Sockets that peers connect to.

use std::net::{SocketAddr, TcpListener};

use common::system_error;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, sockopt};

use crate::config::Bind;

/// Connections the system keeps until they are accepted.
const BACKLOG: i32 = 4096;

/// An open socket and what its peers may do.
#[derive(Debug)]
pub(crate) struct Listener {
    pub socket: TcpListener,
    pub bind: Bind,
}

/// Why a socket cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    /// Another program uses the address.
    #[error("Unable to bind to {0} on this computer. {name} is probably already running.", name = common::version::CLIENT_NAME)]
    InUse(SocketAddr),
    /// The system refuses the address.
    #[error("Unable to bind to {0} on this computer (bind returned error {1})")]
    Bind(SocketAddr, String),
    /// The system has no socket for it.
    #[error("Couldn't open socket for incoming connections (socket returned error {0})")]
    Socket(String),
    /// The system does not listen.
    #[error("Listening for incoming connections failed (listen returned error {0})")]
    Listen(String),
}

fn describe(error: Errno) -> String {
    system_error::describe(&error.into())
}

/// Opens a socket.
pub(crate) fn open(bind: Bind) -> Result<Listener, ListenError> {
    let address = bind.address;
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = rustix::net::SocketFlags::CLOEXEC | rustix::net::SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)
        .map_err(|error| ListenError::Socket(describe(error)))?;
    // A port whose last connections are not quite forgotten yet can be used again, and IPv6 leaves IPv4 alone.
    let _ = sockopt::set_socket_reuseaddr(&socket, true);
    if address.is_ipv6() {
        let _ = sockopt::set_ipv6_v6only(&socket, true);
    }
    rustix::net::bind(&socket, &address).map_err(|error| match error {
        Errno::ADDRINUSE => ListenError::InUse(address),
        other => ListenError::Bind(address, describe(other)),
    })?;
    log::info!("Bound to {address}");
    rustix::net::listen(&socket, BACKLOG).map_err(|error| ListenError::Listen(describe(error)))?;
    Ok(Listener { socket: TcpListener::from(socket), bind })
}
