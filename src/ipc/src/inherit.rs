//! Taking over a socket that a parent process left open.
//!
//! The only unsafe code of the crate is here: a number on the command line becomes an owned descriptor, which nothing
//! in the language can check.
#![allow(unsafe_code, reason = "see the header")]

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Mutex;

use crate::serve::is_socket;
use crate::{Error, Result};

/// Numbers taken over so far; each can be owned once.
static TAKEN: Mutex<Vec<i32>> = Mutex::new(Vec::new());

/// Takes over descriptor `fd`, which must be a socket. Works once for each number.
///
/// Of standard input a copy is taken and `/dev/null` put in its place, so that the number stays valid and nothing else
/// of the process reads the socket.
pub(crate) fn inherited(fd: i32) -> Result<OwnedFd> {
    let refuse = || Error::NotASocket { fd };
    if fd == 0 {
        let stdin = std::io::stdin();
        if !is_socket(stdin.as_fd()) {
            return Err(refuse());
        }
        let socket = stdin.as_fd().try_clone_to_owned().map_err(Error::Setup)?;
        let null = File::open("/dev/null").map_err(Error::Setup)?;
        rustix::stdio::dup2_stdin(&null).map_err(|error| Error::Setup(error.into()))?;
        return Ok(socket);
    }
    // A number that is not open must not become an owned descriptor: it could be reused by then.
    let target = std::fs::read_link(format!("/proc/self/fd/{fd}")).map_err(|_| refuse())?;
    if fd <= 2 || !target.to_string_lossy().starts_with("socket:") {
        return Err(refuse());
    }
    let mut taken = TAKEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if taken.contains(&fd) {
        return Err(refuse());
    }
    taken.push(fd);
    // SAFETY: the descriptor is open, and the parent process left it to this one under this number: no code of this
    // process opened it or knows it, and the list above lets it be taken only once.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // It arrived without close-on-exec, or it would not be here.
    let flags = rustix::io::FdFlags::CLOEXEC;
    rustix::io::fcntl_setfd(AsFd::as_fd(&socket) as BorrowedFd<'_>, flags)
        .map_err(|error| Error::Setup(error.into()))?;
    Ok(socket)
}
