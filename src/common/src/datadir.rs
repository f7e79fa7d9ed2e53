//! The data directory as a place on disk: private by umask, writable, and locked against a second process.
//!
//! The lock is a record lock on the whole of `.lock`, where Bitcoin Core takes its own, so neither runs on the other's
//! directory; see [`file_lock`] for why closing another descriptor of it does not give it up. The file is opened
//! once per process while it is locked, because a second lock by the same process is allowed.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustix::fs::Mode;

use crate::file_lock;
use crate::version::CLIENT_NAME;

pub use crate::args::default_datadir;

const LOCK_FILE: &str = ".lock";

/// Locks this process holds, by lock file.
static HELD: Mutex<Option<HashMap<PathBuf, Weak<File>>>> = Mutex::new(None);

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirError {
    /// No file can be made in it.
    #[error("Cannot write to directory '{}'; check permissions.", path.display())]
    NotWritable {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// Another process has it.
    #[error("Cannot obtain a lock on directory {}. {CLIENT_NAME} is probably already running.", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// It cannot be made.
    #[error("cannot create directory {}", path.display())]
    Create {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
}

/// Keeps a directory locked until the last clone is dropped.
#[derive(Debug, Clone)]
#[must_use = "dropping the lock gives the directory up"]
pub struct DirLock {
    _file: Arc<File>,
}

/// Makes files and directories created from now on accessible to the owner only.
pub fn set_private_umask() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// Makes a directory and those above it unless they exist.
pub fn create_dir(path: &Path) -> Result<(), DirError> {
    fs::create_dir_all(path).map_err(|error| DirError::Create { path: path.to_owned(), error })
}

/// Locks a directory. A second lock by the same process succeeds, and holds as long as either.
pub fn lock(directory: &Path) -> Result<DirLock, DirError> {
    let path = directory.join(LOCK_FILE);
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    let held = held.get_or_insert_with(HashMap::new);
    if let Some(file) = held.get(&path).and_then(Weak::upgrade) {
        return Ok(DirLock { _file: file });
    }
    let not_writable = |error| DirError::NotWritable { path: directory.to_owned(), error };
    let file = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(not_writable)?;
    let held_elsewhere = || io::Error::from(io::ErrorKind::WouldBlock);
    let locked = file_lock::try_lock(&file, 0, 0).and_then(|locked| locked.then_some(()).ok_or_else(held_elsewhere));
    if let Err(error) = locked {
        log::error!("Error while attempting to lock directory {}: {error}", directory.display());
        return Err(DirError::Locked { path: directory.to_owned(), error });
    }
    let file = Arc::new(file);
    held.insert(path, Arc::downgrade(&file));
    Ok(DirLock { _file: file })
}

/// Checks that a directory can be written to and locked, without keeping the lock.
pub fn probe(directory: &Path) -> Result<(), DirError> {
    lock(directory).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_lock_a_directory_twice() {
        let dir = tempfile::tempdir().unwrap();
        let first = lock(dir.path()).unwrap();
        let second = lock(dir.path()).unwrap();
        drop(first);
        // Classic locks of the process would end with any descriptor.
        drop(File::open(dir.path().join(LOCK_FILE)).unwrap());
        assert!(other_process_is_refused(dir.path()));
        drop(second);
        assert!(!other_process_is_refused(dir.path()));
    }

    /// Asks the kernel, through a process of its own, whether the record lock is taken.
    fn other_process_is_refused(dir: &Path) -> bool {
        let script = "import fcntl,sys\nf=open(sys.argv[1],'r+')\ntry:\n fcntl.lockf(f,fcntl.LOCK_EX|fcntl.LOCK_NB)\n\
                      except OSError:\n sys.exit(3)";
        let status = std::process::Command::new("python3").args(["-c", script]).arg(dir.join(LOCK_FILE)).status();
        status.unwrap().code() == Some(3)
    }

    #[test]
    fn a_directory_that_is_not_there_cannot_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing");
        assert_eq!(
            lock(&missing).expect_err("not there").to_string(),
            format!("Cannot write to directory '{}'; check permissions.", missing.display())
        );
    }
}
