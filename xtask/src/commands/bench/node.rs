//! The node's part of `cargo xtask bench`: the monolith and the split side by side.
//!
//! Both programs run at the same time on data directories of their own and are asked in turn, in short batches, so
//! that whatever else the machine does touches both alike. Figures are medians; the last column is what counts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use base64::Engine as _;

/// The two forms, in the order they are printed.
const PROGRAMS: [&str; 2] = ["bitcoind", "bitcoin-node"];
/// Calls measured of each kind and program.
const CALLS: usize = 4_000;
/// Calls of one program before it is the other's turn.
const BATCH: usize = 50;
/// Starts measured of each program.
const STARTS: usize = 7;
/// Longest a program may take to start or stop.
const PATIENCE: Duration = Duration::from_secs(60);

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

/// A running node on a data directory of its own, and one keep-alive connection to it.
struct Node {
    process: Child,
    datadir: PathBuf,
    url: String,
    agent: ureq::Agent,
    authorization: String,
    ready_after: Duration,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.datadir);
    }
}

impl Node {
    /// Starts a program and waits until it answers `getblockcount`.
    fn start(bin: &Path, program: &str, name: &str) -> Result<Node> {
        let datadir = std::env::temp_dir().join(format!("bitcoin-bench-{}-{program}-{name}", std::process::id()));
        fs::create_dir_all(&datadir).with_context(|| format!("cannot create {}", datadir.display()))?;
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let path = bin.join(program);
        let begin = Instant::now();
        let process = Command::new(&path)
            .arg("-regtest")
            .arg(format!("-datadir={}", datadir.display()))
            .arg(format!("-rpcport={port}"))
            .args(["-listen=0", "-fallbackfee=0.0001", "-printtoconsole=0"])
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", path.display()))?;
        let mut node = Node {
            process,
            datadir,
            url: format!("http://127.0.0.1:{port}"),
            agent: ureq::Agent::new_with_defaults(),
            authorization: String::new(),
            ready_after: Duration::ZERO,
        };
        let cookie = node.datadir.join("regtest/.cookie");
        while begin.elapsed() < PATIENCE {
            if let Some(status) = node.process.try_wait()? {
                bail!("{program} ended with {status} before it was ready");
            }
            if let Ok(secret) = fs::read_to_string(&cookie) {
                node.authorization = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(secret));
                if node.call("/", r#"{"method":"getblockcount","params":[]}"#).is_ok() {
                    node.ready_after = begin.elapsed();
                    return Ok(node);
                }
            }
            // A poll interval well below what is measured.
            std::thread::park_timeout(Duration::from_millis(1));
        }
        bail!("{program} was not ready after {} s", PATIENCE.as_secs())
    }

    /// Sends one JSON-RPC request and returns the reply's text.
    fn call(&self, path: &str, body: &str) -> Result<String> {
        let mut reply = self
            .agent
            .post(format!("{}{path}", self.url))
            .header("Authorization", &self.authorization)
            .send(body)
            .with_context(|| format!("call failed: {body}"))?;
        Ok(reply.body_mut().read_to_string()?)
    }

    /// Stops the program and expects exit code 0.
    fn stop(mut self) -> Result<()> {
        self.call("/", r#"{"method":"stop","params":[]}"#)?;
        let status = self.process.wait()?;
        if !status.success() {
            bail!("a node ended with {status}");
        }
        Ok(())
    }
}
