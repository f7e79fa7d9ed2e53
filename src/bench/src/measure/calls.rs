//! Calls about the chain: one at a time, a thousand in a batch, and from many clients at once.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{Stage, median};
use crate::node::{Client, Node};
use crate::table::Better::{Less, More};
use crate::table::Table;

/// Time each program is given for a kind of call, and for one turn of it.
const TIME: (Duration, Duration) = (Duration::from_secs(2), Duration::from_millis(200));
/// Clients that keep their connections, and calls of all of them in a turn.
const CLIENTS: (usize, usize) = (64, 12_800);
/// Turns of the clients.
const TURNS: usize = 5;
/// Calls in a batch.
const BATCH: u32 = 1_000;

pub(super) fn run(stage: &Stage) -> Result<()> {
    let nodes = start(stage)?;
    let latency = |what: &str, body: &Value| latency(stage.table, &nodes, what, "/", body);
    let count = call("getblockcount", json!([]));
    let bare = bare_exchange(nodes[0].client()?.request("/", &count).len())?;
    stage.table.row("as many bytes to and fro, nobody computing", "us", Less, &vec![bare; nodes.len()]);
    latency("getblockcount", &count)?;
    for verbosity in 0..=3 {
        let what = format!("getblock, verbosity {verbosity}, full block");
        latency(&what, &call("getblock", json!([stage.tip, verbosity])))?;
    }
    let heights = (0..BATCH).map(|index| index % stage.height);
    let batch: Vec<Value> = heights.map(|height| call("getblockhash", json!([height]))).collect();
    latency("batch of 1000 getblockhash", &Value::Array(batch))?;
    throughput(stage, &nodes, "getblockcount", &call("getblockcount", json!([])))?;
    throughput(stage, &nodes, "getblockheader", &call("getblockheader", json!([stage.tip])))?;
    nodes.into_iter().try_for_each(Node::stop)
}

fn start(stage: &Stage) -> Result<Vec<Node>> {
    let each = stage.programs.iter().zip(&stage.synced);
    each.map(|(program, directory)| Node::start(program, directory, &["-connect=0"])).collect()
}

/// A request as the server reads it.
pub(super) fn call(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "method": method, "params": params})
}

/// Prints how long a request takes.
pub(super) fn latency(table: &Table, nodes: &[Node], what: &str, path: &str, body: &Value) -> Result<()> {
    let mut clients: Vec<Client> = nodes.iter().map(Node::client).collect::<Result<_>>()?;
    let mut samples = vec![Vec::new(); nodes.len()];
    let begin = Instant::now();
    while begin.elapsed() < TIME.0 * nodes.len() as u32 {
        for (client, samples) in clients.iter_mut().zip(&mut samples) {
            let (request, turn) = (client.request(path, body), Instant::now());
            while turn.elapsed() < TIME.1 {
                let begin = Instant::now();
                client.send(&request)?;
                samples.push(begin.elapsed());
            }
        }
    }
    let values: Vec<_> = samples.into_iter().map(|samples| median(samples, 1e6)).collect();
    table.row(what, "us", Less, &values);
    Ok(())
}

/// How long an exchange takes whose request has as many bytes as a node would get, and whose other side only reads and
/// writes: what of a call is the system's.
fn bare_exchange(request: usize) -> Result<Option<f64>> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let mut stream = TcpStream::connect(listener.local_addr()?)?;
    stream.set_nodelay(true)?;
    let (mut other, _) = listener.accept()?;
    other.set_nodelay(true)?;
    let echo = thread::spawn(move || {
        let mut bytes = vec![0; request];
        // Ends with the connection.
        while other.read_exact(&mut bytes).is_ok() && other.write_all(&bytes).is_ok() {}
    });
    let (mut bytes, mut samples) = (vec![0; request], Vec::new());
    let begin = Instant::now();
    while begin.elapsed() < TIME.0 {
        let begin = Instant::now();
        stream.write_all(&bytes)?;
        stream.read_exact(&mut bytes)?;
        samples.push(begin.elapsed());
    }
    drop(stream);
    echo.join().ok().context("an echo panicked")?;
    Ok(median(samples, 1e6))
}

/// Prints how many calls a second many clients get answered, by the clock and for the time the node itself computed.
fn throughput(stage: &Stage, nodes: &[Node], what: &str, body: &Value) -> Result<()> {
    let mut samples = vec![Vec::new(); nodes.len()];
    let before: Vec<f64> = nodes.iter().map(Node::processor_seconds).collect();
    for _ in 0..TURNS {
        for (node, samples) in nodes.iter().zip(&mut samples) {
            samples.push(turn(node, body)?);
        }
    }
    let calls = CLIENTS.1 as f64;
    let rates: Vec<_> =
        samples.into_iter().map(|samples| median(samples, 1.0).map(|seconds| calls / seconds)).collect();
    let computed = nodes.iter().zip(before).map(|(node, before)| node.processor_seconds() - before);
    let computed: Vec<_> = computed.map(|seconds| Some(seconds / TURNS as f64 / calls * 1e6)).collect();
    let what = format!("{} clients, {what}", CLIENTS.0);
    stage.table.row(&what, "calls/s", More, &rates);
    stage.table.row(&what, "processor us/call", Less, &computed);
    Ok(())
}

/// One thread for each half of the clients: it asks for all of them and then, as long as there is something left to ask,
/// takes each one's answer and asks again for it. So requests of nearly all are at the node all the time, and no more of
/// the machine goes to the side that asks than reading and writing take.
fn turn(node: &Node, body: &Value) -> Result<Duration> {
    let mut clients: Vec<Client> = (0..CLIENTS.0).map(|_| node.client()).collect::<Result<_>>()?;
    let request = clients.first().map(|client| client.request("/", body)).unwrap_or_default();
    let ask = |clients: &mut [Client]| -> Result<()> {
        clients.iter_mut().try_for_each(|client| client.ask(&request))?;
        for _ in 1..CLIENTS.1 / CLIENTS.0 {
            for client in &mut *clients {
                client.answer()?;
                client.ask(&request)?;
            }
        }
        clients.iter_mut().try_for_each(|client| client.answer().map(drop))
    };
    let begin = Instant::now();
    thread::scope(|scope| {
        let halves = clients.chunks_mut(CLIENTS.0.div_ceil(2));
        let threads: Vec<_> = halves.map(|half| scope.spawn(|| ask(half))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().ok().context("a client panicked")?)
    })?;
    Ok(begin.elapsed())
}
