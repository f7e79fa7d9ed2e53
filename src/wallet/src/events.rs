//! Tells subscribers of a wallet what happened, on a thread of its own, in order, with no lock held.
//!
//! **Invariant:** a slow or broken subscriber delays no wallet operation; after a subscription is dropped no further
//! callback starts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use bitcoin::Txid;
use interfaces::{Subscription, WalletNotifications};
use log::debug;

/// What happened.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    /// A transaction is new or changed state.
    Transaction(Txid),
    /// Encrypted, locked or unlocked.
    Status,
    /// Unloaded.
    Unloaded,
}

struct Subscriber {
    active: AtomicBool,
    notifications: Arc<dyn WalletNotifications>,
}

/// Cancels when dropped.
struct Handle(Arc<Subscriber>);

impl Subscription for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.active.store(false, Ordering::SeqCst);
    }
}

/// The subscribers of a wallet.
#[derive(Default)]
pub(crate) struct Events {
    subscribers: Arc<Mutex<Vec<Arc<Subscriber>>>>,
    /// To the thread, which starts with the first subscriber.
    queue: Mutex<Option<Sender<Event>>>,
}

impl Events {
    /// Adds a subscriber.
    pub(crate) fn subscribe(&self, notifications: Arc<dyn WalletNotifications>) -> Arc<dyn Subscription> {
        let subscriber = Arc::new(Subscriber { active: AtomicBool::new(true), notifications });
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner).push(subscriber.clone());
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.is_none() {
            let (sender, receiver) = channel();
            let subscribers = self.subscribers.clone();
            let run = move || receiver.iter().for_each(|event| deliver(&subscribers, event));
            match std::thread::Builder::new().name("wallet-events".to_owned()).spawn(run) {
                Ok(_) => *queue = Some(sender),
                Err(error) => log::error!("cannot start a thread for wallet events: {error}"),
            }
        }
        Arc::new(Handle(subscriber))
    }

    /// Queues an event.
    pub(crate) fn send(&self, event: Event) {
        if let Some(queue) = &*self.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            // The thread ends only with the queue.
            let _ = queue.send(event);
        }
    }
}

fn deliver(subscribers: &Mutex<Vec<Arc<Subscriber>>>, event: Event) {
    let current = {
        let mut subscribers = subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.retain(|subscriber| subscriber.active.load(Ordering::SeqCst));
        subscribers.clone()
    };
    for subscriber in current {
        if !subscriber.active.load(Ordering::SeqCst) {
            continue;
        }
        let result = match event {
            Event::Transaction(txid) => subscriber.notifications.transaction_changed(txid),
            Event::Status => subscriber.notifications.status_changed(),
            Event::Unloaded => subscriber.notifications.unloaded(),
        };
        if let Err(error) = result {
            debug!("a wallet subscriber failed: {error}");
        }
    }
}
