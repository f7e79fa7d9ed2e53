//! A thread that delivers events, one at a time and in order, with no lock held: what every implementation of the
//! interfaces does, also inside one process.

use std::collections::BTreeMap;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use interfaces::Subscription;

/// An event, to be delivered to those who subscribed before it happened.
struct Event<N: ?Sized> {
    number: u64,
    deliver: Box<dyn Fn(&N) + Send>,
}

/// Delivers events to subscribers of type `N`.
pub(crate) struct Events<N: ?Sized> {
    queue: Sender<Queued<N>>,
    subscribers: Arc<Subscribers<N>>,
}

enum Queued<N: ?Sized> {
    Event(Event<N>),
    /// Dropped when everything before it was delivered.
    Barrier(#[expect(dead_code, reason = "its drop is the signal")] Sender<()>),
}

struct Subscribers<N: ?Sized> {
    list: Mutex<List<N>>,
}

struct List<N: ?Sized> {
    /// Numbers subscriptions and events alike.
    next: u64,
    known: BTreeMap<u64, Arc<N>>,
}

impl<N: ?Sized + Send + Sync + 'static> Events<N> {
    pub(crate) fn new() -> Self {
        let (queue, arrived) = channel::<Queued<N>>();
        let list: List<N> = List { next: 0, known: BTreeMap::new() };
        let subscribers = Arc::new(Subscribers { list: Mutex::new(list) });
        let all = subscribers.clone();
        let deliver = move || {
            for queued in arrived {
                let Queued::Event(event) = queued else { continue };
                let before: Vec<Arc<N>> = all.lock().known.range(..event.number).map(|(_, to)| to.clone()).collect();
                before.iter().for_each(|to| (event.deliver)(to));
            }
        };
        std::thread::Builder::new().name("events".into()).spawn(deliver).expect("a thread for the fake");
        Events { queue, subscribers }
    }

    /// Queues an event; `deliver` is called for each subscriber.
    pub(crate) fn send(&self, deliver: impl Fn(&N) + Send + 'static) {
        let event = Event { number: self.subscribers.lock().number(), deliver: Box::new(deliver) };
        self.queue.send(Queued::Event(event)).unwrap_or_else(|_| panic!("the thread runs as long as the sender"));
    }

    /// Returns once everything queued before was delivered.
    pub(crate) fn sync(&self) {
        let (done, wait) = channel::<()>();
        self.queue.send(Queued::Barrier(done)).unwrap_or_else(|_| panic!("the thread runs as long as the sender"));
        // Ends with an error when the other end is dropped.
        let _ = wait.recv();
    }

    pub(crate) fn subscribe(&self, subscriber: Arc<N>) -> Arc<dyn Subscription> {
        let mut list = self.subscribers.lock();
        let id = list.number();
        list.known.insert(id, subscriber);
        drop(list);
        Arc::new(Handle { subscribers: Arc::downgrade(&self.subscribers), id })
    }

    /// Number of subscribers now.
    pub(crate) fn subscribers(&self) -> usize {
        self.subscribers.lock().known.len()
    }
}

impl<N: ?Sized> Subscribers<N> {
    fn lock(&self) -> MutexGuard<'_, List<N>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<N: ?Sized> List<N> {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

struct Handle<N: ?Sized> {
    subscribers: Weak<Subscribers<N>>,
    id: u64,
}

impl<N: ?Sized + Send + Sync> Subscription for Handle<N> {}

impl<N: ?Sized> Drop for Handle<N> {
    fn drop(&mut self) {
        if let Some(subscribers) = self.subscribers.upgrade() {
            let removed = subscribers.lock().known.remove(&self.id);
            drop(removed);
        }
    }
}
