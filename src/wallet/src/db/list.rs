//! Finding wallet files and telling what they are by their first bytes, without opening them as databases.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use bitcoin::Network;
use log::warn;

use super::lock::{NONBLOCK, regular};
use super::{DATA_FILE, DbError, application_id};

/// First bytes of every SQLite file.
const SQLITE_MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Smallest SQLite file, bytes.
const SQLITE_MIN_SIZE: u64 = 512;
/// Position of the application id in a SQLite file.
const APPLICATION_ID_OFFSET: u64 = 68;

/// Returns the directories below `wallet_dir` that hold a wallet of this chain, relative to it; `""` is the directory
/// itself.
pub(crate) fn list_wallets(wallet_dir: &Path, network: Network) -> Vec<(String, WalletFormat)> {
    let mut found = Vec::new();
    if let Some(format) = format_of(wallet_dir, network) {
        found.push((String::new(), format));
    }
    let mut pending = vec![wallet_dir.to_owned()];
    while let Some(directory) = pending.pop() {
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) => {
                warn!("Error scanning directory entries under {}: {error}", directory.display());
                continue;
            }
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if !path.is_dir() {
                continue;
            }
            if let (Some(format), Ok(name)) = (format_of(&path, network), path.strip_prefix(wallet_dir)) {
                found.push((common::lossless::from_os(name), format));
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                pending.push(path);
            }
        }
    }
    found
}

/// Format of a wallet file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WalletFormat {
    /// A descriptor wallet.
    Sqlite,
    /// A wallet from before descriptor wallets; listed, never opened.
    Legacy,
}

fn format_of(directory: &Path, network: Network) -> Option<WalletFormat> {
    match inspect(directory, network) {
        Ok(()) => Some(WalletFormat::Sqlite),
        Err(DbError::Legacy(_)) => Some(WalletFormat::Legacy),
        Err(_) => None,
    }
}

/// Looks at the file's header without opening it as a database.
pub(super) fn inspect(directory: &Path, network: Network) -> Result<(), DbError> {
    if directory.symlink_metadata().is_err() {
        return Err(DbError::NotFound(directory.to_owned()));
    }
    let bad = || DbError::BadFormat(directory.to_owned());
    // A pipe of that name must not make us wait for somebody to write to it.
    let mut options = OpenOptions::new();
    let mut file = options.read(true).custom_flags(NONBLOCK).open(directory.join(DATA_FILE)).map_err(|_| bad())?;
    let size = regular(&file).map_err(|_| bad())?.len();
    let mut header = [0; 16];
    let mut id = [0; 4];
    let mut read = || {
        file.read_exact(&mut header)?;
        file.seek(SeekFrom::Start(APPLICATION_ID_OFFSET))?;
        file.read_exact(&mut id)
    };
    read().map_err(|_| bad())?;
    // Berkeley DB's btree magic, in either byte order.
    if matches!(header[12..], [0x00, 0x05, 0x31, 0x62] | [0x62, 0x31, 0x05, 0x00]) {
        return Err(DbError::Legacy(directory.to_owned()));
    }
    if size < SQLITE_MIN_SIZE || &header != SQLITE_MAGIC {
        return Err(bad());
    }
    let (expected, found) = (application_id(network), u32::from_be_bytes(id));
    if expected != found {
        return Err(DbError::WrongChain { path: directory.to_owned(), expected, found });
    }
    Ok(())
}
