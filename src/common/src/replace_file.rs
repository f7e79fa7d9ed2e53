//! Replaces a file as a whole: a crash or a power loss at any moment leaves the old file or the new one, complete.
//!
//! **Invariant:** the new content is on the disk before it gets the name, and the name before the caller goes on.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The step at which a file could not be replaced; the old one is still there.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// The new file cannot be made.
    #[error("cannot create {}", path.display())]
    Create {
        /// The new file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The new file cannot be written, or not brought to the disk.
    #[error("cannot write {}", path.display())]
    Write {
        /// The new file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The new file cannot take the place of the old one.
    #[error("cannot rename {} to {}", from.display(), to.display())]
    Rename {
        /// The new file.
        from: PathBuf,
        /// The old one.
        to: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

impl From<ReplaceError> for io::Error {
    fn from(error: ReplaceError) -> Self {
        match error {
            ReplaceError::Create { source, .. }
            | ReplaceError::Write { source, .. }
            | ReplaceError::Rename { source, .. } => source,
        }
    }
}

/// Puts `bytes` in the place of the file `path`, by way of a new file beside it whose name has `suffix` added.
pub fn replace(path: &Path, suffix: &str, bytes: &[u8]) -> Result<(), ReplaceError> {
    let mut new = path.as_os_str().to_owned();
    new.push(suffix);
    let new = PathBuf::from(new);
    let mut file = File::create(&new).map_err(|source| ReplaceError::Create { path: new.clone(), source })?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    drop(file);
    let renamed = written.map_err(|source| ReplaceError::Write { path: new.clone(), source }).and_then(|()| {
        fs::rename(&new, path).map_err(|source| ReplaceError::Rename { from: new.clone(), to: path.to_owned(), source })
    });
    if renamed.is_err() {
        // On a full disk what is left of it would take the room of something else.
        let _ = fs::remove_file(&new);
        return renamed;
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The new file is there now, so this is no failure of the call; not every file system can sync a directory.
    if let Err(error) = File::open(parent).and_then(|parent| parent.sync_all()) {
        log::warn!("cannot sync the directory {} after replacing {}: {error}", parent.display(), path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_file_or_the_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        replace(&path, ".tmp", b"old").unwrap();
        replace(&path, ".tmp", b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

        let missing = dir.path().join("none/file");
        assert!(matches!(replace(&missing, ".tmp", b"x"), Err(ReplaceError::Create { .. })));
        let taken = dir.path().join("taken");
        fs::create_dir(&taken).unwrap();
        assert!(matches!(replace(&taken, ".tmp", b"x"), Err(ReplaceError::Rename { .. })));
        assert!(!dir.path().join("taken.tmp").exists());
    }

    #[test]
    fn a_full_disk_keeps_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "old").unwrap();
        std::os::unix::fs::symlink("/dev/full", dir.path().join("file.tmp")).unwrap();
        assert!(matches!(replace(&path, ".tmp", b"new"), Err(ReplaceError::Write { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }
}
