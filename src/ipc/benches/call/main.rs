//! What a call to another process costs, beside what it is made of: `cargo xtask bench ipc`, or `cargo bench -p ipc` with
//! the beginning of a line's name.
//!
//! The other process is this program again: started with `-ipcfd` or the name of a mode it serves. Lines that belong
//! together follow each other, so that whatever else the machine does touches them alike.
#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark fails by panicking")]

mod bare;
mod child;
mod descriptor;
mod meter;
mod network;
#[path = "../../tests/probe.rs"]
mod probe;
mod streams;

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use interfaces::{Echo, RpcRequest, WalletLoader};
use meter::{Meter, Row, rounds, timed};
use testing::FakeChain;

/// Round trips per line, after a tenth as many to warm up.
const ROUNDS: usize = 10_000;

/// Round trips with a long reply.
const LONG_ROUNDS: usize = 300;

/// Threads that call in turn, as many as serve HTTP.
const THREADS: usize = 16;

/// Calls in flight where there are many.
const FLIGHT: usize = 256;

/// Events of the stream.
const EVENTS: usize = 100_000;

/// What a pause is: time, and memory touched.
const PAUSE: Duration = Duration::from_micros(300);
const COLD: usize = 4 << 20;

/// What is sent and comes back.
const TEXT: &str = "hello";

const MB: usize = 1 << 20;

/// What is measured, and how.
type Line = (&'static str, fn() -> Row);

/// The lines, in an order that has neighbours to compare.
const LINES: &[Line] = &[
    ("socket: 8 bytes there and back", || socket(ROUNDS, 8)),
    ("bare: a call of capnp-rpc alone", || bare::calls(ROUNDS, TEXT.len(), 1)),
    ("plain: a call that names no thread", plain),
    ("call: a call mapped to a thread", || calls(1, ROUNDS)),
    ("threads: the same from 2 threads at once", || calls(2, ROUNDS)),
    ("threads: from 4", || calls(4, ROUNDS)),
    ("threads: from 8", || calls(8, ROUNDS)),
    ("flight: 256 calls of capnp-rpc alone at once", || bare::calls(4 * ROUNDS, TEXT.len(), FLIGHT)),
    ("flight: 256 futures over 16 lanes", streams::lanes),
    ("flight: the same over a pool of 16", streams::pool),
    ("flight: 256 calls from 256 threads", || calls(FLIGHT - 1, 4 * ROUNDS)),
    ("long: 1 MB over a socket", || socket(LONG_ROUNDS, MB)),
    ("long: 1 MB reply of capnp-rpc alone", || bare::calls(LONG_ROUNDS, MB, 1)),
    ("long: 1 MB reply of text, which the service copies", || replies(MB)),
    ("long: 1 MB reply of bytes", || shared(MB)),
    ("long: 4 MB over a socket", || socket(LONG_ROUNDS, 4 * MB)),
    ("long: 4 MB by descriptor instead", || descriptor::calls(LONG_ROUNDS, 4 * MB)),
    ("long: 4 MB reply of capnp-rpc alone", || bare::calls(LONG_ROUNDS, 4 * MB, 1)),
    ("long: 4 MB reply of text, which the service copies", || replies(4 * MB)),
    ("long: 4 MB reply of bytes", || shared(4 * MB)),
    ("stream: 100,000 events, one after the other", stream),
    ("stream: the same with a window", streams::events),
    ("callback: a call that calls back", callback),
    ("network: within this process, over a socket", || network::calls("unix")),
    ("network: the same over TLS", || network::calls("tls:127.0.0.1:0")),
    ("network: 4 MB there and back over a socket", || network::long("unix", 4 * MB)),
    ("network: the same over TLS", || network::long("tls:127.0.0.1:0", 4 * MB)),
    ("pauses: a call after a pause that leaves caches cold", pauses),
    ("turns: a call from 16 threads in turn", turns),
];

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    if let Some(fd) = args.iter().find_map(|arg| arg.strip_prefix("-ipcfd=")) {
        return if child::serve(fd) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    match args.first().map(String::as_str) {
        Some("socket-child") => child::socket(),
        Some("probe-child") => streams::serve(),
        Some("descriptor-child") => descriptor::serve(),
        Some("bare-child") => bare::serve(&args[1]),
        _ => {
            let wanted = args.iter().find(|arg| !arg.starts_with('-'));
            println!("{}", Row::head());
            for (name, line) in LINES {
                if wanted.is_none_or(|wanted| name.starts_with(wanted.as_str())) {
                    line().print(name);
                }
            }
        }
    }
    ExitCode::SUCCESS
}

fn socket(count: usize, length: usize) -> Row {
    let (mut other, mut stream) = child::start("socket-child", &[]);
    let mut bytes = vec![0; length];
    let row = rounds(other.id(), count, || {
        stream.write_all(&(length as u64).to_le_bytes()).unwrap();
        stream.read_exact(&mut bytes).unwrap();
    });
    drop(stream);
    other.wait().unwrap();
    row
}

fn start() -> ipc::Connection {
    ipc::spawn_with(&std::env::current_exe().unwrap(), ["serve"]).unwrap()
}

fn plain() -> Row {
    let child = start();
    let mining = child.init().make_mining().unwrap();
    rounds(child.pid(), ROUNDS, || mining.interrupt().unwrap())
}

/// Calls from several threads at once, `count` in all.
fn calls(threads: usize, count: usize) -> Row {
    let child = start();
    let echo = child.init().make_echo().unwrap();
    let ready = Arc::new(Barrier::new(threads + 1));
    let go = Arc::new(Barrier::new(threads + 1));
    let callers: Vec<_> = (0..threads)
        .map(|_| {
            let (echo, ready, go) = (echo.clone(), ready.clone(), go.clone());
            std::thread::spawn(move || {
                let call = || assert_eq!(echo.echo(TEXT.to_owned()).unwrap(), TEXT);
                (0..(count / threads / 10).max(1)).for_each(|_| call());
                ready.wait();
                go.wait();
                (0..count / threads).map(|_| timed(call)).collect::<Vec<_>>()
            })
        })
        .collect();
    ready.wait();
    let meter = Meter::start(child.pid());
    go.wait();
    meter.end(callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect())
}

fn replies(length: usize) -> Row {
    let child = start();
    let rpc = child.init().make_rpc().unwrap();
    rounds(child.pid(), LONG_ROUNDS, || {
        let text = rpc.execute_rpc(length.to_string(), String::new(), String::new()).unwrap();
        assert_eq!(text.len(), length);
    })
}

/// Replies of bytes that the service keeps and the caller looks at where they arrived.
fn shared(length: usize) -> Row {
    use probe::Probe;
    let (mut other, stream) = child::start("probe-child", &[]);
    let (link, probe) = probe::connect(stream, Default::default());
    let row = rounds(other.id(), LONG_ROUNDS, || assert_eq!(probe.shared(length as u64).unwrap().len(), length));
    drop((probe, link));
    other.wait().unwrap();
    row
}

fn loader(child: &ipc::Connection) -> (Arc<FakeChain>, Arc<dyn WalletLoader>) {
    let chain = FakeChain::new(3);
    let loader = child.init().make_wallet_loader(testing::config(), chain.clone()).unwrap();
    (chain, loader)
}

fn request(method: &str) -> RpcRequest {
    RpcRequest {
        method: method.to_owned(),
        params: "[]".to_owned(),
        uri: "/".to_owned(),
        user: "me".to_owned(),
        tip: None,
    }
}

/// Sends events to the other side; each counts with the mean time.
fn stream() -> Row {
    use interfaces::Chain;
    let child = start();
    let (chain, loader) = loader(&child);
    loader.execute_rpc(request("subscribe")).unwrap().unwrap();
    chain.flushed();
    chain.sync_notifications(None).unwrap();
    let meter = Meter::start(child.pid());
    let start = Instant::now();
    (0..EVENTS).for_each(|_| chain.flushed());
    chain.sync_notifications(None).unwrap();
    let mean = start.elapsed() / EVENTS as u32;
    let row = meter.end(vec![mean; EVENTS]);
    loader.execute_rpc(request("end")).unwrap().unwrap();
    row
}

fn callback() -> Row {
    let child = start();
    let (_chain, loader) = loader(&child);
    rounds(child.pid(), ROUNDS, || assert_eq!(loader.execute_rpc(request("callback")).unwrap(), Ok(String::new())))
}

fn pauses() -> Row {
    let child = start();
    let echo = child.init().make_echo().unwrap();
    let mut memory = vec![0u8; COLD];
    let meter = Meter::start(child.pid());
    let times = (0..ROUNDS / 10)
        .map(|_| {
            std::thread::sleep(PAUSE);
            memory.iter_mut().step_by(64).for_each(|byte| *byte = byte.wrapping_add(1));
            timed(|| assert_eq!(echo.echo(TEXT.to_owned()).unwrap(), TEXT))
        })
        .collect();
    meter.end(times)
}

fn turns() -> Row {
    let child = start();
    let echo: Arc<dyn Echo> = child.init().make_echo().unwrap();
    let (done, wait) = channel();
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (go, turn) = channel::<()>();
            let (echo, done) = (echo.clone(), done.clone());
            std::thread::spawn(move || {
                while turn.recv().is_ok() {
                    done.send(timed(|| assert_eq!(echo.echo(TEXT.to_owned()).unwrap(), TEXT))).unwrap();
                }
            });
            go
        })
        .collect();
    let mut next = 0;
    let meter = Meter::start(child.pid());
    let times = (0..ROUNDS)
        .map(|_| {
            threads[next % THREADS].send(()).unwrap();
            next += 1;
            wait.recv().unwrap()
        })
        .collect();
    meter.end(times)
}
