//! The handle: opening, using from any thread, stopping.

use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use bitcoin::hashes::Hash;
use cxx::UniquePtr;

use crate::events::{EventSink, in_handler, refuse_in_handler};
use crate::logging::{self, LogSink};
use crate::{Chain, Error, Events, FeeRate, LoadError, Options, ffi};

/// Least bytes of cache; the engine cannot start with none.
const MIN_DB_CACHE: u64 = 4 << 20;

/// Most script threads the engine takes, the one that asks included.
const MAX_SCRIPT_THREADS: i32 = 16;

/// Bitcoin Core's chain, UTXO set and mempool of one data directory.
///
/// A cheap handle: clones share one engine. The engine stops with [`shutdown`](Kernel::shutdown) or with the last
/// clone; calls that run then are finished first.
#[derive(Clone)]
pub struct Kernel {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kernel").finish_non_exhaustive()
    }
}

impl Kernel {
    /// Opens the data directory, makes what is missing, loads the block index and the UTXO set and verifies the last
    /// blocks. Reports what it does through [`Events::status`], [`Events::progress`] and the log.
    ///
    /// The chain may be behind the stored blocks afterwards, and is empty in a new data directory: call
    /// [`import_blocks`](Kernel::import_blocks) next.
    pub fn load(options: Options, events: Arc<dyn Events>, log: Arc<dyn LogSink>) -> Result<Kernel, LoadError> {
        logging::set_sink(log);
        for dir in [&options.net_datadir, &options.blocks_dir] {
            std::fs::create_dir_all(dir).map_err(|source| LoadError::Directory { path: dir.clone(), source })?;
        }
        let engine = ffi::new_engine(&load_options(&options), Box::new(EventSink::new(events)))?;
        let closed = Arc::new(Closed::default());
        let engine = Arc::new(Engine { engine, closed: closed.clone() });
        options.interrupt.attach(&engine);
        let result = engine.load()?;
        match result.status {
            ffi::LoadStatus::Success => {}
            ffi::LoadStatus::Options => return Err(LoadError::Options(result.message)),
            ffi::LoadStatus::Failure => return Err(LoadError::Corrupted(result.message)),
            ffi::LoadStatus::Incompatible => return Err(LoadError::Incompatible(result.message)),
            ffi::LoadStatus::InsufficientCache => return Err(LoadError::InsufficientCache(result.message)),
            ffi::LoadStatus::Interrupted => return Err(LoadError::Interrupted),
            _ => return Err(LoadError::Fatal(result.message)),
        }
        Ok(Kernel {
            inner: Arc::new(Inner { engine: Mutex::new(Some(engine)), stopping: AtomicBool::new(false), closed }),
        })
    }

    /// Brings the chain up to the blocks that are stored: reads all block files after a reindex was asked for, then
    /// `files` (`-loadblock`), then connects what has the most work. Returns when that is done or interrupted. A new
    /// data directory has its genesis block afterwards.
    pub fn import_blocks(&self, files: &[PathBuf]) -> Result<(), Error> {
        refuse_in_handler()?;
        let files: Vec<ffi::Bytes> = files.iter().map(|file| ffi::Bytes { data: path_bytes(file) }).collect();
        self.call(|engine| engine.import_blocks(&files))
    }

    /// Writes everything to disk, keeping the caches.
    pub fn flush(&self) -> Result<(), Error> {
        self.call(|engine| engine.flush())
    }

    /// Waits until every event that happened before the call is delivered.
    pub fn sync_events(&self) -> Result<(), Error> {
        refuse_in_handler()?;
        self.call(|engine| engine.sync_events())
    }

    /// Stops long operations: loading, importing, verifying, scanning. Same as [`Interrupt::interrupt`] on the handle in
    /// [`Options::interrupt`].
    pub fn interrupt(&self) {
        if let Ok(engine) = self.engine() {
            engine.interrupt();
        }
    }

    /// Writes the state to disk, delivers the events that are left, waits for calls of other threads and closes the
    /// databases. Handlers of those events may still ask. Calls after that, a second `shutdown` among them, answer
    /// [`Error::Closed`].
    pub fn shutdown(&self) -> Result<(), Error> {
        refuse_in_handler()?;
        self.inner.shutdown()
    }

    /// Calls the engine.
    pub(crate) fn call<T>(&self, call: impl FnOnce(&ffi::Engine) -> Result<T, cxx::Exception>) -> Result<T, Error> {
        Ok(call(&*self.engine()?)?)
    }

    /// Returns the engine; it stays while the caller holds it.
    pub(crate) fn engine(&self) -> Result<Arc<Engine>, Error> {
        self.inner.lock().clone().ok_or(Error::Closed)
    }
}

/// What the clones of a handle share.
struct Inner {
    engine: Mutex<Option<Arc<Engine>>>,
    stopping: AtomicBool,
    closed: Arc<Closed>,
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Option<Arc<Engine>>> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shutdown(&self) -> Result<(), Error> {
        if self.stopping.swap(true, Ordering::AcqRel) {
            return Err(Error::Closed);
        }
        let engine = self.lock().clone().ok_or(Error::Closed)?;
        engine.interrupt();
        // Handlers of the last events may ask, so the handle closes only after they ran.
        let stopped = engine.stop();
        drop(engine);
        self.lock().take();
        self.closed.wait();
        Ok(stopped?)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let engine = self.lock().take();
        if let Some(engine) = engine {
            engine.interrupt();
            if in_handler() {
                // The last handle went in an event handler, whose thread the engine waits for when it ends.
                drop(std::thread::Builder::new().name("shutoff".to_owned()).spawn(move || drop(engine)));
            }
        }
    }
}

/// The engine; dropping it writes the state and closes the databases.
pub(crate) struct Engine {
    engine: UniquePtr<ffi::Engine>,
    closed: Arc<Closed>,
}

impl Deref for Engine {
    type Target = ffi::Engine;

    fn deref(&self) -> &ffi::Engine {
        self.engine.as_ref().expect("set by load, taken by drop only")
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.engine = UniquePtr::null();
        self.closed.set();
    }
}

/// Becomes true when the engine is gone, whichever thread let go of it last.
#[derive(Default)]
struct Closed {
    closed: Mutex<bool>,
    changed: Condvar,
}

impl Closed {
    fn set(&self) {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    fn wait(&self) {
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_while(closed, |closed| !*closed);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// Stops an engine's long operations, from any thread, before and after it is loaded.
#[derive(Clone, Default)]
pub struct Interrupt {
    state: Arc<InterruptState>,
}

#[derive(Default)]
struct InterruptState {
    interrupted: AtomicBool,
    engine: Mutex<Weak<Engine>>,
}

impl Interrupt {
    /// Makes one that is not interrupted.
    pub fn new() -> Interrupt {
        Interrupt::default()
    }

    /// Interrupts, for good.
    pub fn interrupt(&self) {
        self.state.interrupted.store(true, Ordering::SeqCst);
        let engine = self.state.engine.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        if let Some(engine) = engine {
            engine.interrupt();
        }
    }

    /// Says whether [`interrupt`](Self::interrupt) was called.
    pub fn is_interrupted(&self) -> bool {
        self.state.interrupted.load(Ordering::SeqCst)
    }

    fn attach(&self, engine: &Arc<Engine>) {
        *self.state.engine.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(engine);
        if self.is_interrupted() {
            engine.interrupt();
        }
    }
}

impl std::fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Interrupt").field(&self.is_interrupted()).finish()
    }
}

/// Sets the engine's clock to a fixed Unix time, or back to the system's. Holds for the process.
pub fn set_mock_time(time: Option<i64>) {
    // Fails on nothing: the engine stores a number.
    let _ = ffi::set_clock(time.unwrap_or(0).max(0));
}

fn path_bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}

/// Script threads besides the one that asks, from what `-par` says.
fn worker_threads(par: i32) -> i32 {
    let cores = std::thread::available_parallelism().map_or(1, |n| i32::try_from(n.get()).unwrap_or(i32::MAX));
    let threads = if par > 0 { par } else { cores.saturating_add(par) };
    threads.clamp(1, MAX_SCRIPT_THREADS) - 1
}

fn load_options(options: &Options) -> ffi::LoadOptions {
    let mempool = &options.mempool;
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    ffi::LoadOptions {
        chain: match options.chain {
            Chain::Main => 0,
            Chain::Test => 1,
            Chain::Testnet4 => 2,
            Chain::Signet => 3,
            Chain::Regtest => 4,
        },
        net_datadir: path_bytes(&options.net_datadir),
        blocks_dir: path_bytes(&options.blocks_dir),
        db_cache: options.db_cache.max(MIN_DB_CACHE),
        db_batch: options.db_batch,
        crash_ratio: options.crash_ratio.unwrap_or(0),
        force_compact: options.force_compact,
        worker_threads: worker_threads(options.par),
        prevout_fetch_threads: options.prevout_fetch_threads,
        reindex: options.reindex,
        reindex_chainstate: options.reindex_chainstate,
        prune: options.prune,
        has_assume_valid: options.assume_valid.is_some(),
        assume_valid: options.assume_valid.map_or([0; 32], |hash| hash.to_byte_array()),
        has_minimum_chain_work: options.minimum_chain_work.is_some(),
        minimum_chain_work: options.minimum_chain_work.map_or([0; 32], |work| work.to_be_bytes()),
        require_full_verification: options.check_blocks.is_some() || options.check_level.is_some(),
        check_blocks: options.check_blocks.unwrap_or(6),
        check_level: options.check_level.unwrap_or(3),
        max_tip_age: options.max_tip_age,
        blocks_xor: options.blocks_xor,
        fast_prune: options.fast_prune,
        stop_at_height: options.stop_at_height.map_or(0, |height| i32::try_from(height).unwrap_or(i32::MAX)),
        check_block_index: options.check_block_index.unwrap_or(-1),
        signature_cache: options.signature_cache,
        has_signet_challenge: options.signet_challenge.is_some(),
        signet_challenge: options.signet_challenge.clone().unwrap_or_default(),
        version_bits: options
            .version_bits
            .iter()
            .map(|bits| ffi::VersionBits {
                deployment: bits.deployment.clone(),
                start_time: bits.start_time,
                timeout: bits.timeout,
                min_activation_height: bits.min_activation_height,
            })
            .collect(),
        activation_heights: options
            .activation_heights
            .iter()
            .map(|(deployment, height)| ffi::ActivationHeight {
                deployment: deployment.clone(),
                height: i32::try_from(*height).unwrap_or(i32::MAX),
            })
            .collect(),
        bip94: options.bip94,
        mempool: ffi::MempoolLimits {
            max_size: signed(mempool.max_size),
            expiry: mempool.expiry,
            min_relay_fee: mempool.min_relay_fee.map_or(-1, FeeRate::to_sat_per_kvb),
            incremental_fee: mempool.incremental_fee.to_sat_per_kvb(),
            dust_fee: mempool.dust_fee.to_sat_per_kvb(),
            require_standard: mempool.require_standard,
            has_datacarrier: mempool.max_datacarrier.is_some(),
            max_datacarrier: mempool.max_datacarrier.unwrap_or(0),
            permit_bare_multisig: mempool.permit_bare_multisig,
            cluster_count: mempool.cluster_count,
            cluster_size: signed(mempool.cluster_size),
            ancestor_count: signed(mempool.ancestor_count),
            descendant_count: signed(mempool.descendant_count),
            check_ratio: mempool.check_ratio.unwrap_or(-1),
            bytes_per_sigop: mempool.bytes_per_sigop,
        },
    }
}
