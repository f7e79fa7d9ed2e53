//! The wallet file: one SQLite database with one table of key-value records, as Bitcoin Core lays it out.
//!
//! Separate from the records' meaning ([`crate::records`]): this file knows pages, locks and transactions only.
//!
//! **Invariant:** the file is locked exclusively from open to drop, and a set of operations is written in one durable
//! transaction or not at all. A file of another chain or a damaged one is never written to. What is erased or replaced
//! is overwritten with zeros, in the file and in its journal.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use bitcoin::Network;
use log::{debug, warn};
use rusqlite::{Connection, OpenFlags, params};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use self::list::inspect;
pub(crate) use self::list::{WalletFormat, list_wallets};
use self::lock::{FileLock, Locking};

mod list;
mod lock;

/// Name of the data file inside a wallet's directory.
const DATA_FILE: &str = "wallet.dat";
/// Name of the data file while the wallet is being made. No program takes it for a wallet.
const NEW_FILE: &str = "wallet.dat.new";
/// Value of `user_version`; Core has had no other.
const SCHEMA_VERSION: i64 = 0;
/// SQLite's interface to the system without its file locks: see [`lock`].
const VFS: &str = "unix-none";

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
    /// The file cannot be opened, locked or named.
    #[error("SQLiteDatabase: Failed to open database {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
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
    /// `None` once closed. Before the lock, because fields are dropped in this order.
    connection: Option<Connection>,
    lock: Option<FileLock>,
    path: PathBuf,
    /// Where the file goes once the wallet is complete; until then it is removed when closed.
    unpublished: Option<Unpublished>,
    unsafe_sync: bool,
}

/// A wallet that is being made.
struct Unpublished {
    /// Directory of the wallet.
    directory: PathBuf,
    /// The directory was made for it.
    made_directory: bool,
}

impl Drop for Database {
    fn drop(&mut self) {
        self.close();
    }
}

impl Database {
    /// Makes a wallet file in `directory`, which is created if missing. The file is no wallet for anyone, and removed
    /// when this is closed, until [`Database::publish`].
    pub(crate) fn create(directory: &Path, network: Network, unsafe_sync: bool) -> Result<Self, DbError> {
        if directory.join(DATA_FILE).symlink_metadata().is_ok() {
            return Err(DbError::Exists(directory.to_owned()));
        }
        let made_directory = directory.symlink_metadata().is_err();
        fs::create_dir_all(directory).map_err(|_| DbError::NotWritable(directory.to_owned()))?;
        let unpublished = Some(Unpublished { directory: directory.to_owned(), made_directory });
        let path = directory.join(NEW_FILE);
        let mut database = Database { connection: None, lock: None, path, unpublished, unsafe_sync };
        if let Err(error) = database.make_file() {
            // Another process is making this wallet: the file is that one's.
            if matches!(error, DbError::Locked) {
                database.unpublished = None;
            }
            return Err(error);
        }
        database.connect()?;
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

    /// Makes an empty file and locks it. One that is left from a creation that was cut short is removed.
    fn make_file(&mut self) -> Result<(), DbError> {
        let failed = |error| unusable(&self.path, error);
        if self.path.symlink_metadata().is_ok() {
            let Locking::Done(_left) = FileLock::acquire(&self.path, false).map_err(failed)? else {
                return Err(DbError::Locked);
            };
            remove_file(&journal_of(&self.path));
            fs::remove_file(&self.path).map_err(failed)?;
        }
        match FileLock::acquire(&self.path, true).map_err(failed)? {
            Locking::Done(lock) => self.lock = Some(lock),
            Locking::Taken => return Err(DbError::Locked),
        }
        Ok(())
    }

    /// Makes the file a wallet: from now on it is there, complete, whatever happens.
    pub(crate) fn publish(&mut self) -> Result<(), DbError> {
        let Some(directory) = self.unpublished.as_ref().map(|new| new.directory.clone()) else { return Ok(()) };
        let target = directory.join(DATA_FILE);
        // SQLite knows the file by its name. The lock is on the file itself.
        self.disconnect();
        rename_new(&self.path, &target).and_then(|()| File::open(&directory)?.sync_all()).map_err(
            |error| match error.kind() {
                io::ErrorKind::AlreadyExists => DbError::Exists(directory.clone()),
                _ => unusable(&target, error),
            },
        )?;
        self.path = target;
        self.unpublished = None;
        self.connect()
    }

    /// Opens the wallet file in `directory` and checks it. Waits a few seconds for another process that is about to close
    /// it.
    pub(crate) fn open(directory: &Path, network: Network, unsafe_sync: bool) -> Result<Self, DbError> {
        inspect(directory, network)?;
        let path = directory.join(DATA_FILE);
        if !writable(directory) {
            return Err(DbError::NotWritable(directory.to_owned()));
        }
        let lock = match FileLock::acquire(&path, false).map_err(|error| unusable(&path, error))? {
            Locking::Done(lock) => Some(lock),
            Locking::Taken => return Err(DbError::Locked),
        };
        // It may be another file than before the wait.
        inspect(directory, network)?;
        let mut database = Database { connection: None, lock, path, unpublished: None, unsafe_sync };
        if !has_content(&journal_of(&database.path)) {
            // Opening for writing may already change a damaged file.
            let uri = format!("file:{}?immutable=1", percent_encoded(&database.path));
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            let reader = Connection::open_with_flags_and_vfs(uri, flags, VFS)
                .map_err(|source| DbError::Sqlite { action: "Failed to open database", source })?;
            verify(&reader)?;
            verify_length(&reader, &database.path)?;
            database.connect()?;
        } else {
            // What was being written when the last process ended is taken back first.
            database.connect()?;
            verify(database.connection()?)?;
        }
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

    /// Rewrites the file, so that no part of it that is not in use holds anything.
    pub(crate) fn rewrite(&self) -> Result<(), DbError> {
        // The page cache still has the pages of before.
        self.sql("Failed to rewrite the database", "VACUUM; PRAGMA shrink_memory")
    }

    /// Copies the database, consistent as of now, to another file.
    pub(crate) fn backup(&self, destination: &Path) -> Result<(), DbError> {
        self.connection()?
            .backup(rusqlite::MAIN_DB, destination, None::<fn(rusqlite::backup::Progress)>)
            .map_err(|source| DbError::Sqlite { action: "Failed to back up the database", source })
    }

    /// Releases the file; every later operation fails. A wallet that was never complete leaves nothing behind.
    pub(crate) fn close(&mut self) {
        self.disconnect();
        if let Some(Unpublished { directory, made_directory }) = self.unpublished.take() {
            remove_file(&self.path);
            if made_directory {
                // Stays where somebody has put something into it meanwhile.
                let _ = fs::remove_dir(&directory);
            }
        }
        self.lock = None;
    }

    /// Closes the connection, and removes the journal that SQLite leaves, empty, unless it is still needed.
    fn disconnect(&mut self) {
        let journal = journal_of(&self.path);
        if self.connection.take().is_some() && (self.unpublished.is_some() || !has_content(&journal)) {
            remove_file(&journal);
        }
    }

    fn connection(&self) -> Result<&Connection, DbError> {
        self.connection.as_ref().ok_or(DbError::Closed)
    }

    /// Opens the file, which is locked, for reading and writing.
    fn connect(&mut self) -> Result<(), DbError> {
        let flags = OpenFlags::SQLITE_OPEN_FULL_MUTEX | OpenFlags::SQLITE_OPEN_READ_WRITE;
        let connection = Connection::open_with_flags_and_vfs(&self.path, flags, VFS)
            .map_err(|source| DbError::Sqlite { action: "Failed to open database", source })?;
        self.connection = Some(connection);
        // Nobody else has the file, so pages read once stay valid. A journal that is cut to nothing at the end of each
        // transaction keeps no old pages, and temporary files with pages of the wallet are not made.
        self.sql(
            "Failed to set up the database",
            "PRAGMA locking_mode = exclusive; PRAGMA journal_mode = truncate; PRAGMA secure_delete = on; \
             PRAGMA temp_store = memory; PRAGMA fullfsync = true",
        )?;
        if self.unsafe_sync {
            warn!(
                "SQLite is configured to not wait for data to be flushed to disk. Data loss and corruption may occur."
            );
            self.sql("Failed to set synchronous mode to OFF", "PRAGMA synchronous = OFF")?;
        }
        debug!(target: "walletdb", "Opened {}", self.path.display());
        Ok(())
    }

    fn sql(&self, action: &'static str, text: &str) -> Result<(), DbError> {
        self.connection()?.execute_batch(text).map_err(|source| DbError::Sqlite { action, source })
    }
}

/// The chain's network magic, read as a big-endian integer.
fn application_id(network: Network) -> u32 {
    u32::from_be_bytes(network.magic().to_bytes())
}

/// Checks schema version and structure.
fn verify(connection: &Connection) -> Result<(), DbError> {
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

/// Checks that the file ends with a whole page. SQLite takes zeros for what is missing of the last one, and its own check
/// does not look at the content of records.
fn verify_length(connection: &Connection, path: &Path) -> Result<(), DbError> {
    let page: i64 = connection
        .query_row("PRAGMA page_size", [], |row| row.get(0))
        .map_err(|source| damaged("Failed to read the page size", source))?;
    let length = path.metadata().map_err(|error| unusable(path, error))?.len();
    match length.checked_rem(page.unsigned_abs()) {
        Some(0) => Ok(()),
        _ => Err(DbError::Damaged(format!("the file ends within a page ({length} bytes, pages of {page})"))),
    }
}

/// Path of SQLite's rollback journal: beside the file itself, not beside a link to it.
fn journal_of(path: &Path) -> PathBuf {
    let mut journal = path.canonicalize().unwrap_or_else(|_| path.to_owned()).into_os_string();
    journal.push("-journal");
    journal.into()
}

/// Returns whether a file is there and not empty.
fn has_content(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.len() > 0)
}

/// Encodes what has a meaning of its own in a SQLite URI, and bytes that are no text.
fn percent_encoded(path: &Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte);
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    bytes.map(|byte| if plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02x}") }).collect()
}

/// Gives a file its name unless another has that name.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system can refuse by itself.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) if to.symlink_metadata().is_err() => {
            fs::rename(from, to)
        }
        result => Ok(result?),
    }
}

/// Removes a file that need not be there.
fn remove_file(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => warn!("cannot remove {}: {error}", path.display()),
        _ => {}
    }
}

/// The system refuses to open, lock or name a file.
fn unusable(path: &Path, source: io::Error) -> DbError {
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            DbError::NotWritable(path.parent().unwrap_or(path).to_owned())
        }
        io::ErrorKind::InvalidInput => DbError::BadFormat(path.parent().unwrap_or(path).to_owned()),
        _ => DbError::File { path: path.to_owned(), source },
    }
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
