//! What calls cost and how many there were, by method, and how many objects there are, by interface.
//!
//! Counted for the whole process, on both sides of a call, whether anybody asks or not: a few atomic additions.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::message::Message;
use crate::{Error, Interface, Method};

/// Which side of a call or of an object this process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// It calls.
    Client,
    /// It serves.
    Server,
}

/// Calls of a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodMetrics {
    /// `Interface.method`.
    pub method: &'static str,
    /// This process's side.
    pub side: Side,
    /// Calls that have ended.
    pub calls: u64,
    /// Those of them that ended with an error.
    pub errors: u64,
    /// Bytes of parameters and results that went out.
    pub sent: u64,
    /// Bytes that came in.
    pub received: u64,
    /// Time of all calls.
    pub total: Duration,
    /// Time of the longest.
    pub longest: Duration,
    /// A time that half of the calls did not take, up to a fifth too high.
    pub median: Duration,
    /// A time that 99 of 100 calls did not take, up to a fifth too high.
    pub p99: Duration,
}

/// Objects of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMetrics {
    /// Its name.
    pub interface: &'static str,
    /// Whether they are objects of others that this process holds, or its own that others hold.
    pub side: Side,
    /// How many there are.
    pub live: u64,
}

/// Everything that was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metrics {
    /// By method, in alphabetical order.
    pub methods: Vec<MethodMetrics>,
    /// By interface, in alphabetical order.
    pub objects: Vec<ObjectMetrics>,
}

/// Returns what was counted since the process started.
pub fn metrics() -> Metrics {
    let calls = CALLS.read(|calls| calls.iter().map(|((_, side), stats)| stats.read(*side)).collect());
    let objects = OBJECTS.read(|objects| {
        let read = |((_, side), stats): (&Key, &&'static Objects)| ObjectMetrics {
            interface: stats.name,
            side: *side,
            live: stats.live.load(Ordering::Relaxed),
        };
        objects.iter().map(read).collect()
    });
    let (mut methods, mut objects): (Vec<MethodMetrics>, Vec<ObjectMetrics>) = (calls, objects);
    methods.sort_by_key(|metrics| (metrics.method, metrics.side));
    objects.sort_by_key(|metrics| (metrics.interface, metrics.side));
    Metrics { methods, objects }
}

/// A table's address stands for it, with the side.
type Key = (usize, Side);

/// Counters that are made at their first use and stay.
struct Table<T: 'static>(RwLock<Option<HashMap<Key, &'static T>>>);

static CALLS: Table<Calls> = Table(RwLock::new(None));
static OBJECTS: Table<Objects> = Table(RwLock::new(None));

impl<T> Table<T> {
    fn read<R: Default>(&self, read: impl FnOnce(&HashMap<Key, &'static T>) -> R) -> R {
        self.0.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(read).unwrap_or_default()
    }

    fn get(&self, key: Key, make: impl FnOnce() -> T) -> &'static T {
        if let Some(known) = self.read(|known| known.get(&key).copied()) {
            return known;
        }
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // As many as there are methods in the program.
        all.get_or_insert_default().entry(key).or_insert_with(|| Box::leak(Box::new(make())))
    }
}

/// Ranges of time for each doubling of it.
const STEPS: usize = 4;

/// Microseconds that are not told apart from more: about an hour.
const DOUBLINGS: usize = 32;

struct Calls {
    method: &'static str,
    calls: AtomicU64,
    errors: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    micros: AtomicU64,
    longest: AtomicU64,
    times: [AtomicU64; STEPS * DOUBLINGS],
}

impl Calls {
    fn new(method: &'static str) -> Self {
        let zero = AtomicU64::default;
        Calls {
            method,
            calls: zero(),
            errors: zero(),
            sent: zero(),
            received: zero(),
            micros: zero(),
            longest: zero(),
            times: [const { AtomicU64::new(0) }; STEPS * DOUBLINGS],
        }
    }

    fn add(&self, time: Duration, sent: usize, received: usize, failed: bool) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.errors.fetch_add(failed.into(), Ordering::Relaxed);
        self.sent.fetch_add(sent as u64, Ordering::Relaxed);
        self.received.fetch_add(received as u64, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        self.longest.fetch_max(micros, Ordering::Relaxed);
        self.times[range(micros)].fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self, side: Side) -> MethodMetrics {
        let times: Vec<u64> = self.times.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let longest = self.longest.load(Ordering::Relaxed);
        let quantile = |percent: u64| {
            let mut left = (times.iter().sum::<u64>() * percent).div_ceil(100);
            let within = times.iter().position(|count| {
                left = left.saturating_sub(*count);
                left == 0
            });
            Duration::from_micros(within.map_or(0, end).min(longest))
        };
        MethodMetrics {
            method: self.method,
            side,
            calls: self.calls.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            total: Duration::from_micros(self.micros.load(Ordering::Relaxed)),
            longest: Duration::from_micros(longest),
            median: quantile(50),
            p99: quantile(99),
        }
    }
}

/// The range a time is in.
fn range(micros: u64) -> usize {
    // Below that each number has its own.
    if micros < STEPS as u64 {
        return micros as usize;
    }
    let doubling = micros.ilog2() as usize;
    let step = (micros >> (doubling - 2)) as usize % STEPS;
    ((doubling - 1) * STEPS + step).min(STEPS * DOUBLINGS - 1)
}

/// The longest time in a range.
fn end(range: usize) -> u64 {
    if range < STEPS {
        return range as u64;
    }
    let (doubling, step) = (range / STEPS + 1, range % STEPS);
    (((STEPS + step + 1) as u64) << (doubling - 2)) - 1
}

struct Objects {
    name: &'static str,
    live: AtomicU64,
}

/// An object that counts while this lives.
pub(crate) struct Counted(&'static Objects);

impl Counted {
    pub(crate) fn new(side: Side, interface: &'static Interface) -> Self {
        let key = (std::ptr::from_ref(interface) as usize, side);
        let objects = OBJECTS.get(key, || Objects { name: interface.name, live: AtomicU64::new(0) });
        objects.live.fetch_add(1, Ordering::Relaxed);
        Counted(objects)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A call that has begun.
pub(crate) struct Call {
    side: Side,
    method: &'static Method,
    start: Instant,
    params: usize,
}

impl Call {
    pub(crate) fn begin(side: Side, method: &'static Method, params: &Message) -> Self {
        Call { side, method, start: Instant::now(), params: params.size() }
    }

    /// Counts it with what it ended.
    pub(crate) fn end(&self, result: &Result<Message, Error>) {
        let results = result.as_ref().map_or(0, Message::size);
        let (sent, received) = match self.side {
            Side::Client => (self.params, results),
            Side::Server => (results, self.params),
        };
        let key = (std::ptr::from_ref(self.method) as usize, self.side);
        CALLS.get(key, || Calls::new(self.method.name)).add(self.start.elapsed(), sent, received, result.is_err());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_follow_each_other() {
        for micros in (0..10_000).chain([1 << 20, u64::MAX]) {
            let range = range(micros);
            if range < STEPS * DOUBLINGS - 1 {
                assert!(micros <= end(range) && (range == 0 || micros > end(range - 1)), "{micros} in {range}");
                assert!(end(range) <= micros + micros / 4);
            }
        }
    }

    #[test]
    fn what_is_added_is_read() {
        let calls = Calls::new("A.b");
        (1..=100).for_each(|millis| calls.add(Duration::from_millis(millis), 3, 4, millis % 10 == 0));
        let MethodMetrics { calls, errors, sent, received, total, longest, median, p99, .. } = calls.read(Side::Client);
        assert_eq!((calls, errors, sent, received), (100, 10, 300, 400));
        assert_eq!((total, longest), (Duration::from_millis(5050), Duration::from_millis(100)));
        assert!(median >= Duration::from_millis(50) && median <= Duration::from_millis(63), "{median:?}");
        assert!(p99 >= Duration::from_millis(99) && p99 <= longest, "{p99:?}");
    }
}
