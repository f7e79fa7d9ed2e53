//! What a call to another process costs, beside what it is made of: `cargo bench -p ipc`, or with a line's name.
//!
//! Prints medians. The program is its own child: started with `-ipcfd` it serves.
#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::{RpcSystem, new_client, twoparty};
use interfaces::{Echo, RpcRequest};
use multiprocess::proxy_capnp::thread;
use testing::{FakeChain, FakeInit, RpcHook};
use tokio::task::LocalSet;
use tokio_util::compat::{TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt};

/// Round trips per line, after a tenth as many to warm up.
const ROUNDS: usize = 10_000;

/// Threads that call in turn, as many as serve HTTP.
const THREADS: usize = 16;

/// What a pause is: time, and memory touched.
const PAUSE: Duration = Duration::from_micros(300);
const COLD: usize = 4 << 20;

/// What is sent and comes back.
const TEXT: &str = "hello";

/// What is measured, and how.
type Line = (&'static str, fn() -> Duration);

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    if let Some(fd) = args.iter().find_map(|arg| arg.strip_prefix("-ipcfd=")) {
        let hook: RpcHook = Arc::new(|request, chain| {
            if request.method == "callback" {
                chain.block_at(1)?;
            }
            Ok(Ok(String::new()))
        });
        return match ipc::serve_fd(fd.parse().unwrap(), Arc::new(FakeInit::with_hook(hook))) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    let wanted = args.iter().find(|arg| !arg.starts_with('-'));
    let lines: &[Line] = &[
        ("socket: a byte to a thread and back", socket),
        ("bare: capnp-rpc alone, to a thread", bare),
        ("call: to another process", call),
        ("pauses: the same, after pauses that leave caches cold", pauses),
        ("turns: the same, from 16 threads in turn", turns),
        ("callback: a call that calls back", callback),
    ];
    for (name, line) in lines {
        if wanted.is_none_or(|wanted| name.starts_with(wanted.as_str())) {
            println!("{:8.1} us  {name}", line().as_nanos() as f64 / 1000.0);
        }
    }
    ExitCode::SUCCESS
}

/// Returns the median time of what `round` does.
fn median(mut round: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..ROUNDS + ROUNDS / 10)
        .map(|_| {
            let start = Instant::now();
            round();
            start.elapsed()
        })
        .skip(ROUNDS / 10)
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn socket() -> Duration {
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    std::thread::spawn(move || {
        let mut byte = [0];
        while theirs.read_exact(&mut byte).is_ok() {
            theirs.write_all(&byte).unwrap();
        }
    });
    let mut byte = [0];
    median(|| {
        ours.write_all(&byte).unwrap();
        ours.read_exact(&mut byte).unwrap();
    })
}

/// Answers with its name.
struct Named;

impl thread::Server for Named {
    async fn get_name(
        self: Rc<Self>,
        _: thread::GetNameParams,
        mut results: thread::GetNameResults,
    ) -> Result<(), capnp::Error> {
        results.get().set_result(TEXT);
        Ok(())
    }
}

/// Makes an RPC system on a socket; `offer` is what the other side may call.
fn system(stream: UnixStream, side: Side, offer: Option<capnp::capability::Client>) -> RpcSystem<Side> {
    stream.set_nonblocking(true).unwrap();
    let (reader, writer) = tokio::net::UnixStream::from_std(stream).unwrap().into_split();
    let reader = futures::io::BufReader::new(reader.compat());
    let writer = futures::io::BufWriter::new(writer.compat_write());
    RpcSystem::new(Box::new(twoparty::VatNetwork::new(reader, writer, side, Default::default())), offer)
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    LocalSet::new().block_on(&runtime, work)
}

fn bare() -> Duration {
    let (ours, theirs) = UnixStream::pair().unwrap();
    std::thread::spawn(move || {
        block_on(async {
            let named: thread::Client = new_client(Named);
            // Ends with the connection.
            let _ = system(theirs, Side::Server, Some(named.client)).await;
        });
    });
    block_on(async {
        let mut rpc = system(ours, Side::Client, None);
        let named: thread::Client = rpc.bootstrap(Side::Server);
        tokio::task::spawn_local(rpc);
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let response = named.get_name_request().send().promise.await.unwrap();
            assert_eq!(response.get().unwrap().get_result().unwrap(), TEXT);
            times.push(start.elapsed());
        }
        times.sort_unstable();
        times[times.len() / 2]
    })
}

fn start() -> ipc::Connection {
    ipc::spawn_with(&std::env::current_exe().unwrap(), ["serve"]).unwrap()
}

fn call() -> Duration {
    let child = start();
    let echo = child.init().make_echo().unwrap();
    median(|| assert_eq!(echo.echo(TEXT.to_owned()).unwrap(), TEXT))
}

fn pauses() -> Duration {
    let child = start();
    let echo = child.init().make_echo().unwrap();
    let mut memory = vec![0u8; COLD];
    let mut times: Vec<_> = (0..ROUNDS / 10)
        .map(|_| {
            std::thread::sleep(PAUSE);
            memory.iter_mut().step_by(64).for_each(|byte| *byte = byte.wrapping_add(1));
            let start = Instant::now();
            assert_eq!(echo.echo(TEXT.to_owned()).unwrap(), TEXT);
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn turns() -> Duration {
    let child = start();
    let echo: Arc<dyn Echo> = child.init().make_echo().unwrap();
    let (done, wait) = channel();
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (go, turn) = channel::<()>();
            let (echo, done) = (echo.clone(), done.clone());
            std::thread::spawn(move || {
                while turn.recv().is_ok() {
                    let start = Instant::now();
                    assert_eq!(echo.echo(TEXT.to_owned()).unwrap(), TEXT);
                    done.send(start.elapsed()).unwrap();
                }
            });
            go
        })
        .collect();
    let mut times: Vec<_> = (0..ROUNDS)
        .map(|round| {
            threads[round % THREADS].send(()).unwrap();
            wait.recv().unwrap()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn callback() -> Duration {
    let child = start();
    let loader = child.init().make_wallet_loader(testing::config(), FakeChain::new(3)).unwrap();
    let request = RpcRequest {
        method: "callback".to_owned(),
        params: "[]".to_owned(),
        uri: "/".to_owned(),
        user: "me".to_owned(),
        tip: None,
    };
    median(|| assert_eq!(loader.execute_rpc(request.clone()).unwrap(), Ok(String::new())))
}
