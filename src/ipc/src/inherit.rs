//! Taking over a socket that a parent process left open.
//!
//! The only unsafe code of the crate is here: a number on the command line becomes an owned descriptor, which nothing
//! in the language can check. What tells them apart is close-on-exec: no descriptor with it can have come from a parent, and
//! every socket that this program opens has it.
#![allow(unsafe_code, reason = "see the header")]

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

use crate::serve::is_socket;
use crate::{Error, Result};

/// Held while a number is looked at and taken over.
static TURN: Mutex<()> = Mutex::new(());

/// Takes over descriptor `fd`, which must be a socket that a parent process left open and that `check` finds right; any
/// other stays as it is. Works once for each number: what is taken over is this program's own.
///
/// Of standard input a copy is taken and `/dev/null` put in its place, so that the number stays valid and nothing else
/// of the process reads the socket.
pub(crate) fn inherited(fd: i32, check: impl FnOnce(BorrowedFd<'_>) -> Result<()>) -> Result<OwnedFd> {
    let refuse = || Error::NotASocket { fd };
    let failed = |error: rustix::io::Errno| Error::Setup(error.into());
    if fd == 0 {
        let stdin = std::io::stdin();
        if !is_socket(stdin.as_fd()) {
            return Err(refuse());
        }
        check(stdin.as_fd())?;
        let socket = stdin.as_fd().try_clone_to_owned().map_err(Error::Setup)?;
        let null = File::open("/dev/null").map_err(Error::Setup)?;
        rustix::stdio::dup2_stdin(&null).map_err(failed)?;
        return Ok(socket);
    }
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let target = std::fs::read_link(format!("/proc/self/fd/{fd}")).map_err(|_| refuse())?;
    if fd <= 2 || !target.to_string_lossy().starts_with("socket:") {
        return Err(refuse());
    }
    // SAFETY: it was open a moment ago. One that a parent left is closed by nobody; one of this program could have been
    // since, but is refused in the next line, even if another of its sockets has the number by now.
    let found = unsafe { BorrowedFd::borrow_raw(fd) };
    if fcntl_getfd(found).map_err(|_| refuse())?.contains(FdFlags::CLOEXEC) {
        return Err(Error::Own { fd });
    }
    check(found)?;
    fcntl_setfd(found, FdFlags::CLOEXEC).map_err(failed)?;
    // SAFETY: it is open and nobody owns it. It had no close-on-exec, which every socket has that this program opens or
    // takes over, so that a parent left it; and the lock is still held under which it got it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
