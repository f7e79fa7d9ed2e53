//! Locks between runs. The kernel drops them when the holder dies, however it dies.
//!
//! **Invariant:** a build's children hold the run's lock too (it is their standard input), so a compiler left behind by a
//! killed run cannot write into a work directory that the next run already uses.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};

use super::{Options, progress};

/// A held lock.
pub(super) struct Lock(File);

impl Lock {
    /// Waits for the lock on a file, which is created empty and stays empty.
    pub(super) fn acquire(file: &Path, options: &Options) -> Result<Lock> {
        let what = || format!("cannot lock {}", file.display());
        if let Some(dir) = file.parent() {
            fs::create_dir_all(dir).with_context(what)?;
        }
        loop {
            let held =
                File::options().read(true).write(true).create(true).truncate(false).open(file).with_context(what)?;
            match held.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    progress::note(options, &format!("waiting for another run that holds {}", file.display()));
                    held.lock().with_context(what)?;
                }
                Err(TryLockError::Error(err)) => return Err(err).with_context(what),
            }
            // `clean` may have removed the file while this run waited; a lock on a removed file protects nothing.
            if same_file(&held, file) {
                return Ok(Lock(held));
            }
        }
    }

    /// The lock as a child's standard input: empty, and held until the last process that inherited it is gone.
    pub(super) fn as_stdin(&self) -> Result<Stdio> {
        Ok(Stdio::from(self.0.try_clone().context("cannot pass the lock on")?))
    }
}

fn same_file(held: &File, file: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (held.metadata(), fs::metadata(file)) {
        (Ok(held), Ok(named)) => held.dev() == named.dev() && held.ino() == named.ino(),
        _ => false,
    }
}
