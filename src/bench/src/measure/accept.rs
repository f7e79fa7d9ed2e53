//! Acceptance of transactions, from a peer and over RPC, and the mempool's listing once they are in.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::{Stage, calls};
use crate::node::{GLANCE, Node};
use crate::table::Better::{Less, More};
use crate::wire::{self, Connection};

/// Longest that all transactions may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// The chain's blocks are old; transactions are taken all the same.
const OPTIONS: [&str; 3] = ["-connect=0", "-persistmempool=0", "-maxtipage=9999999999"];

pub(super) fn run(stage: &Stage) -> Result<()> {
    let count = stage.transactions.len() as f64;
    let (mut rates, mut processor, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for (program, directory) in stage.programs.iter().zip(&stage.synced) {
        let node = Node::start(program, directory, &[&OPTIONS[..], &["-listen=1"]].concat())?;
        let before = node.processor_seconds();
        let seconds = from_peer(stage, &node).with_context(|| format!("{} and its peer", program.name))?;
        rates.push(Some(count / seconds.as_secs_f64()));
        processor.push(Some(node.processor_seconds() - before));
        memory.push(Some(node.peak_memory()));
        node.stop()?;
    }
    stage.table.row("transactions accepted from a peer", "1/s", More, &rates);
    stage.table.row("transactions accepted from a peer", "processor s", Less, &processor);
    stage.table.row("peak memory with transactions", "MiB", Less, &memory);

    let mut rates = Vec::new();
    let mut nodes = Vec::new();
    for (program, directory) in stage.programs.iter().zip(&stage.synced) {
        let node = Node::start(program, directory, &OPTIONS)?;
        let (begin, mut client) = (Instant::now(), node.client()?);
        for transaction in &stage.transactions {
            client.call("sendrawtransaction", json!([transaction])).context(program.name)?;
        }
        rates.push(Some(count / begin.elapsed().as_secs_f64()));
        nodes.push(node);
    }
    stage.table.row("sendrawtransaction, one client", "1/s", More, &rates);
    for (what, verbose) in [("getrawmempool", false), ("getrawmempool true", true)] {
        let body = calls::call("getrawmempool", json!([verbose]));
        calls::latency(stage.table, &nodes, what, "/", &body)?;
    }
    nodes.into_iter().try_for_each(Node::stop)
}

/// Sends all transactions as a peer; returns the time until the last one was taken.
fn from_peer(stage: &Stage, node: &Node) -> Result<Duration> {
    let messages: Vec<u8> = stage
        .transactions
        .iter()
        .map(|hex| Ok(wire::encoded("tx", &bitcoin::consensus::encode::deserialize_hex::<bitcoin::Transaction>(hex)?)))
        .collect::<Result<Vec<_>>>()?
        .concat();
    let mut peer = Connection::open(node.port)?;
    peer.settle()?;
    let mut client = node.client()?;
    let begin = Instant::now();
    peer.send(&messages)?;
    peer.settle()?;
    loop {
        let size = client.call("getmempoolinfo", json!([]))?["size"].as_u64().unwrap_or(0);
        if size == stage.transactions.len() as u64 {
            return Ok(begin.elapsed());
        }
        ensure!(begin.elapsed() < PATIENCE, "{size} transactions after {} s", PATIENCE.as_secs());
        std::thread::park_timeout(GLANCE);
    }
}
