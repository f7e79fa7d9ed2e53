//! Room on the disks: a warning where a new node's will not do, and the end of a running one before its disk is full.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::args::Args;
use common::chain::Chain;

use crate::shutdown::Shutdown;
use crate::{NodeContext, ui};

/// Bytes that must be left.
const LEAST: u64 = 50 << 20;
/// Time between two looks.
const INTERVAL: Duration = Duration::from_secs(5 * 60);

/// Says whether there is room for `wanted` bytes and those that must be left. A disk that does not tell has it.
fn has_room(directory: &Path, wanted: u64) -> bool {
    let Ok(disk) = rustix::fs::statvfs(directory) else { return true };
    disk.f_bavail.saturating_mul(disk.f_frsize) >= LEAST.saturating_add(wanted)
}

/// Warns at the first start where the chain will not fit.
pub(crate) fn warn_if_small(args: &Args, context: &NodeContext, height: u32) {
    // What the chain's blocks take in GB, as of this version.
    let size = match context.chain {
        Chain::Main => 856,
        Chain::Test => 245,
        Chain::Testnet4 => 31,
        Chain::Signet if !args.is_set("signetchallenge") => 24,
        Chain::Signet | Chain::Regtest => 0,
    };
    if height > 1 || args.get_bool("reindex") || args.get_bool("reindex-chainstate") {
        return;
    }
    let wanted = match args.get_int("prune") {
        // By hand only: everything at first.
        0 | 1 => size << 30,
        megabytes => (size << 30).min(megabytes.max(0).unsigned_abs() << 20),
    };
    if !has_room(&context.blocks_dir, wanted) {
        ui::warning(&format!(
            "Disk space for \"{}\" may not accommodate the block files. Approximately {size} GB of data will be stored \
             in this directory.",
            context.blocks_dir.display()
        ));
    }
}

/// Looks at the room for block files from time to time.
#[derive(Default)]
pub struct DiskWatch {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Time that tests let pass.
    skipped: Duration,
    stopped: bool,
}

impl DiskWatch {
    /// Starts the thread; it ends when the program is to end, by itself or because of what it saw.
    pub(crate) fn start(
        self: &Arc<Self>,
        blocks_dir: &Path,
        shutdown: &Arc<Shutdown>,
    ) -> std::io::Result<JoinHandle<()>> {
        let (watch, directory) = (self.clone(), blocks_dir.to_owned());
        let thread = std::thread::Builder::new().name("scheduler".to_owned()).spawn({
            let shutdown = shutdown.clone();
            move || {
                while watch.wait() {
                    if !has_room(&directory, 0) {
                        log::error!("Shutting down due to lack of disk space!");
                        shutdown.request();
                    }
                }
            }
        })?;
        let watch = self.clone();
        shutdown.on_request(move || {
            watch.lock().stopped = true;
            watch.changed.notify_all();
        });
        Ok(thread)
    }

    /// Lets so much time pass.
    pub(crate) fn advance(&self, time: Duration) {
        self.lock().skipped += time;
        self.changed.notify_all();
    }

    /// Waits until it is time for a look; false at the end.
    fn wait(&self) -> bool {
        let start = Instant::now();
        let mut state = self.lock();
        loop {
            if state.stopped {
                return false;
            }
            let Some(left) = INTERVAL.checked_sub(start.elapsed() + state.skipped).filter(|left| !left.is_zero())
            else {
                state.skipped = Duration::ZERO;
                return true;
            };
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!has_room(dir.path(), u64::MAX));
        assert!(has_room(&dir.path().join("missing"), u64::MAX));
    }
}
