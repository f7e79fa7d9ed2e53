//! Making and reaching Unix sockets so that only their owner can use them.
//!
//! **Invariant:** a socket that somebody listens on is never removed, and none is open to another user at any moment.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use rustix::fs::{FlockOperation, Mode, flock};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use crate::inherit::inherited;
use crate::patience::Patience;
use crate::{Error, Result};

/// How long another process may be busy with sockets of the same directory.
const LOCK_LIMIT: Duration = Duration::from_secs(5);

/// Connections that may wait to be taken.
const BACKLOG: i32 = 128;

/// Listens on a new socket at `path`; replaces one that nobody listens on any more.
pub(crate) fn bind(path: &Path) -> Result<UnixListener> {
    let failed = |source: io::Error| Error::Bind { source };
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
    // Held while the socket is made: one that is bound but not listened on yet looks like one that nobody uses.
    let _lock = lock(dir)?;
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
        Ok(found) if found.file_type().is_symlink() => return Err(Error::Symlink { path: path.to_owned() }),
        Ok(found) if !found.file_type().is_socket() => return Err(Error::NotASocketFile { path: path.to_owned() }),
        Ok(found) if found.uid() != rustix::process::geteuid().as_raw() => {
            return Err(Error::Foreign { path: path.to_owned(), uid: found.uid() });
        }
        Ok(_) if is_stale(path).map_err(failed)? => fs::remove_file(path).map_err(failed)?,
        Ok(_) => return Err(Error::InUse { path: path.to_owned() }),
    }
    listen(path).map_err(failed)
}

/// Makes a socket that listens. What its mode is when it gets a name is also the mode of the file, so that there is no
/// moment in which others could connect, whatever the umask.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(UnixListener::from(socket))
}

/// Says whether nobody listens on a socket. One whose owner is too busy to take connections is in use; this does not
/// wait for it.
fn is_stale(path: &Path) -> io::Result<bool> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let probe = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    Ok(rustix::net::connect(&probe, &SocketAddrUnix::new(path)?) == Err(rustix::io::Errno::CONNREFUSED))
}

/// Keeps other processes from making sockets in a directory at the same time.
fn lock(dir: &Path) -> Result<File> {
    let failed = |source: io::Error| Error::Bind { source };
    let file = File::open(dir).map_err(failed)?;
    let deadline = Instant::now() + LOCK_LIMIT;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => return Err(failed(error.into())),
        }
    }
}

/// Takes over a socket that the parent process listens on.
pub(crate) fn adopt(fd: i32) -> Result<UnixListener> {
    let socket = inherited(fd, |found| {
        if sockopt::socket_domain(found).ok() != Some(AddressFamily::UNIX) {
            return Err(Error::NotLocal { fd });
        }
        if sockopt::socket_acceptconn(found).unwrap_or(false) { Ok(()) } else { Err(Error::NotListening { fd }) }
    });
    socket.map(UnixListener::from).map_err(|error| match error {
        Error::NotASocket { fd } => Error::NotListening { fd },
        error => error,
    })
}

/// Takes over a socket that the parent process has connected.
pub(crate) fn adopt_connected(fd: i32) -> Result<OwnedFd> {
    let socket = inherited(fd, |found| {
        if sockopt::socket_domain(found).ok() != Some(AddressFamily::UNIX) {
            return Err(Error::NotLocal { fd });
        }
        let stream = sockopt::socket_type(found).ok() == Some(SocketType::STREAM);
        if stream && rustix::net::getpeername(found).is_ok() { Ok(()) } else { Err(Error::NotConnected { fd }) }
    });
    socket.map_err(|error| match error {
        Error::NotASocket { fd } => Error::NotConnected { fd },
        error => error,
    })
}

/// Connects to the socket at `path`, if whoever listens there may have what is sent. Who listens there may be too busy to
/// take connections; that is waited for.
pub(crate) fn connect(path: &Path, patience: &Patience) -> Result<OwnedFd> {
    let failed = |error: rustix::io::Errno| Error::Connect { source: error.into() };
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let socket = socket.map_err(failed)?;
    let address = SocketAddrUnix::new(path).map_err(failed)?;
    loop {
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(patience.pause())).map_err(failed)?;
        match rustix::net::connect(&socket, &address) {
            Ok(()) => break,
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => patience.check().map_err(failed)?,
            Err(error) => return Err(failed(error)),
        }
    }
    let found = peer(&socket).map_err(|source| Error::Connect { source })?;
    let owner =
        path.parent().and_then(|dir| fs::metadata(if dir.as_os_str().is_empty() { Path::new(".") } else { dir }).ok());
    if may_serve(found.uid, rustix::process::geteuid().as_raw(), owner.map(|dir| dir.uid())) {
        Ok(socket)
    } else {
        Err(Error::WrongServer { path: path.to_owned(), uid: found.uid })
    }
}

/// Says whether what this process sends may be read by a user: the one it runs as, the superuser, or the owner of the
/// directory of the socket, who decides what is there. Elsewhere, as in `/tmp`, anybody may have put it there. The superuser
/// may connect to anyone.
fn may_serve(uid: u32, ours: u32, owner: Option<u32>) -> bool {
    [0, uid].contains(&ours) || uid == 0 || owner == Some(uid)
}

/// The process at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PeerProcess {
    /// Its id; 0 if it has none here, as that of a process outside of the container.
    pub pid: i32,
    /// Its user.
    pub uid: u32,
}

/// Asks the system who is at the other end.
pub(crate) fn peer(stream: &impl AsFd) -> io::Result<PeerProcess> {
    let found = getsockopt(stream, PeerCredentials)?;
    Ok(PeerProcess { pid: found.pid(), uid: found.uid() })
}

/// Says whether a user may connect: the one this process runs as, and the superuser, who can do as that one anyway.
pub(crate) fn may_connect(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_are_trusted() {
        let check =
            |uid, ours, owner, expected| assert_eq!(may_serve(uid, ours, owner), expected, "{uid} {ours} {owner:?}");
        check(1000, 1000, None, true);
        check(0, 1000, None, true);
        check(1001, 1000, None, false);
        check(1001, 1000, Some(0), false);
        check(1001, 1000, Some(1000), false);
        check(1001, 1000, Some(1001), true);
        check(1001, 0, Some(0), true);
    }
}
