//! Serving a bootstrap object to the process at the other end of a socket.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use interfaces::Init;
use multiprocess::Options;

use crate::event_loop::event_loop;
use crate::glue::InitServer;
use crate::inherit::inherited;
use crate::parent::die_with_parent;
use crate::{Error, Result};

/// How long calls being served may take to finish once the other side is gone.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// Serves `init` on the socket that the parent process left at descriptor `fd` (`-ipcfd`), until the parent is gone.
///
/// Returns once the parent closed the connection and the calls it had made are finished. When the parent dies, the kernel
/// kills this process.
///
/// # Errors
/// If `fd` is no socket of a parent process, the parent is dead already, or nothing can be set up.
pub fn serve_fd(fd: i32, init: Arc<dyn Init>) -> Result<()> {
    let socket = inherited(fd, |_| Ok(()))?;
    die_with_parent(socket.as_fd())?;
    serve_socket(socket, init)
}

/// Serves `init` on a connected socket until the other side is gone; see [`serve_fd`].
///
/// # Errors
/// If nothing can be set up.
pub fn serve_socket(socket: impl Into<OwnedFd>, init: Arc<dyn Init>) -> Result<()> {
    let server = Server::start(socket, "parent", init)?;
    server.wait();
    Ok(())
}

/// A bootstrap object being served on a connection; dropping it ends that.
pub struct Server {
    connection: multiprocess::Connection,
}

impl Server {
    /// Starts to serve `init` on a connected socket. `peer` names the other side in the log.
    ///
    /// # Errors
    /// If nothing can be set up.
    pub fn start(socket: impl Into<OwnedFd>, peer: &str, init: Arc<dyn Init>) -> Result<Server> {
        Self::start_with(socket, Options { peer: peer.to_owned(), ..Options::default() }, init)
    }

    /// Like [`Self::start`], with limits.
    ///
    /// # Errors
    /// If nothing can be set up.
    pub fn start_with(socket: impl Into<OwnedFd>, options: Options, init: Arc<dyn Init>) -> Result<Server> {
        let stream = UnixStream::from(socket.into());
        let service = Arc::new(InitServer::new(init));
        let connection =
            multiprocess::Connection::serve(&event_loop()?, stream, service, options).map_err(Error::Setup)?;
        Ok(Server { connection })
    }

    /// Waits until the other side is gone and its calls are finished, the latter for a limited time.
    pub fn wait(&self) {
        self.connection.wait();
        if !self.connection.wait_idle(DRAIN_LIMIT) {
            log::warn!(target: "ipc", "calls of {} are still being served", self.connection.peer());
        }
    }

    /// Returns the connection; a copy keeps it open.
    pub fn connection(&self) -> &multiprocess::Connection {
        &self.connection
    }

    /// Ends the connection.
    pub fn close(&self) {
        self.connection.close();
    }
}

/// Says whether a descriptor is a socket.
pub(crate) fn is_socket(fd: impl AsFd) -> bool {
    rustix::net::sockopt::socket_type(fd).is_ok()
}
