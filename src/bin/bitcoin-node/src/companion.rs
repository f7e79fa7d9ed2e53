//! Lets the HTTP server's thread take the wallet's answers off the socket: it is the thread that passes them on.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rpc::server::Companion;

/// Takes over the waiting of the event loop; `None` if it is taken.
pub fn make() -> io::Result<Option<Box<dyn Companion>>> {
    let host = ipc::host().map_err(io::Error::other)?;
    Ok(host.map(|host| Box::new(EventLoop(host)) as Box<dyn Companion>))
}

struct EventLoop(ipc::Host);

impl AsFd for EventLoop {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Companion for EventLoop {
    fn turn(&self) -> io::Result<()> {
        self.0.turn()
    }
}
