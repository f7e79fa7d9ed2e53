//! capnp-rpc with its own network on tokio, as most programs use it.

use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Instant;

use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::{RpcSystem, new_client, twoparty};
use multiprocess::proxy_capnp::thread;
use tokio::task::LocalSet;
use tokio_util::compat::{TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt};

use crate::child;
use crate::meter::{Meter, Row};

/// Answers with a text of this length.
struct Named(usize);

impl thread::Server for Named {
    async fn get_name(
        self: Rc<Self>,
        _: thread::GetNameParams,
        mut results: thread::GetNameResults,
    ) -> Result<(), capnp::Error> {
        let text = results.get().init_result(self.0 as u32);
        text.as_bytes_mut().fill(b'x');
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

/// Serves texts of `length` bytes.
pub fn serve(length: &str) {
    let named: thread::Client = new_client(Named(length.parse().unwrap()));
    block_on(async {
        // Ends with the connection.
        let _ = system(child::input(), Side::Server, Some(named.client)).await;
    });
}

async fn ask(named: &thread::Client, length: usize) -> std::time::Duration {
    let start = Instant::now();
    let response = named.get_name_request().send().promise.await.unwrap();
    assert_eq!(response.get().unwrap().get_result().unwrap().len(), length);
    start.elapsed()
}

/// Asks `count` times for texts of `length` bytes, `at_once` at a time.
pub fn calls(count: usize, length: usize, at_once: usize) -> Row {
    let (mut other, ours) = child::start("bare-child", &[length.to_string()]);
    let pid = other.id();
    let row = block_on(async {
        let mut rpc = system(ours, Side::Client, None);
        let named: thread::Client = rpc.bootstrap(Side::Server);
        tokio::task::spawn_local(rpc);
        for _ in 0..count / 10 {
            ask(&named, length).await;
        }
        let meter = Meter::start(pid);
        let lanes = (0..at_once).map(|_| async {
            let mut times = Vec::new();
            for _ in 0..count / at_once {
                times.push(ask(&named, length).await);
            }
            times
        });
        let times = futures::future::join_all(lanes).await;
        meter.end(times.into_iter().flatten().collect())
    });
    other.wait().unwrap();
    row
}
