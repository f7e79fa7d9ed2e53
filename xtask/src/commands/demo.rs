//! `cargo xtask demo`: shows a split node at work, from its first block to a confirmed payment.
//!
//! Drives the built programs exactly as a user would, through `bitcoin-cli`, on a regtest data directory of its own
//! that is gone afterwards. Separate from the tests: it asserts nothing but that every step worked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

/// A running `bitcoin-node` and the `bitcoin-cli` that talks to it.
struct Demo {
    bin: PathBuf,
    datadir: PathBuf,
    node: Child,
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Only reached with the node still running when a step failed.
        if matches!(self.node.try_wait(), Ok(None)) {
            let _ = self.node.kill();
            let _ = self.node.wait();
        }
        let _ = fs::remove_dir_all(&self.datadir);
    }
}

/// Prepares the machine, builds, and runs the demonstration.
pub fn run(root: &Path, yes: bool) -> Result<()> {
    super::prepare(root, yes)?;
    show(&root.join("src"))
}

/// Runs the demonstration with the programs in `bin`.
fn show(bin: &Path) -> Result<()> {
    let datadir = std::env::temp_dir().join(format!("bitcoin-demo-{}", std::process::id()));
    fs::create_dir_all(&datadir).with_context(|| format!("cannot create {}", datadir.display()))?;
    let program = bin.join("bitcoin-node");
    let port = free_port()?;

    step("Start bitcoin-node on regtest; it spawns its own bitcoin-wallet");
    let node = Command::new(&program)
        .arg("-regtest")
        .arg(format!("-datadir={}", datadir.display()))
        .arg(format!("-rpcport={port}"))
        .args(["-listen=0", "-fallbackfee=0.0001", "-debug=ipc", "-printtoconsole=0"])
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let mut demo = Demo { bin: bin.to_owned(), datadir, node };
    demo.show(port, &["-rpcwait", "getblockcount"])?;

    step("Create two wallets and mine to an address of the first");
    demo.show(port, &["createwallet", "miner"])?;
    demo.show(port, &["createwallet", "shop"])?;
    let miner = demo.show(port, &["-rpcwallet=miner", "getnewaddress"])?;
    demo.cli(port, &["generatetoaddress", "101", &miner])?;
    println!("  101 blocks mined to {miner}");

    step("Pay the second wallet");
    let shop = demo.show(port, &["-rpcwallet=shop", "getnewaddress"])?;
    let txid = demo.show(port, &["-rpcwallet=miner", "sendtoaddress", &shop, "1.5"])?;
    demo.show(port, &["-rpcwallet=shop", "getbalances"])?;

    step("Mine a block: the payment confirms");
    demo.cli(port, &["generatetoaddress", "1", &miner])?;
    let seen = demo.cli(port, &["-rpcwallet=shop", "gettransaction", &txid])?;
    for line in seen.lines().filter(|line| line.contains("\"confirmations\"") || line.contains("\"amount\"")).take(2) {
        println!("{line}");
    }
    demo.show(port, &["-rpcwallet=shop", "getbalances"])?;
    demo.show(port, &["-rpcwallet=miner", "getbalances"])?;

    step("The processes");
    let tree = process_tree(demo.node.id(), 1)?;
    print!("{tree}");
    if !tree.contains("bitcoin-wallet") {
        bail!("bitcoin-node has no bitcoin-wallet child");
    }

    step("What they said to each other (the last lines of the IPC trace in debug.log)");
    let log = fs::read_to_string(demo.datadir.join("regtest/debug.log")).context("cannot read debug.log")?;
    let trace: Vec<&str> = log.lines().filter(|line| line.contains("[ipc")).collect();
    for line in trace.iter().skip(trace.len().saturating_sub(8)) {
        println!("  {line}");
    }
    if trace.is_empty() {
        bail!("debug.log holds no IPC trace");
    }

    step("Stop");
    demo.show(port, &["stop"])?;
    let status = demo.node.wait().context("cannot wait for bitcoin-node")?;
    if !status.success() {
        bail!("bitcoin-node ended with {status}");
    }
    println!("  bitcoin-node and bitcoin-wallet ended, exit code 0\n");
    println!("The same by hand: src/bitcoin-node -regtest -printtoconsole -debug=ipc");
    Ok(())
}

impl Demo {
    /// Runs `bitcoin-cli` and returns what it printed, without the trailing newline.
    fn cli(&self, port: u16, args: &[&str]) -> Result<String> {
        let output = Command::new(self.bin.join("bitcoin-cli"))
            .arg("-regtest")
            .arg(format!("-datadir={}", self.datadir.display()))
            .arg(format!("-rpcport={port}"))
            .args(args)
            .output()
            .context("cannot start bitcoin-cli")?;
        if !output.status.success() {
            bail!("bitcoin-cli {} failed: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// As [`Demo::cli`], printing the command and its output.
    fn show(&self, port: u16, args: &[&str]) -> Result<String> {
        println!("  $ bitcoin-cli -regtest {}", args.join(" "));
        let output = self.cli(port, args)?;
        for line in output.lines() {
            println!("  {line}");
        }
        Ok(output)
    }
}

fn step(title: &str) {
    println!("\n== {title}");
}

fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("cannot bind to a local port")?;
    Ok(listener.local_addr()?.port())
}

/// Renders the process `pid` and its descendants, one a line.
fn process_tree(pid: u32, depth: usize) -> Result<String> {
    let name = fs::read(format!("/proc/{pid}/cmdline"))
        .map(|raw| {
            let words: Vec<_> = raw.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
            let program = words.first().map(|path| path.rsplit('/').next().unwrap_or(path).to_owned());
            program.unwrap_or_default()
        })
        .with_context(|| format!("process {pid} is gone"))?;
    let mut tree = format!("{}{pid} {name}\n", "  ".repeat(depth));
    for child in children(pid)? {
        tree.push_str(&process_tree(child, depth + 1)?);
    }
    Ok(tree)
}

/// Returns the processes whose parent is `pid`.
fn children(pid: u32) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("cannot read /proc")? {
        let Some(candidate) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // A process may end between the listing and the read: then it is nobody's child.
        let Ok(stat) = fs::read_to_string(format!("/proc/{candidate}/stat")) else { continue };
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)).map(str::parse::<u32>);
        if matches!(parent, Some(Ok(parent)) if parent == pid) {
            found.push(candidate);
        }
    }
    Ok(found)
}
