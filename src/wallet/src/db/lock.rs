//! The lock on a wallet file.
//!
//! Separate from SQLite, whose own locks are POSIX locks: a process loses those as soon as it closes *any* descriptor of
//! the file, so listing wallets would end the lock of an open one. The lock here covers the bytes that SQLite locks, so
//! every program that opens the file through SQLite, Bitcoin Core among them, is kept out.
//!
//! **Invariant:** a file has one writer. The lock is held from before the first read until after the connection is
//! closed, and by the process that has the file open.

use std::collections::BTreeSet;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use common::file_lock::lock_within;
use log::info;

/// First byte that SQLite locks, `PENDING_BYTE` of its file format; followed by the reserved byte and the shared range.
const LOCK_START: i64 = 0x4000_0000;
/// Number of bytes that SQLite locks.
const LOCK_LENGTH: i64 = 512;
/// How long to wait for another process to let go of the file: a wallet process whose node was killed is ending.
const WAIT: Duration = Duration::from_secs(10);

/// Device and inode of a file.
type Identity = (u64, u64);

/// Wallet files that this process has locked. Waiting for one of them would be waiting for ourselves.
static LOCKED: Mutex<BTreeSet<Identity>> = Mutex::new(BTreeSet::new());

/// Result of trying to lock a file.
pub(super) enum Locking {
    /// The file is locked until the lock is dropped.
    Done(FileLock),
    /// This or another process has it.
    Taken,
}

/// An exclusive lock on a wallet file.
pub(super) struct FileLock {
    /// The lock belongs to this open file description.
    _file: File,
    identity: Identity,
}

impl Drop for FileLock {
    fn drop(&mut self) {
        LOCKED.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.identity);
    }
}

impl FileLock {
    /// Like [`FileLock::acquire_within`], with the usual limit.
    pub(super) fn acquire(path: &Path, create: bool) -> io::Result<Locking> {
        FileLock::acquire_within(path, create, WAIT)
    }

    /// Locks the file at `path`, which is created with mode 0600 if `create` is set and nothing is there. Waits up to
    /// `limit` for another process to let go of it.
    ///
    /// # Errors
    /// If the file cannot be opened for writing, is no regular file, or its file system has no locks.
    pub(super) fn acquire_within(path: &Path, create: bool, limit: Duration) -> io::Result<Locking> {
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).mode(0o600).custom_flags(NONBLOCK);
            let file = options.create_new(create).open(path)?;
            let identity = identity(&regular(&file)?);
            if !LOCKED.lock().unwrap_or_else(PoisonError::into_inner).insert(identity) {
                return Ok(Locking::Taken);
            }
            // Takes the identity off the list again, whatever happens below.
            let lock = FileLock { _file: file, identity };
            let waiting = || info!("Waiting for another process to close {}", path.display());
            if !lock_within(&lock._file, LOCK_START, LOCK_LENGTH, limit, waiting)? {
                return Ok(Locking::Taken);
            }
            // The process that had the file may have put another one in its place.
            match path.metadata() {
                Ok(now) if self::identity(&now) == identity => return Ok(Locking::Done(lock)),
                Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Keeps opening a pipe from waiting for its other end (`O_NONBLOCK`).
pub(super) const NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits() as i32;

/// Returns the metadata of a regular file, and an error for a pipe, a device or a directory.
pub(super) fn regular(file: &File) -> io::Result<Metadata> {
    let metadata = file.metadata()?;
    if metadata.is_file() {
        Ok(metadata)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}
