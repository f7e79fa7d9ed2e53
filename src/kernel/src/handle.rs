//! The handle: opening, using from any thread, stopping.

use std::path::PathBuf;
use std::sync::Arc;

use crate::logging::LogSink;
use crate::{Error, Events, LoadError, Options};

/// Bitcoin Core's chain, UTXO set and mempool of one data directory.
///
/// A cheap handle: clones share one engine. The engine stops with [`shutdown`](Kernel::shutdown) or with the last
/// clone; calls that run then are finished first.
#[derive(Clone)]
pub struct Kernel {}

impl Kernel {
    /// Opens the data directory, makes what is missing, loads the block index and the UTXO set and verifies the last
    /// blocks. Reports what it does through [`Events::progress`] and the log.
    ///
    /// The chain may be behind the stored blocks afterwards, and is empty in a new data directory: call
    /// [`import_blocks`](Kernel::import_blocks) next.
    pub fn load(options: Options, events: Arc<dyn Events>, log: Arc<dyn LogSink>) -> Result<Kernel, LoadError> {
        let _ = (options, events, log);
        unimplemented!()
    }

    /// Brings the chain up to the blocks that are stored: reads all block files after a reindex was asked for, then
    /// `files` (`-loadblock`), then connects what has the most work. Returns when that is done or interrupted. A new
    /// data directory has its genesis block afterwards.
    pub fn import_blocks(&self, files: &[PathBuf]) -> Result<(), Error> {
        let _ = files;
        unimplemented!()
    }

    /// Writes everything to disk, keeping the caches.
    pub fn flush(&self) -> Result<(), Error> {
        unimplemented!()
    }

    /// Waits until every event that happened before the call is delivered.
    pub fn sync_events(&self) -> Result<(), Error> {
        unimplemented!()
    }

    /// Stops long operations: loading, importing, verifying, scanning. Same as [`Interrupt::interrupt`] on the handle in
    /// [`Options::interrupt`].
    pub fn interrupt(&self) {
        unimplemented!()
    }

    /// Writes the state to disk, delivers the events that are left, waits for calls of other threads and closes the
    /// databases. Calls after that, a second `shutdown` among them, answer [`Error::Closed`].
    pub fn shutdown(&self) -> Result<(), Error> {
        unimplemented!()
    }
}

/// Stops an engine's long operations, from any thread, before and after it is loaded.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {}

impl Interrupt {
    /// Makes one that is not interrupted.
    pub fn new() -> Interrupt {
        Interrupt {}
    }

    /// Interrupts, for good.
    pub fn interrupt(&self) {
        unimplemented!()
    }

    /// Says whether [`interrupt`](Self::interrupt) was called.
    pub fn is_interrupted(&self) -> bool {
        unimplemented!()
    }
}

/// Sets the engine's clock to a fixed Unix time, or back to the system's. Holds for the process.
pub fn set_mock_time(time: Option<i64>) {
    let _ = time;
    unimplemented!()
}
