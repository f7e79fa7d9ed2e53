//! Ends a child process with its parent, whatever state the child is in.
//!
//! The end of the connection is not enough: a child that is stopped, or busy with requests it had received, would notice
//! it late and meanwhile hold files that the next parent's child wants. So the kernel kills the child
//! (`PR_SET_PDEATHSIG`).
//!
//! The child asks for that itself, at its start, as the parent could do so between `fork` and `exec` only, with unsafe
//! code. The kernel says who made the socket pair, so the child notices a parent that died before it asked.

use std::os::fd::BorrowedFd;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use crate::{Error, Result};

/// Has the kernel kill this process when its parent dies, if the parent made `socket`. A process that a shell or another
/// program started on behalf of whoever made the socket does without.
///
/// # Errors
/// [`Error::Orphaned`] if the parent has died already.
pub(crate) fn die_with_parent(socket: BorrowedFd<'_>) -> Result<()> {
    // Not with rustix, which knows no process 0; that is what another PID namespace shows as. Only Unix sockets have a
    // maker.
    let maker = getsockopt(&socket, PeerCredentials).map_or(0, |maker| maker.pid());
    let is_child = || getppid().is_some_and(|parent| parent.as_raw_nonzero().get() == maker);
    if is_child() {
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| Error::Setup(error.into()))?;
        // One that died before the line above sends no signal.
        return if is_child() { Ok(()) } else { Err(Error::Orphaned) };
    }
    // A parent closes its files before its children get another.
    if is_closed(socket)? { Err(Error::Orphaned) } else { Ok(()) }
}

/// Says whether the other end of a socket is closed, whatever is left to read.
fn is_closed(socket: BorrowedFd<'_>) -> Result<bool> {
    let mut fds = [PollFd::from_borrowed_fd(socket, PollFlags::HUP)];
    poll(&mut fds, Some(&Timespec::default())).map_err(|error| Error::Setup(error.into()))?;
    Ok(fds[0].revents().contains(PollFlags::HUP))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn an_orphan_is_refused_though_requests_are_left_to_read() {
        // Made by this process, which is not its own parent.
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        assert!(die_with_parent(theirs.as_fd()).is_ok());
        ours.write_all(b"request").unwrap();
        assert!(die_with_parent(theirs.as_fd()).is_ok());
        drop(ours);
        assert!(matches!(die_with_parent(theirs.as_fd()), Err(Error::Orphaned)));
    }
}
