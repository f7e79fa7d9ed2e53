//! Receivers of events that remember them.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bitcoin::{BlockHash, Transaction, Txid};
use interfaces::{ChainNotifications, ConnectedBlock, MempoolRemovalReason, Result, WalletNotifications};

/// How long an event may take to arrive.
const LIMIT: Duration = Duration::from_secs(30);

/// An event of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the methods of ChainNotifications")]
pub enum ChainEvent {
    Added(Transaction, u64),
    Removed(Transaction, MempoolRemovalReason, u64),
    Connected(ConnectedBlock),
    Disconnected(ConnectedBlock),
    Flushed(Vec<BlockHash>),
}

/// An event of a wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the methods of WalletNotifications")]
pub enum WalletEvent {
    Transaction(Txid),
    Status,
    Unloaded,
}

/// Events received so far.
struct Log<T> {
    events: Mutex<Vec<T>>,
    changed: Condvar,
}

impl<T: Clone> Log<T> {
    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, event: T) -> Result<()> {
        self.lock().push(event);
        self.changed.notify_all();
        Ok(())
    }

    fn wait(&self, count: usize) -> Vec<T> {
        let events = self.lock();
        let done = self.changed.wait_timeout_while(events, LIMIT, |events| events.len() < count);
        let (events, timeout) = done.unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "{} of {count} events arrived", events.len());
        events.clone()
    }
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Log { events: Mutex::default(), changed: Condvar::new() }
    }
}

/// Remembers the events of a chain.
#[derive(Default)]
pub struct ChainRecorder(Log<ChainEvent>);

impl ChainRecorder {
    /// Waits for `count` events and returns all so far.
    pub fn wait(&self, count: usize) -> Vec<ChainEvent> {
        self.0.wait(count)
    }

    /// Returns the events so far.
    pub fn events(&self) -> Vec<ChainEvent> {
        self.0.lock().clone()
    }
}

impl ChainNotifications for ChainRecorder {
    fn transaction_added(&self, transaction: Transaction, sequence: u64) -> Result<()> {
        self.0.push(ChainEvent::Added(transaction, sequence))
    }

    fn transaction_removed(&self, transaction: Transaction, reason: MempoolRemovalReason, sequence: u64) -> Result<()> {
        self.0.push(ChainEvent::Removed(transaction, reason, sequence))
    }

    fn block_connected(&self, connected: ConnectedBlock) -> Result<()> {
        self.0.push(ChainEvent::Connected(connected))
    }

    fn block_disconnected(&self, disconnected: ConnectedBlock) -> Result<()> {
        self.0.push(ChainEvent::Disconnected(disconnected))
    }

    fn chain_state_flushed(&self, locator: Vec<BlockHash>) -> Result<()> {
        self.0.push(ChainEvent::Flushed(locator))
    }
}

/// Remembers the events of a wallet.
#[derive(Default)]
pub struct WalletRecorder(Log<WalletEvent>);

impl WalletRecorder {
    /// Waits for `count` events and returns all so far.
    pub fn wait(&self, count: usize) -> Vec<WalletEvent> {
        self.0.wait(count)
    }
}

impl WalletNotifications for WalletRecorder {
    fn transaction_changed(&self, txid: Txid) -> Result<()> {
        self.0.push(WalletEvent::Transaction(txid))
    }

    fn status_changed(&self) -> Result<()> {
        self.0.push(WalletEvent::Status)
    }

    fn unloaded(&self) -> Result<()> {
        self.0.push(WalletEvent::Unloaded)
    }
}
