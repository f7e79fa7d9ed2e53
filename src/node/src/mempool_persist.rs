//! Keeps the mempool over a restart (`-persistmempool`): reads `mempool.dat` at the start, writes it at the end and on
//! `savemempool`. A damaged file is reported and forgotten; it never keeps the node from starting.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bitcoin::SignedAmount;
use kernel::{AcceptResult, Kernel};

use crate::mempool_file::{self, Entry, MempoolFile};

/// Name of the file inside the chain's data directory.
const FILE_NAME: &str = "mempool.dat";

/// What to apply of a file; all of it at the start, what the user chose with `importmempool`.
#[derive(Debug, Clone, Copy)]
pub struct ImportOptions {
    /// Give transactions the current time instead of their own.
    pub use_current_time: bool,
    /// Apply the file's fee deltas.
    pub apply_fee_deltas: bool,
    /// Take over what was not announced yet.
    pub apply_unbroadcast: bool,
}

impl Default for ImportOptions {
    fn default() -> Self {
        ImportOptions { use_current_time: false, apply_fee_deltas: true, apply_unbroadcast: true }
    }
}

/// Why the mempool could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened, written or renamed.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file's content cannot be read.
    #[error("{0}")]
    Content(String),
    /// The engine could not answer.
    #[error("{0}")]
    Engine(#[from] kernel::Error),
}

/// Returns where the mempool of a chain is kept.
pub fn path(net_datadir: &Path) -> PathBuf {
    net_datadir.join(FILE_NAME)
}

/// Submits the transactions of a file. `expiry` is the age in seconds from which on they are left out; `stop` is asked
/// after each.
pub fn load(
    kernel: &Kernel,
    path: &Path,
    expiry: i64,
    options: ImportOptions,
    stop: &dyn Fn() -> bool,
) -> Result<(), Error> {
    let bytes = fs::read(path).map_err(|source| {
        log::info!("Failed to open mempool file. Continuing anyway.");
        Error::File { path: path.to_owned(), source }
    })?;
    let file = MempoolFile::decode(bytes).map_err(|error: mempool_file::Error| {
        log::info!("Failed to deserialize mempool data on file: {error}. Continuing anyway.");
        Error::Content(error.to_string())
    })?;
    let total = file.entries.len();
    log::info!("Loading {total} mempool transactions from file...");
    let now = common::clock::now();
    let (mut count, mut failed, mut expired, mut already_there, mut unbroadcast) = (0, 0, 0, 0, 0);
    let mut reported = 0;
    for (tried, Entry { transaction, time, fee_delta }) in file.entries.into_iter().enumerate() {
        let percent = 100 * tried / total;
        if reported < percent / 10 {
            log::info!(
                "Progress loading mempool transactions from file: {percent}% (tried {tried}, {} remaining)",
                total - tried
            );
            reported = percent / 10;
        }
        let time = if options.use_current_time { now } else { time };
        let txid = transaction.compute_txid();
        if fee_delta != 0 && options.apply_fee_deltas {
            kernel.prioritise(&txid, SignedAmount::from_sat(fee_delta))?;
        }
        if time <= now - expiry {
            expired += 1;
        } else if let AcceptResult::Accepted(_) = kernel.accept_stored_transaction(&transaction, time)? {
            count += 1;
        } else if kernel.mempool_contains(&txid)? {
            already_there += 1;
        } else {
            failed += 1;
        }
        if stop() {
            return Ok(());
        }
    }
    if options.apply_fee_deltas {
        for (txid, delta) in file.deltas {
            kernel.prioritise(&txid, SignedAmount::from_sat(delta))?;
        }
    }
    if options.apply_unbroadcast {
        unbroadcast = file.unbroadcast.len();
        for txid in file.unbroadcast {
            if kernel.mempool_contains(&txid)? {
                kernel.set_unbroadcast(&txid, true)?;
            }
        }
    }
    log::info!(
        "Imported mempool transactions from file: {count} succeeded, {failed} failed, {expired} expired, \
         {already_there} already there, {unbroadcast} waiting for initial broadcast"
    );
    Ok(())
}

/// Writes the mempool, by way of a new file beside the old one. `plain` leaves out the obfuscation
/// (`-persistmempoolv1`).
pub fn dump(kernel: &Kernel, path: &Path, plain: bool) -> Result<(), Error> {
    let start = Instant::now();
    let mut file = MempoolFile::default();
    for kernel::MempoolTransaction { transaction, time, fee: _, fee_delta } in kernel.mempool_transactions()? {
        file.entries.push(Entry { transaction, time, fee_delta: fee_delta.to_sat() });
    }
    for kernel::Prioritisation { txid, delta, modified_fee } in kernel.prioritisations()? {
        if modified_fee.is_none() {
            file.deltas.insert(txid, delta.to_sat());
        }
    }
    file.unbroadcast.extend(kernel.unbroadcast()?);
    let copied = start.elapsed();
    log::info!("Writing {} mempool transactions to file...", file.entries.len());
    log::info!("Writing {} unbroadcast transactions to file.", file.unbroadcast.len());
    let bytes = file.encode((!plain).then(rand::random));
    let size = bytes.len();
    common::replace_file::replace(path, ".new", &bytes).map_err(|error| {
        let source = std::io::Error::from(error);
        log::info!("Failed to dump mempool: {source}. Continuing anyway.");
        Error::File { path: path.to_owned(), source }
    })?;
    log::info!(
        "Dumped mempool: {:.3}s to copy, {:.3}s to dump, {size} bytes dumped to file",
        copied.as_secs_f64(),
        (start.elapsed() - copied).as_secs_f64()
    );
    Ok(())
}
