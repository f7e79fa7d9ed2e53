//! The node's part of `cargo xtask bench`: the monolith and the split side by side.
//!
//! Both programs run at the same time on data directories of their own and are asked in turn, in short batches, so
//! that whatever else the machine does touches both alike. Figures are medians; the last column is what counts.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::commands::running::Node;

/// The two forms, in the order they are printed.
const PROGRAMS: [&str; 2] = ["bitcoind", "bitcoin-node"];
/// Calls measured of each kind and program.
const CALLS: usize = 4_000;
/// Calls of one program before it is the other's turn.
const BATCH: usize = 50;
/// Starts measured of each program.
const STARTS: usize = 7;

/// Measures the programs in `bin` and prints the table.
pub fn run(bin: &Path) -> Result<()> {
    println!("{:<34}{:>12}{:>14}{:>14}{:>8}", "median", PROGRAMS[0], PROGRAMS[1], "difference", "ratio");
    let mut starts = [Vec::new(), Vec::new()];
    for round in 0..STARTS {
        for (program, samples) in PROGRAMS.iter().zip(&mut starts) {
            let node = Node::start(bin, program, &format!("start-{round}"))?;
            samples.push(node.ready_after);
            node.stop()?;
        }
    }
    row("exec to ready", starts);

    let nodes = [Node::start(bin, PROGRAMS[0], "calls")?, Node::start(bin, PROGRAMS[1], "calls")?];
    for node in &nodes {
        node.call("/", r#"{"method":"createwallet","params":["bench"]}"#)?;
        let reply = node.call("/wallet/bench", r#"{"method":"getnewaddress","params":[]}"#)?;
        let address = reply.split('"').nth(3).context("getnewaddress returned no address")?.to_owned();
        node.call("/", &format!(r#"{{"method":"generatetoaddress","params":[110,"{address}"]}}"#))?;
    }
    compare(&nodes, "RPC round trip (getblockcount)", "/", r#"{"method":"getblockcount","params":[]}"#)?;
    compare(&nodes, "wallet call (listwallets)", "/", r#"{"method":"listwallets","params":[]}"#)?;
    compare(&nodes, "wallet call (getbalances)", "/wallet/bench", r#"{"method":"getbalances","params":[]}"#)?;
    for node in nodes {
        node.stop()?;
    }
    Ok(())
}

/// Calls each node in turn and prints one row.
fn compare(nodes: &[Node; 2], what: &str, path: &str, body: &str) -> Result<()> {
    let mut samples = [Vec::new(), Vec::new()];
    for _ in 0..CALLS / BATCH {
        for (node, samples) in nodes.iter().zip(&mut samples) {
            for _ in 0..BATCH {
                let begin = Instant::now();
                node.call(path, body)?;
                samples.push(begin.elapsed());
            }
        }
    }
    row(what, samples);
    Ok(())
}

fn row(what: &str, samples: [Vec<Duration>; 2]) {
    let [first, second] = samples.map(|samples| median(samples).as_secs_f64() * 1e6);
    println!("{what:<34}{first:>9.0} us{second:>11.0} us{:>+11.0} us{:>8.2}", second - first, second / first);
}

fn median(mut samples: Vec<Duration>) -> Duration {
    samples.sort_unstable();
    samples.get(samples.len() / 2).copied().unwrap_or_default()
}
