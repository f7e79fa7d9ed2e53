//! One open wallet: its state behind a lock, the chain it follows, and the operations on it, one file each.
//!
//! **Invariant:** the lock is never held while waiting for chain events to be delivered, and never across a callback.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bitcoin::BlockHash;
use interfaces::{Chain, Subscription};

use crate::error::{Error, Result};
use crate::events::{Event, Events};
use crate::options::Options;
use crate::state::State;

pub(crate) mod address;
pub(crate) mod behind;
pub(crate) mod coins;
mod draft;
pub(crate) mod encrypt;
pub(crate) mod follow;
pub(crate) mod import;
pub(crate) mod load;
pub(crate) mod scan;
pub(crate) mod sign;
pub(crate) mod spend;

/// One open wallet.
pub(crate) struct Wallet {
    /// Name, relative to the wallet directory.
    pub(crate) name: String,
    /// Its directory.
    pub(crate) directory: PathBuf,
    pub(crate) options: Arc<Options>,
    pub(crate) chain: Arc<dyn Chain>,
    pub(crate) scan: scan::Progress,
    pub(crate) events: Events,
    /// Held while keys must stay readable: relocking waits for it.
    pub(crate) relock: Mutex<()>,
    state: Mutex<State>,
    /// Held by who pays. Taken before `state`.
    paying: Mutex<()>,
    subscription: Mutex<Option<Arc<dyn Subscription>>>,
    /// Keeps the node's warning up while the wallet is behind.
    warning: Mutex<Option<Arc<dyn Subscription>>>,
    pub(crate) closed: AtomicBool,
    /// When unconfirmed payments are offered again, Unix seconds.
    pub(crate) next_resend: AtomicI64,
    /// The past is taken in; only now may the file say how far the chain was followed.
    caught_up: AtomicBool,
}

impl Wallet {
    /// Locks the state.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock leaves a state that matches the file: changes are applied after they are written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until everything that happened on the chain before the call has reached the wallet. `known` is the chain's
    /// tip if the caller knows it.
    pub(crate) fn sync_with_chain(&self, known: Option<BlockHash>) -> Result<()> {
        let tip = self.state().tip.map(|tip| tip.hash);
        if tip.is_some() && tip == known {
            return Ok(());
        }
        Ok(self.chain.sync_notifications(tip)?)
    }

    /// Tells subscribers what changed.
    pub(crate) fn publish(&self, mut state: MutexGuard<'_, State>) {
        let mut touched = std::mem::take(&mut state.touched);
        drop(state);
        touched.sort_unstable();
        touched.dedup();
        touched.into_iter().for_each(|txid| self.events.send(Event::Transaction(txid)));
    }

    /// Refuses once the wallet is unloaded.
    pub(crate) fn ensure_open(&self) -> Result<()> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(Error::Chain(interfaces::Error::internal("wallet is unloaded")));
        }
        Ok(())
    }

    /// Stops following the chain and records how far it was followed.
    pub(crate) fn close(&self) {
        if self.closed.swap(true, Ordering::SeqCst) {
            return;
        }
        self.scan.abort();
        drop(self.subscription.lock().unwrap_or_else(PoisonError::into_inner).take());
        drop(self.warning.lock().unwrap_or_else(PoisonError::into_inner).take());
        let mut state = self.state();
        if let Err(error) = self.write_best_block(&mut state) {
            log::warn!("[{}] cannot record the last block: {error}", self.name);
        }
        state.finish_rewrite();
        state.master = None;
        state.db.close();
        drop(state);
        self.events.send(Event::Unloaded);
    }

    /// Logs a line that names the wallet.
    pub(crate) fn log(&self, text: &str) {
        log::info!("[{}] {text}", if self.name.is_empty() { "default wallet" } else { &self.name });
    }
}
