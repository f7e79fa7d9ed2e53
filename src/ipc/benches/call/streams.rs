//! Calls that are not awaited one by one: streams, and many futures at once, over lanes and over a pool.

use std::time::Instant;

use multiprocess::Options;

use crate::meter::{Meter, Row};
use crate::probe::{self, Probe};
use crate::{EVENTS, FLIGHT, ROUNDS, child};

/// Bytes of an event.
const EVENT: usize = 40;

/// Threads of the pool, as many as there are lanes.
const POOL: usize = 16;

/// Serves the probe until the other side goes away.
pub fn serve() {
    probe::serve(child::input(), probe::Local::default(), Options::default()).wait();
}

/// Writes events to the other side; each counts with the mean time.
pub fn events() -> Row {
    let (mut other, stream) = child::start("probe-child", &[]);
    let (connection, probe) = probe::connect(stream, Options::default());
    let sink = probe.sink().unwrap();
    let pour = |count: usize| {
        (0..count).for_each(|_| sink.write(vec![0; EVENT]).unwrap());
        sink.done().unwrap()
    };
    pour(EVENTS / 10);
    let meter = Meter::start(other.id());
    let start = Instant::now();
    pour(EVENTS);
    let mean = start.elapsed() / EVENTS as u32;
    let row = meter.end(vec![mean; EVENTS]);
    connection.close();
    other.wait().unwrap();
    row
}

/// Many calls at once that no thread waits for, over lanes.
pub fn lanes() -> Row {
    flight(0)
}

/// The same over a pool.
pub fn pool() -> Row {
    flight(POOL)
}

fn flight(pool: usize) -> Row {
    let (mut other, stream) = child::start("probe-child", &[]);
    let (connection, probe) = probe::connect(stream, Options { pool, ..Options::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let call = || {
        let probe = probe.clone();
        async move {
            let start = Instant::now();
            assert_eq!(probe.bytes_async(8).await.unwrap().len(), 8);
            start.elapsed()
        }
    };
    let round = |count: usize| {
        let callers = (0..FLIGHT).map(|_| async {
            let mut times = Vec::new();
            for _ in 0..count / FLIGHT {
                times.push(call().await);
            }
            times
        });
        runtime.block_on(futures::future::join_all(callers)).concat()
    };
    drop(round(ROUNDS));
    let meter = Meter::start(other.id());
    let row = meter.end(round(4 * ROUNDS));
    connection.close();
    other.wait().unwrap();
    row
}
