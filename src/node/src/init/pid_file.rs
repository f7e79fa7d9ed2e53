//! The file that tells other programs the process id (`-pid`). It is removed at the end only by the process that made
//! it.

use std::fs;
use std::path::{Path, PathBuf};

use common::system_error;

/// A pid file this process made; dropping it removes the file.
#[derive(Debug)]
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Writes the process id into `path`.
    pub fn create(path: &Path) -> Result<Self, String> {
        match fs::write(path, format!("{}\n", std::process::id())) {
            Ok(()) => Ok(PidFile(path.to_owned())),
            Err(error) => {
                Err(format!("Unable to create the PID file '{}': {}", path.display(), system_error::describe(&error)))
            }
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            log::warn!("Unable to remove PID file ({}): {}", self.0.display(), system_error::describe(&error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_the_process_id_until_dropped() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("x.pid");
        let file = PidFile::create(&path).expect("created");
        assert_eq!(fs::read_to_string(&path).expect("readable"), format!("{}\n", std::process::id()));
        drop(file);
        assert!(!path.exists());
        let text = PidFile::create(&dir.path().join("no/such")).expect_err("no directory");
        assert!(text.ends_with(": No such file or directory (2)"), "{text}");
    }
}
