//! Threads of the other side: more that call than it makes, and those that a call given up keeps busy.

use std::cell::RefCell;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use interfaces::{Echo, Error, Init, Mining, Result};
use multiprocess::{Options, within};
use testing::{FakeEcho, FakeMining};

use crate::link::{LIMIT, Link, ends};
use crate::probe::{self, Local, Probe, Sent, Sink};

/// Long enough for a call that nothing holds up.
const SHORT: Duration = Duration::from_millis(100);

/// A connection to one that makes so many threads.
fn link(threads: usize, init: impl Init + 'static) -> Link {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let options = Options { threads, peer: "client".to_owned(), ..Options::default() };
    let server = ipc::Server::start_with(theirs, options, Arc::new(init)).unwrap();
    let (client, init) = ipc::connect_socket(ours, "server").unwrap();
    Link { init, client, server }
}

struct Offer(Arc<dyn Mining>);

impl Init for Offer {
    fn make_mining(&self) -> Result<Arc<dyn Mining>> {
        Ok(self.0.clone())
    }

    fn make_echo(&self) -> Result<Arc<dyn Echo>> {
        Ok(Arc::new(FakeEcho))
    }
}

#[test]
fn more_threads_call_than_are_made() {
    let link = link(8, Offer(Arc::new(FakeMining::new())));
    let echo = link.init.make_echo().unwrap();
    let callers: Vec<_> = (0..100)
        .map(|caller| {
            let echo = echo.clone();
            std::thread::spawn(move || {
                for call in 0..50 {
                    let text = format!("{caller}/{call}");
                    assert_eq!(echo.echo(text.clone()), Ok(text));
                }
            })
        })
        .collect();
    ends(|| callers.into_iter().for_each(|caller| caller.join().unwrap()));
}

#[test]
fn what_ends_a_wait_needs_no_thread() {
    let link = link(2, Offer(Arc::new(FakeMining::new())));
    let mining = link.init.make_mining().unwrap();
    let tip = mining.tip().unwrap().unwrap();
    let (begun, seen) = channel();
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let (mining, begun) = (mining.clone(), begun.clone());
            std::thread::spawn(move || {
                // Has its thread over there.
                mining.tip().unwrap();
                begun.send(()).unwrap();
                mining.wait_tip_changed(tip.hash, f64::MAX)
            })
        })
        .collect();
    waiting.iter().for_each(|_| seen.recv_timeout(LIMIT).unwrap());
    ends(move || {
        // Each ends one.
        while !waiting.iter().all(std::thread::JoinHandle::is_finished) {
            mining.interrupt().unwrap();
        }
        waiting.into_iter().for_each(|waiting| assert!(waiting.join().unwrap().is_ok()));
    });
}

/// Checks that the numbers of each writer come in order.
#[derive(Default)]
struct Numbers(Mutex<[u32; WRITERS]>);

/// More than there are threads.
const WRITERS: usize = 12;

impl Sink for Numbers {
    fn write(&self, bytes: Vec<u8>) -> Sent {
        let (writer, number) = bytes.split_first().unwrap();
        let next = &mut self.0.lock().unwrap()[usize::from(*writer)];
        assert_eq!(number, next.to_le_bytes());
        *next += 1;
        Ok(())
    }

    fn done(&self) -> Result<u64> {
        Ok(self.0.lock().unwrap().iter().sum::<u32>().into())
    }
}

#[test]
fn more_streams_than_threads_stay_in_order() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let local = Local::with(Arc::new(Numbers::default()));
    let _server = probe::serve(theirs, local, Options { threads: 3, ..Options::default() });
    let (_client, probe) = probe::connect(ours, Options::default());
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let sink = probe.sink().unwrap();
            std::thread::spawn(move || {
                for number in 0..500u32 {
                    sink.write([&[writer as u8][..], &number.to_le_bytes()].concat()).unwrap();
                }
                sink.done().unwrap();
            })
        })
        .collect();
    ends(|| writers.into_iter().for_each(|writer| writer.join().unwrap()));
    assert_eq!(probe.sink().unwrap().done(), Ok(500 * WRITERS as u64));
}

/// An echo that is slow for "slow", until it is let go. Tells on which thread it is called, and when that ends.
struct Slow {
    called: Mutex<Sender<ThreadId>>,
    ended: Sender<ThreadId>,
    go: Mutex<Receiver<()>>,
}

/// The test's side of it.
struct Keeper {
    called: Receiver<ThreadId>,
    ended: Receiver<ThreadId>,
    go: Sender<()>,
}

/// Tells its thread's end.
struct AtEnd(Sender<ThreadId>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        // The test may not look.
        let _ = self.0.send(std::thread::current().id());
    }
}

thread_local! {
    static AT_END: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
}

impl Echo for Slow {
    fn echo(&self, echo: String) -> Result<String> {
        AT_END.with_borrow_mut(|at_end| _ = at_end.get_or_insert_with(|| AtEnd(self.ended.clone())));
        let _ = self.called.lock().unwrap().send(std::thread::current().id());
        if echo == "slow" {
            let _ = self.go.lock().unwrap().recv();
        }
        Ok(echo)
    }
}

struct Once(Mutex<Option<Slow>>);

impl Init for Once {
    fn make_echo(&self) -> Result<Arc<dyn Echo>> {
        Ok(Arc::new(self.0.lock().unwrap().take().unwrap()))
    }
}

fn slow(threads: usize) -> (Link, Arc<dyn Echo>, Keeper) {
    let ((called, calls), (ended, ends), (go, wait)) = (channel(), channel(), channel());
    let slow = Slow { called: Mutex::new(called), ended, go: Mutex::new(wait) };
    let link = link(threads, Once(Mutex::new(Some(slow))));
    let init = link.init.clone();
    // By a thread that is gone, and its own over there with it.
    let echo = std::thread::spawn(move || init.make_echo().unwrap()).join().unwrap();
    (link, echo, Keeper { called: calls, ended: ends, go })
}

fn give_up(echo: &Arc<dyn Echo>) {
    let late = within(SHORT, || echo.echo("slow".to_owned()));
    assert_eq!(late, Err(Error::TimedOut { call: "Echo.echo".to_owned() }));
}

#[test]
fn a_thread_that_was_given_up_ends_with_its_call() {
    let (_link, echo, keeper) = slow(16);
    let mut stuck = Vec::new();
    for _ in 0..3 {
        give_up(&echo);
        stuck.push(keeper.called.recv_timeout(LIMIT).unwrap());
    }
    assert_eq!(echo.echo("fast".to_owned()), Ok("fast".to_owned()));
    let now = keeper.called.recv_timeout(LIMIT).unwrap();
    assert!(!stuck.contains(&now));
    for _ in 0..3 {
        keeper.go.send(()).unwrap();
        let ended = keeper.ended.recv_timeout(LIMIT).unwrap();
        assert!(stuck.contains(&ended));
        stuck.retain(|thread| *thread != ended);
    }
    assert_eq!(echo.echo("fast".to_owned()), Ok("fast".to_owned()));
    assert_eq!(keeper.called.recv_timeout(LIMIT), Ok(now));
}

#[test]
fn calls_wait_for_threads_that_were_given_up_where_there_are_no_others() {
    let (_link, echo, keeper) = slow(2);
    // One takes the last thread of the other side, and all of them are busy.
    (0..4).for_each(|_| give_up(&echo));
    let waiting = std::thread::spawn({
        let echo = echo.clone();
        move || echo.echo("fast".to_owned())
    });
    give_up(&echo);
    drop(keeper.go);
    assert_eq!(ends(move || waiting.join().unwrap()), Ok("fast".to_owned()));
    assert_eq!(echo.echo("fast".to_owned()), Ok("fast".to_owned()));
}

#[test]
fn the_last_thread_stays_though_who_gave_its_call_up_is_gone() {
    let (_link, echo, keeper) = slow(1);
    let gave_up = echo.clone();
    std::thread::spawn(move || give_up(&gave_up)).join().unwrap();
    let waiting = std::thread::spawn(move || echo.echo("fast".to_owned()));
    keeper.go.send(()).unwrap();
    assert_eq!(ends(move || waiting.join().unwrap()), Ok("fast".to_owned()));
}
