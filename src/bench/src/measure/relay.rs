//! How long a transaction and a block take along five nodes, each connected to the next.
//!
//! The nodes trust each other, so that what is measured is what they do and not how long they wait so as not to betray
//! where a transaction came from.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Stage, median};
use crate::node::{Client, GLANCE, Node, Program, Scratch};
use crate::table::Better::Less;

/// Nodes in a row.
const NODES: usize = 5;
/// Transactions and blocks sent along.
const SAMPLES: (usize, usize) = (60, 20);
/// Longest that one of them may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn run(stage: &Stage) -> Result<()> {
    let (mut transactions, mut blocks) = (Vec::new(), Vec::new());
    for (program, directory) in stage.programs.iter().zip(&stage.synced) {
        let (transaction, block) = along(stage, program, directory).with_context(|| program.name)?;
        transactions.push(transaction);
        blocks.push(block);
    }
    stage.table.row("a transaction along five nodes", "ms", Less, &transactions);
    stage.table.row("a block, mined and along five nodes", "ms", Less, &blocks);
    Ok(())
}

fn along(stage: &Stage, program: &Program, synced: &Scratch) -> Result<(Option<f64>, Option<f64>)> {
    let copies = (0..NODES).map(|index| synced.copy(&format!("relay-{index}"))).collect::<Result<Vec<_>>>()?;
    let mut nodes: Vec<Node> = Vec::new();
    for copy in &copies {
        let peer = nodes.last().map_or("-connect=0".to_owned(), |node| format!("-connect=127.0.0.1:{}", node.port));
        let options = ["-listen=1", "-persistmempool=0", "-maxtipage=9999999999", "-whitelist=in,out,noban@127.0.0.1"];
        nodes.push(Node::start(program, copy, &[&options[..], &[&peer]].concat())?);
    }
    let mut clients = nodes.iter().map(Node::client).collect::<Result<Vec<_>>>()?;
    for (index, client) in clients.iter_mut().enumerate() {
        let expected = if index == 0 || index == NODES - 1 { 1 } else { 2 };
        wait(|| Ok(ready(&client.call("getpeerinfo", json!([]))?) == expected))?;
    }
    let [first, .., last] = clients.as_mut_slice() else { return Ok((None, None)) };
    let (mut transactions, mut blocks) = (Vec::new(), Vec::new());
    for transaction in stage.transactions.iter().take(SAMPLES.0) {
        let begin = Instant::now();
        let id = first.call("sendrawtransaction", json!([transaction]))?;
        wait(|| Ok(last.call("getmempoolentry", json!([id])).is_ok()))?;
        transactions.push(begin.elapsed());
    }
    for _ in 0..SAMPLES.1 {
        let begin = Instant::now();
        let hash = generate(first)?;
        wait(|| Ok(last.call("getbestblockhash", json!([]))? == hash))?;
        blocks.push(begin.elapsed());
    }
    nodes.into_iter().try_for_each(Node::stop)?;
    Ok((median(transactions, 1e3), median(blocks, 1e3)))
}

/// Mines a block; its hash.
fn generate(client: &mut Client) -> Result<Value> {
    let mut hashes = client.call("generatetodescriptor", json!([1, "raw(51)"]))?;
    Ok(hashes[0].take())
}

/// Peers that have shaken hands.
fn ready(peers: &Value) -> usize {
    peers.as_array().map_or(0, |peers| peers.iter().filter(|peer| peer["bytesrecv_per_msg"]["verack"].is_u64()).count())
}

fn wait(mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let begin = Instant::now();
    while !condition()? {
        ensure!(begin.elapsed() < PATIENCE, "nothing arrived within {} s", PATIENCE.as_secs());
        std::thread::park_timeout(GLANCE / 4);
    }
    Ok(())
}
