//! Pools of threads, which either side has the other make: `ThreadMap.makePool`.

use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use interfaces::Result;
use multiprocess::{Connection, Options};

use crate::asynchronous::block_on;
use crate::link::{LIMIT, ends};
use crate::probe::{self, Counter, Local, Probe, ProbeClient, Sent, Sink, SinkClient};

/// Tells on which thread it is called, and returns when the test says so.
struct Told {
    thread: Mutex<Sender<String>>,
    go: Mutex<Receiver<()>>,
}

impl Sink for Told {
    fn write(&self, _: Vec<u8>) -> Sent {
        Ok(())
    }

    fn done(&self) -> Result<u64> {
        self.thread.lock().unwrap().send(thread_name()).unwrap();
        // Also goes on when the test lets go of the other end.
        let _ = self.go.lock().unwrap().recv();
        Ok(0)
    }
}

fn thread_name() -> String {
    std::thread::current().name().unwrap_or_default().to_owned()
}

/// A sink that tells, as clients have it; the names of threads, and the word to go on.
struct Link {
    sink: Arc<SinkClient>,
    probe: Arc<ProbeClient>,
    names: Receiver<String>,
    go: Option<Sender<()>>,
    _connections: [Connection; 2],
}

/// A connection whose client wants a pool, of a server that makes some threads.
fn link(pool: usize, threads: usize) -> Link {
    let (thread, names) = channel();
    let (go, wait) = channel();
    let told = Told { thread: Mutex::new(thread), go: Mutex::new(wait) };
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = probe::serve(theirs, Local::with(Arc::new(told)), Options { threads, ..Options::default() });
    let (client, probe) = probe::connect(ours, Options { pool, ..Options::default() });
    // Its answer comes after that of `makePool`.
    let sink = block_on(probe.sink_async()).unwrap();
    Link { sink, probe, names, go: Some(go), _connections: [client, server] }
}

impl Link {
    /// Name of the thread that serves a call that was started.
    fn next_name(&self) -> String {
        self.names.recv_timeout(LIMIT).unwrap()
    }
}

#[test]
fn calls_without_a_thread_go_to_the_pool() {
    let mut link = link(2, 16);
    let first = link.sink.done_async();
    let one = link.next_name();
    assert!(one.contains("(pool/"), "{one}");
    // While that thread is busy, the others do not queue behind it.
    let others: Vec<_> = (0..3).map(|_| link.probe.bytes_async(1)).collect();
    ends(move || others.into_iter().for_each(|other| drop(block_on(other).unwrap())));
    link.go = None;
    block_on(first).unwrap();
    // A thread that waits has one of its own there, as ever.
    Sink::done(&*link.sink).unwrap();
    assert!(link.next_name().contains("(from "));
}

#[test]
fn without_a_pool_there_are_lanes() {
    // The pool would be one thread too many: none of it is made.
    let mut link = link(4, 3);
    let first = link.sink.done_async();
    assert!(link.next_name().contains("lane-"));
    link.go = None;
    block_on(first).unwrap();
    let all: Vec<_> = (0..20).map(|_| link.probe.bytes_async(1)).collect();
    ends(move || all.into_iter().for_each(|one| drop(block_on(one))));
}

/// Counts, and tells the thread.
struct Where(Mutex<Vec<String>>);

impl Counter for Where {
    fn next(&self) -> Result<u32> {
        self.0.lock().unwrap().push(thread_name());
        Ok(1)
    }
}

#[test]
fn who_serves_can_have_a_pool_made_too() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let _server = probe::serve(theirs, Local::default(), Options { pool: 2, ..Options::default() });
    let (_client, probe) = probe::connect(ours, Options::default());
    let counter = Arc::new(Where(Mutex::default()));
    // The first may come before the pool is there.
    for _ in 0..2 {
        probe.swap([("it".to_owned(), counter.clone() as Arc<dyn Counter>)].into()).unwrap();
    }
    let names = counter.0.lock().unwrap();
    assert!(names[1].contains("(pool/"), "{names:?}");
}
