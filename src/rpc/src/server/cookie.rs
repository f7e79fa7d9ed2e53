//! The cookie file: credentials that change at every start, for clients that may read the data directory.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use bitcoin::hex::DisplayHex;
use rand::RngCore;

use super::ServerError;
use super::config::Cookie;

/// The user name in it.
pub(super) const USER: &str = "__cookie__";

/// Removes the file when dropped.
#[derive(Debug)]
pub(super) struct CookieFile {
    path: PathBuf,
}

/// Writes a new cookie file; returns it and the password.
pub(super) fn create(cookie: &Cookie) -> Result<(CookieFile, String), ServerError> {
    let mut random = [0; 32];
    rand::rngs::OsRng.fill_bytes(&mut random);
    let password = random.to_lower_hex_string();
    let path = &cookie.path;
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let failed = |what: String| {
        move |error: io::Error| {
            log::warn!("{what}: {error}");
            ServerError::Start
        }
    };
    let shown = temporary.display();
    write_private(&temporary, &format!("{USER}:{password}"))
        .map_err(failed(format!("Unable to open cookie authentication file {shown} for writing")))?;
    fs::rename(&temporary, path)
        .map_err(failed(format!("Unable to rename cookie authentication file {shown} to {}", path.display())))?;
    let file = CookieFile { path: path.clone() };
    if let Some(mode) = cookie.mode {
        fs::set_permissions(path, Permissions::from_mode(mode))
            .map_err(failed(format!("Unable to set permissions on cookie authentication file {}", path.display())))?;
    }
    log::info!("Generated RPC authentication cookie {}", path.display());
    log::info!("Permissions used for cookie: {}", symbolic(cookie.mode.unwrap_or(0o600)));
    Ok((file, password))
}

/// Writes a file nobody else can read, not even for a moment.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    // One that is left over may have other permissions.
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

fn symbolic(mode: u32) -> String {
    let bits = [(0o400, 'r'), (0o200, 'w'), (0o100, 'x'), (0o40, 'r'), (0o20, 'w'), (0o10, 'x')];
    let others = [(0o4, 'r'), (0o2, 'w'), (0o1, 'x')];
    bits.iter().chain(&others).map(|(bit, letter)| if mode & bit == 0 { '-' } else { *letter }).collect()
}

impl Drop for CookieFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            log::warn!("Unable to remove random auth cookie file {}: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_and_removal() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".cookie");
        for (mode, expected) in [(None, 0o600), (Some(0o640), 0o640), (Some(0o644), 0o644)] {
            let (file, password) = create(&Cookie { path: path.clone(), mode }).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("__cookie__:{password}"));
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, expected);
            assert_eq!(password.len(), 64);
            drop(file);
            assert!(!path.exists());
        }
        assert_eq!(symbolic(0o640), "rw-r-----");
        let missing = Cookie { path: dir.path().join("missing").join(".cookie"), mode: None };
        assert!(create(&missing).is_err());
    }
}
