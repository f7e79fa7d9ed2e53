//! Calls about the chain: one at a time, a thousand in a batch, and from many clients at once.

use std::sync::atomic::{AtomicUsize, Ordering};
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
const CLIENTS: (usize, usize) = (64, 4_000);
/// Turns of the clients.
const TURNS: usize = 5;
/// Calls in a batch.
const BATCH: u32 = 1_000;

pub(super) fn run(stage: &Stage) -> Result<()> {
    let nodes = start(stage)?;
    let latency = |what: &str, body: &Value| latency(stage.table, &nodes, what, "/", body);
    latency("getblockcount", &call("getblockcount", json!([])))?;
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

/// Prints how many calls a second many clients get answered.
fn throughput(stage: &Stage, nodes: &[Node], what: &str, body: &Value) -> Result<()> {
    let mut samples = vec![Vec::new(); nodes.len()];
    for _ in 0..TURNS {
        for (node, samples) in nodes.iter().zip(&mut samples) {
            samples.push(turn(node, body)?);
        }
    }
    let values: Vec<_> =
        samples.into_iter().map(|samples| median(samples, 1.0).map(|seconds| CLIENTS.1 as f64 / seconds)).collect();
    stage.table.row(&format!("{} clients, {what}", CLIENTS.0), "calls/s", More, &values);
    Ok(())
}

fn turn(node: &Node, body: &Value) -> Result<Duration> {
    let clients: Vec<Client> = (0..CLIENTS.0).map(|_| node.client()).collect::<Result<_>>()?;
    let left = AtomicUsize::new(CLIENTS.1);
    let begin = Instant::now();
    let ask = |mut client: Client| -> Result<()> {
        let request = client.request("/", body);
        while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            client.send(&request)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = clients.into_iter().map(|client| scope.spawn(|| ask(client))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().ok().context("a client panicked")?)
    })?;
    Ok(begin.elapsed())
}
