//! A thread that delivers events, one at a time and in order, with no lock held: what every implementation of the
//! interfaces does, also inside one process.

use std::collections::BTreeMap;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use interfaces::Subscription;

type Job<N> = Box<dyn FnOnce(&[Arc<N>]) + Send>;

/// Delivers events to subscribers of type `N`.
pub(crate) struct Events<N: ?Sized> {
    jobs: Sender<Job<N>>,
    subscribers: Arc<Subscribers<N>>,
}

struct Subscribers<N: ?Sized> {
    list: Mutex<(u64, BTreeMap<u64, Arc<N>>)>,
}

impl<N: ?Sized + Send + Sync + 'static> Events<N> {
    pub(crate) fn new() -> Self {
        let (jobs, queue) = channel::<Job<N>>();
        let subscribers = Arc::new(Subscribers { list: Mutex::new((0, BTreeMap::new())) });
        let known = subscribers.clone();
        std::thread::Builder::new()
            .name("events".into())
            .spawn(move || {
                for job in queue {
                    let current: Vec<_> = known.lock().1.values().cloned().collect();
                    job(&current);
                }
            })
            .expect("a thread for the fake");
        Events { jobs, subscribers }
    }

    /// Queues an event; `deliver` is called for each subscriber.
    pub(crate) fn send(&self, deliver: impl Fn(&N) + Send + 'static) {
        let job: Job<N> = Box::new(move |subscribers| subscribers.iter().for_each(|subscriber| deliver(subscriber)));
        self.jobs.send(job).expect("the thread runs as long as the sender");
    }

    /// Returns once everything queued before was delivered.
    pub(crate) fn sync(&self) {
        let (done, wait) = channel::<()>();
        self.jobs.send(Box::new(move |_| drop(done))).expect("the thread runs as long as the sender");
        // Ends with an error when the job ran and dropped its end.
        let _ = wait.recv();
    }

    pub(crate) fn subscribe(&self, subscriber: Arc<N>) -> Arc<dyn Subscription> {
        let mut list = self.subscribers.lock();
        list.0 += 1;
        let id = list.0;
        list.1.insert(id, subscriber);
        drop(list);
        Arc::new(Handle { subscribers: Arc::downgrade(&self.subscribers), id })
    }

    /// Number of subscribers now.
    pub(crate) fn subscribers(&self) -> usize {
        self.subscribers.lock().1.len()
    }
}

impl<N: ?Sized> Subscribers<N> {
    fn lock(&self) -> std::sync::MutexGuard<'_, (u64, BTreeMap<u64, Arc<N>>)> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
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
            let removed = subscribers.lock().1.remove(&self.id);
            drop(removed);
        }
    }
}
