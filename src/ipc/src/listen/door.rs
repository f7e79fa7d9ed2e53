//! The socket that a listener takes connections from: local, or of a network.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use super::remote::Remote;
use crate::address::Place;
use crate::{Error, Result, socket, tls};

/// A socket that is listened on.
pub(super) enum Door {
    Local(UnixListener),
    Remote(TcpListener),
}

/// Who came.
pub(super) enum Arrival {
    Local(UnixStream),
    Remote(TcpStream, SocketAddr),
}

impl Door {
    /// Makes the socket, and what connections across a network need.
    pub(super) fn open(place: &Place) -> Result<(Door, Option<Remote>)> {
        let listener = match place {
            Place::Unix(path) => socket::bind(path)?,
            Place::Descriptor(fd) => socket::adopt(*fd)?,
            Place::Tls { host, keys } => {
                let remote = Remote::new(keys)?;
                let listener = tls::bind(host).map_err(|source| Error::Bind { source })?;
                return Ok((Door::Remote(listener), Some(remote)));
            }
        };
        listener.set_nonblocking(true).map_err(Error::Setup)?;
        Ok((Door::Local(listener), None))
    }

    /// Returns the address in full, with the port that was chosen if none was given.
    pub(super) fn address(&self, place: &Place) -> String {
        match self {
            Door::Local(_) => place.to_string(),
            Door::Remote(listener) => {
                listener.local_addr().map_or_else(|_| place.to_string(), |address| format!("tls:{address}"))
            }
        }
    }

    pub(super) fn accept(&self) -> io::Result<Arrival> {
        match self {
            Door::Local(listener) => listener.accept().map(|(stream, _)| Arrival::Local(stream)),
            Door::Remote(listener) => listener.accept().map(|(stream, address)| Arrival::Remote(stream, address)),
        }
    }
}

impl AsFd for Door {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Door::Local(listener) => listener.as_fd(),
            Door::Remote(listener) => listener.as_fd(),
        }
    }
}

/// Returns what to call a process of this machine, if it may connect.
pub(super) fn local_name(stream: &UnixStream) -> Result<String> {
    let peer = socket::peer(stream).map_err(Error::Setup)?;
    if !socket::may_connect(peer.uid) {
        return Err(Error::WrongUser { uid: peer.uid });
    }
    Ok(format!("client-{}", peer.pid))
}
