//! Locks on files that other processes respect, and that only their holder can lose.
//!
//! A classic POSIX record lock ends when its process closes *any* descriptor of the file. The lock of an open file
//! description (OFD, `fcntl(2)`) ends with the last descriptor of that description: whatever else the process opens and
//! closes, it stays. Both kinds conflict with each other, so Bitcoin Core, which takes classic ones, is kept out, too,
//! and so is a classic lock that this very process takes.
//!
//! **Invariant:** no other place of the workspace takes a record lock of its own; a library that does (SQLite) must not
//! be handed a file whose locked bytes overlap with its own.

use std::io;
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

/// Time between two attempts to take a lock: the kernel offers no wait with a limit.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// Locks `len` bytes of `file` from `start`, or to the end of the file, wherever that will be, if `len` is 0. The lock is
/// exclusive and held until the last descriptor made from `file` is closed.
///
/// Returns whether this description has the lock now; `false` if another one, or another process, has it.
///
/// # Errors
/// If the file is not open for writing, or its file system has no locks.
pub fn try_lock(file: impl AsFd, start: i64, len: i64) -> io::Result<bool> {
    let range = range(libc::F_WRLCK, start, len)?;
    loop {
        match fcntl(&file, FcntlArg::F_OFD_SETLK(&range)) {
            Ok(_) => return Ok(true),
            Err(Errno::EAGAIN | Errno::EACCES) => return Ok(false),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Like [`try_lock`], but waits up to `limit` for whoever has the lock. Calls `on_wait` once, when it has to wait.
///
/// # Errors
/// As [`try_lock`].
pub fn lock_within(file: impl AsFd, start: i64, len: i64, limit: Duration, on_wait: impl FnOnce()) -> io::Result<bool> {
    let began = Instant::now();
    if try_lock(&file, start, len)? {
        return Ok(true);
    }
    on_wait();
    loop {
        let left = limit.saturating_sub(began.elapsed());
        thread::sleep(RETRY_INTERVAL.min(left));
        if try_lock(&file, start, len)? {
            return Ok(true);
        }
        if left.is_zero() {
            return Ok(false);
        }
    }
}

/// Gives up the lock on a range, as closing the last descriptor would.
///
/// # Errors
/// If the system refuses, which it has no reason to.
pub fn unlock(file: impl AsFd, start: i64, len: i64) -> io::Result<()> {
    fcntl(&file, FcntlArg::F_OFD_SETLK(&range(libc::F_UNLCK, start, len)?))?;
    Ok(())
}

#[allow(clippy::useless_conversion, reason = "off_t has 32 bits on some machines")]
fn range(kind: libc::c_int, start: i64, len: i64) -> io::Result<libc::flock> {
    let out_of_range = || io::Error::from(io::ErrorKind::InvalidInput);
    Ok(libc::flock {
        l_type: kind.try_into().map_err(|_| out_of_range())?,
        l_whence: libc::SEEK_SET.try_into().map_err(|_| out_of_range())?,
        l_start: start.try_into().map_err(|_| out_of_range())?,
        l_len: len.try_into().map_err(|_| out_of_range())?,
        // Must be zero: the owner is the description, not a process.
        l_pid: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::fs::{File, OpenOptions};
    use std::path::Path;

    fn open(path: &Path) -> File {
        OpenOptions::new().read(true).append(true).create(true).open(path).unwrap()
    }

    #[test]
    fn a_lock_outlives_other_descriptors_of_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let held = open(&path);
        assert!(try_lock(&held, 0, 0).unwrap());
        // A classic lock of the process would end here.
        drop(open(&path));
        let other = open(&path);
        assert!(!try_lock(&other, 0, 0).unwrap());
        drop(held);
        assert!(try_lock(&other, 0, 0).unwrap());
    }

    #[test]
    fn a_lock_covers_its_range_only() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (open(&dir.path().join("file")), open(&dir.path().join("file")));
        assert!(try_lock(&first, 10, 5).unwrap());
        assert!(try_lock(&second, 0, 10).unwrap());
        assert!(!try_lock(&second, 14, 1).unwrap());
        assert!(try_lock(&second, 15, 0).unwrap());
        unlock(&first, 10, 5).unwrap();
        assert!(try_lock(&second, 0, 0).unwrap());
    }

    #[test]
    fn waiting_for_a_lock_is_said_once_and_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let (holder, waiter) = (open(&dir.path().join("file")), open(&dir.path().join("file")));
        assert!(try_lock(&holder, 0, 0).unwrap());
        let mut said = 0;
        assert!(!lock_within(&waiter, 0, 0, Duration::from_millis(50), || said += 1).unwrap());
        assert_eq!(said, 1);
        // The holder goes once the waiter said that it waits.
        assert!(lock_within(&waiter, 0, 0, Duration::from_secs(60), || drop(holder)).unwrap());
        assert!(lock_within(&waiter, 0, 0, Duration::ZERO, || panic!("nothing to wait for")).unwrap());
    }

    #[test]
    fn a_file_that_cannot_be_written_to_cannot_be_locked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        drop(open(&path));
        assert!(try_lock(File::open(&path).unwrap(), 0, 0).is_err());
        assert!(try_lock(open(&path), -1, 0).is_err());
    }
}
