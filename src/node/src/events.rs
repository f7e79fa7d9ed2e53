//! Carries the chain's events to everyone who follows the chain through `interfaces::Chain`.
//!
//! The engine delivers its events on one thread. Each subscriber gets a thread of its own with a bounded queue in
//! between, so that one slow wallet process delays the engine only once it is far behind, and a dead one not at all.
//!
//! **Invariant:** no lock is held while a subscriber's method runs or while an event waits for room in a queue.

mod engine;

pub(crate) use engine::{EngineListener, abort};

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bitcoin::{BlockHash, Transaction};
use interfaces::{ChainNotifications, ConnectedBlock, MempoolRemovalReason, Subscription};

use crate::tip::TipWatch;

/// Events a subscriber may be behind before the engine's event thread waits for it. A block is at most 4 MB, so this
/// bounds the memory one subscriber holds.
const QUEUE_LENGTH: usize = 64;

/// One event, cheap to copy to several subscribers.
#[derive(Clone)]
pub(crate) enum Event {
    /// A transaction entered the mempool.
    Added(Arc<Transaction>, u64),
    /// A transaction left the mempool other than by being mined.
    Removed(Arc<Transaction>, MempoolRemovalReason, u64),
    /// A block joined the active chain.
    Connected(Arc<ConnectedBlock>),
    /// The tip left the active chain.
    Disconnected(Arc<ConnectedBlock>),
    /// The chain state is on disk up to this locator.
    Flushed(Arc<Vec<BlockHash>>),
    /// Everything before was delivered once this is received.
    Sync(SyncSender<()>),
}

/// The subscribers, and the tip for those who only wait for it.
#[derive(Default)]
pub(crate) struct EventHub {
    subscribers: Mutex<Vec<Arc<Subscriber>>>,
    next_id: AtomicU64,
    /// The tip, for threads that wait for it to change.
    pub tip: TipWatch,
}

struct Subscriber {
    id: u64,
    cancelled: AtomicBool,
    queue: SyncSender<Event>,
}

impl EventHub {
    /// Registers a subscriber. It gets every event published after this returns.
    pub fn subscribe(self: &Arc<Self>, target: Arc<dyn ChainNotifications>) -> std::io::Result<Arc<dyn Subscription>> {
        let (queue, events) = sync_channel(QUEUE_LENGTH);
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let subscriber = Arc::new(Subscriber { id, cancelled: AtomicBool::new(false), queue });
        let hub = Arc::downgrade(self);
        // The worker holds the subscriber weakly: its queue must close when hub and subscription let go of it.
        let worker = Arc::downgrade(&subscriber);
        std::thread::Builder::new().name(format!("events.{id}")).spawn(move || {
            deliver(&events, &worker, &*target);
            if let Some(hub) = hub.upgrade() {
                hub.remove(id);
            }
        })?;
        self.lock().push(subscriber.clone());
        Ok(Arc::new(HubSubscription { hub: Arc::downgrade(self), subscriber }))
    }

    /// Says whether an event published now would get to anybody.
    pub fn has_subscribers(&self) -> bool {
        !self.lock().is_empty()
    }

    /// Queues an event for every subscriber; waits where a queue is full.
    pub fn publish(&self, event: &Event) {
        for subscriber in self.snapshot() {
            // An error means the subscriber is gone; its own thread takes it off the list.
            let _ = subscriber.queue.send(event.clone());
        }
    }

    /// Waits until every subscriber has received all events published before the call.
    pub fn sync(&self) {
        let waits: Vec<Receiver<()>> = self
            .snapshot()
            .into_iter()
            .filter_map(|subscriber| {
                let (done, wait) = sync_channel(1);
                subscriber.queue.send(Event::Sync(done)).ok().map(|()| wait)
            })
            .collect();
        for wait in waits {
            // An error means the subscriber went away meanwhile: nothing is left to be delivered to it.
            let _ = wait.recv();
        }
    }

    /// Drops all subscribers; what is queued for them is not delivered any more.
    pub fn close(&self) {
        self.tip.close();
        for subscriber in std::mem::take(&mut *self.lock()) {
            subscriber.cancelled.store(true, Ordering::Release);
        }
    }

    fn snapshot(&self) -> Vec<Arc<Subscriber>> {
        self.lock().clone()
    }

    fn remove(&self, id: u64) {
        self.lock().retain(|subscriber| subscriber.id != id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Subscriber>>> {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands events to one subscriber until it is cancelled or its process is gone.
fn deliver(events: &Receiver<Event>, subscriber: &Weak<Subscriber>, target: &dyn ChainNotifications) {
    while let Ok(event) = events.recv() {
        match subscriber.upgrade() {
            Some(subscriber) if !subscriber.cancelled.load(Ordering::Acquire) => {}
            _ => return,
        }
        let result = match event {
            Event::Added(transaction, sequence) => target.transaction_added(unshare(transaction), sequence),
            Event::Removed(transaction, reason, sequence) => {
                target.transaction_removed(unshare(transaction), reason, sequence)
            }
            Event::Connected(block) => target.block_connected(unshare(block)),
            Event::Disconnected(block) => target.block_disconnected(unshare(block)),
            Event::Flushed(locator) => target.chain_state_flushed(unshare(locator)),
            Event::Sync(done) => {
                let _ = done.send(());
                Ok(())
            }
        };
        match result {
            Ok(()) => {}
            Err(error @ interfaces::Error::Disconnected { .. }) => {
                log::debug!(target: "ipc", "no more chain events for a subscriber: {error}");
                return;
            }
            Err(error) => log::warn!("a chain event was not handled: {error}"),
        }
    }
}

fn unshare<T: Clone>(shared: Arc<T>) -> T {
    Arc::unwrap_or_clone(shared)
}

struct HubSubscription {
    hub: Weak<EventHub>,
    subscriber: Arc<Subscriber>,
}

impl Subscription for HubSubscription {}

impl Drop for HubSubscription {
    fn drop(&mut self) {
        self.subscriber.cancelled.store(true, Ordering::Release);
        if let Some(hub) = self.hub.upgrade() {
            hub.remove(self.subscriber.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::AtomicUsize;

    use bitcoin::hashes::Hash;

    use super::*;

    /// Records the first byte of each locator it is sent.
    #[derive(Default)]
    struct Recorder {
        seen: Mutex<Vec<u8>>,
        fail: bool,
        hold: Option<Arc<Barrier>>,
        calls: AtomicUsize,
    }

    impl ChainNotifications for Recorder {
        fn transaction_added(&self, _: Transaction, _: u64) -> interfaces::Result<()> {
            Ok(())
        }
        fn transaction_removed(&self, _: Transaction, _: MempoolRemovalReason, _: u64) -> interfaces::Result<()> {
            Ok(())
        }
        fn block_connected(&self, _: ConnectedBlock) -> interfaces::Result<()> {
            Ok(())
        }
        fn block_disconnected(&self, _: ConnectedBlock) -> interfaces::Result<()> {
            Ok(())
        }
        fn chain_state_flushed(&self, locator: Vec<BlockHash>) -> interfaces::Result<()> {
            self.calls.fetch_add(1, Ordering::SeqCst);
            if let Some(hold) = &self.hold {
                hold.wait();
            }
            if self.fail {
                return Err(interfaces::Error::Disconnected { call: String::new() });
            }
            self.seen.lock().unwrap().push(locator[0].to_byte_array()[0]);
            Ok(())
        }
    }

    fn event(n: u8) -> Event {
        Event::Flushed(Arc::new(vec![BlockHash::from_byte_array([n; 32])]))
    }

    #[test]
    fn events_arrive_in_order_and_sync_waits_for_them() {
        let hub = Arc::new(EventHub::default());
        let recorder = Arc::new(Recorder::default());
        let _subscription = hub.subscribe(recorder.clone()).unwrap();
        (0..200).for_each(|n| hub.publish(&event(n)));
        hub.sync();
        assert_eq!(*recorder.seen.lock().unwrap(), (0..200).collect::<Vec<u8>>());
    }

    #[test]
    fn dropped_subscription_gets_nothing_more() {
        let hub = Arc::new(EventHub::default());
        let recorder = Arc::new(Recorder::default());
        let subscription = hub.subscribe(recorder.clone()).unwrap();
        hub.publish(&event(1));
        hub.sync();
        drop(subscription);
        hub.publish(&event(2));
        hub.sync();
        assert_eq!(*recorder.seen.lock().unwrap(), [1]);
        assert!(hub.snapshot().is_empty());
    }

    #[test]
    fn cancelled_during_a_callback_ends_after_it() {
        let hub = Arc::new(EventHub::default());
        let hold = Arc::new(Barrier::new(2));
        let recorder = Arc::new(Recorder { hold: Some(hold.clone()), ..Recorder::default() });
        let subscription = hub.subscribe(recorder.clone()).unwrap();
        hub.publish(&event(1));
        hub.publish(&event(2));
        // The first callback runs once the call counter moves; it is held until the barrier.
        while recorder.calls.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        drop(subscription);
        hold.wait();
        while Arc::strong_count(&recorder) > 1 {
            std::thread::yield_now();
        }
        assert_eq!(recorder.calls.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn dead_subscriber_is_removed_and_the_others_go_on() {
        let hub = Arc::new(EventHub::default());
        let dead = Arc::new(Recorder { fail: true, ..Recorder::default() });
        let alive = Arc::new(Recorder::default());
        let _first = hub.subscribe(dead.clone()).unwrap();
        let _second = hub.subscribe(alive.clone()).unwrap();
        (0..100).for_each(|n| hub.publish(&event(n)));
        hub.sync();
        assert_eq!(alive.seen.lock().unwrap().len(), 100);
        assert_eq!(dead.calls.load(Ordering::SeqCst), 1);
        while hub.snapshot().len() != 1 {
            std::thread::yield_now();
        }
    }
}
