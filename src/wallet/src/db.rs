//! The wallet file: one SQLite database with one table of key-value records, as Bitcoin Core lays it out.
//!
//! Separate from the records' meaning ([`crate::records`]): this file knows pages, locks and transactions only.
//!
//! **Invariant:** the file is locked exclusively from open to drop, and a set of operations is written in one durable
//! transaction or not at all. A file of another chain or a damaged one is never written to.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bitcoin::Network;
use log::{debug, warn};
use rusqlite::{Connection, OpenFlags, params};

/// Name of the data file inside a wallet's directory.
const DATA_FILE: &str = "wallet.dat";
/// Value of `user_version`; Core has had no other.
const SCHEMA_VERSION: i64 = 0;
/// First bytes of every SQLite file.
const SQLITE_MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Smallest SQLite file.
const SQLITE_MIN_SIZE: u64 = 512;
/// Where the application id is in a SQLite file.
const APPLICATION_ID_OFFSET: u64 = 68;

/// Why a wallet file could not be opened or written. The texts are Bitcoin Core's where it has one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DbError {
    /// There is no such wallet.
    #[error("Failed to load database path '{}'. Path does not exist.", .0.display())]
    NotFound(PathBuf),
    /// The directory holds no wallet.
    #[error("Failed to load database path '{}'. Data is not in recognized format.", .0.display())]
    BadFormat(PathBuf),
    /// The wallet is of another chain.
    #[error(
        "Failed to load database path '{}'. Data is not in recognized format. SQLiteDatabase: Unexpected application \
         id. Expected {expected}, got {found}; the wallet belongs to another chain", path.display()
    )]
    WrongChain {
        /// Directory of the wallet.
        path: PathBuf,
        /// Network magic of this chain.
        expected: u32,
        /// Network magic in the file.
        found: u32,
    },
    /// A wallet in the format before descriptor wallets.
    #[error(
        "Failed to open database path '{}'. The wallet appears to be a Legacy wallet, please use the wallet migration \
         tool (migratewallet RPC or the GUI option).", .0.display()
    )]
    Legacy(PathBuf),
    /// A wallet is there already.
    #[error("Failed to create database path '{}'. Database already exists.", .0.display())]
    Exists(PathBuf),
    /// The directory cannot be written to.
    #[error("SQLiteDatabase: Failed to open database in directory '{}': directory is not writable", .0.display())]
    NotWritable(PathBuf),
    /// Someone else has it open.
    #[error(
        "SQLiteDatabase: Unable to obtain an exclusive lock on the database, is it being used by another instance of \
         Bitcoin Core?"
    )]
    Locked,
    /// A schema this version does not know.
    #[error("SQLiteDatabase: Unknown sqlite wallet schema version {0}. Only version {SCHEMA_VERSION} is supported")]
    Schema(i64),
    /// The wallet was unloaded.
    #[error("wallet is unloaded")]
    Closed,
    /// The file is damaged.
    #[error("Failed to verify database: {0}; restore the wallet from a backup")]
    Damaged(String),
    /// SQLite failed.
    #[error("SQLiteDatabase: {action}: {source}")]
    Sqlite {
        /// What was being done.
        action: &'static str,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}

/// What to do with a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    /// Write it, in place of an earlier one.
    Put(Vec<u8>, Vec<u8>),
    /// Remove it.
    Erase(Vec<u8>),
}

/// Key and value of a record.
pub(crate) type Record = (Vec<u8>, Vec<u8>);

/// An open wallet file.
pub(crate) struct Database {
    /// `None` once closed.
    connection: Option<Connection>,
    path: PathBuf,
}

impl Database {
    /// Makes a wallet file in `directory`, which is created if missing.
    pub(crate) fn create(directory: &Path, network: Network, unsafe_sync: bool) -> Result<Self, DbError> {
        if inspect(directory, network).is_ok() {
            return Err(DbError::Exists(directory.to_owned()));
        }
        fs::create_dir_all(directory).map_err(|_| DbError::NotWritable(directory.to_owned()))?;
        let database = Database::connect(directory, unsafe_sync)?;
        database.sql(
            "Failed to create new database",
            &format!(
                "BEGIN; CREATE TABLE main(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL); \
                 PRAGMA application_id = {}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT",
                application_id(network) as i32
            ),
        )?;
        Ok(database)
    }

    /// Opens the wallet file in `directory` and checks it.
    pub(crate) fn open(directory: &Path, network: Network, unsafe_sync: bool) -> Result<Self, DbError> {
        inspect(directory, network)?;
        let database = Database::connect(directory, unsafe_sync)?;
        database.verify()?;
        Ok(database)
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns every record.
    pub(crate) fn records(&self) -> Result<Vec<Record>, DbError> {
        let connection = self.connection()?;
        let read = || {
            let mut statement = connection.prepare("SELECT key, value FROM main")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|source| damaged("Failed to read the records", source))
    }

    /// Carries out `ops` in one transaction; it is on disk when this returns.
    pub(crate) fn write(&mut self, ops: &[Op]) -> Result<(), DbError> {
        if ops.is_empty() {
            return Ok(());
        }
        let connection = self.connection.as_mut().ok_or(DbError::Closed)?;
        let mut write = || {
            let transaction = connection.transaction()?;
            for op in ops {
                match op {
                    Op::Put(key, value) => transaction
                        .prepare_cached("INSERT OR REPLACE INTO main VALUES(?, ?)")?
                        .execute(params![key, value])?,
                    Op::Erase(key) => {
                        transaction.prepare_cached("DELETE FROM main WHERE key = ?")?.execute(params![key])?
                    }
                };
            }
            transaction.commit()
        };
        write().map_err(|source| DbError::Sqlite { action: "Failed to write", source })
    }

    /// Rewrites the file so that erased records leave no trace in it.
    pub(crate) fn rewrite(&self) -> Result<(), DbError> {
        self.sql("Failed to rewrite the database", "VACUUM")
    }

    /// Copies the database, consistent as of now, to another file.
    pub(crate) fn backup(&self, destination: &Path) -> Result<(), DbError> {
        self.connection()?
            .backup(rusqlite::MAIN_DB, destination, None::<fn(rusqlite::backup::Progress)>)
            .map_err(|source| DbError::Sqlite { action: "Failed to back up the database", source })
    }

    /// Releases the file; every later operation fails.
    pub(crate) fn close(&mut self) {
        self.connection = None;
    }

    fn connection(&self) -> Result<&Connection, DbError> {
        self.connection.as_ref().ok_or(DbError::Closed)
    }

    fn connect(directory: &Path, unsafe_sync: bool) -> Result<Self, DbError> {
        if !writable(directory) {
            return Err(DbError::NotWritable(directory.to_owned()));
        }
        let path = directory.join(DATA_FILE);
        let flags =
            OpenFlags::SQLITE_OPEN_FULL_MUTEX | OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connection = Connection::open_with_flags(&path, flags)
            .map_err(|source| DbError::Sqlite { action: "Failed to open database", source })?;
        let lock = || {
            // A lock held by another process is an answer, not something to wait for.
            connection.busy_timeout(Duration::ZERO)?;
            connection.execute_batch("PRAGMA locking_mode = exclusive; BEGIN EXCLUSIVE TRANSACTION; COMMIT")
        };
        lock().map_err(|source| match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => DbError::Locked,
            _ => damaged("Failed to lock the database", source),
        })?;
        let database = Database { connection: Some(connection), path };
        database.sql("Failed to enable fullfsync", "PRAGMA fullfsync = true")?;
        if unsafe_sync {
            warn!(
                "SQLite is configured to not wait for data to be flushed to disk. Data loss and corruption may occur."
            );
            database.sql("Failed to set synchronous mode to OFF", "PRAGMA synchronous = OFF")?;
        }
        debug!(target: "walletdb", "Opened {}", database.path.display());
        Ok(database)
    }

    fn verify(&self) -> Result<(), DbError> {
        let connection = self.connection()?;
        let version = connection
            .query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
            .map_err(|source| damaged("Failed to read the schema version", source))?;
        if version != SCHEMA_VERSION {
            return Err(DbError::Schema(version));
        }
        let problems = connection
            .prepare("PRAGMA integrity_check")
            .and_then(|mut statement| {
                statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()
            })
            .map_err(|source| damaged("Failed to verify database", source))?;
        match problems.iter().find(|line| *line != "ok") {
            Some(problem) => Err(DbError::Damaged(problem.replace('\n', " "))),
            None => Ok(()),
        }
    }

    fn sql(&self, action: &'static str, text: &str) -> Result<(), DbError> {
        self.connection()?.execute_batch(text).map_err(|source| DbError::Sqlite { action, source })
    }
}

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
                found.push((name.to_string_lossy().into_owned(), format));
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
fn inspect(directory: &Path, network: Network) -> Result<(), DbError> {
    if directory.symlink_metadata().is_err() {
        return Err(DbError::NotFound(directory.to_owned()));
    }
    let bad = || DbError::BadFormat(directory.to_owned());
    let mut file = fs::File::open(directory.join(DATA_FILE)).map_err(|_| bad())?;
    let size = file.metadata().map_err(|_| bad())?.len();
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

/// The chain's network magic, read as a big-endian integer.
fn application_id(network: Network) -> u32 {
    u32::from_be_bytes(network.magic().to_bytes())
}

fn writable(directory: &Path) -> bool {
    let probe = directory.join(format!("tmp-{:016x}", rand::random::<u64>()));
    let made = fs::OpenOptions::new().write(true).create_new(true).open(&probe).is_ok();
    made && fs::remove_file(&probe).is_ok()
}

/// SQLite reports damage where it meets it, which can be any statement.
fn damaged(action: &'static str, source: rusqlite::Error) -> DbError {
    match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
            DbError::Damaged(source.to_string())
        }
        _ => DbError::Sqlite { action, source },
    }
}

#[cfg(test)]
mod tests;
