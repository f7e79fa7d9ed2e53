//! A node under measurement: started, asked over HTTP, watched and stopped.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use serde_json::{Value, json};

/// Longest a program may take to start or stop.
const PATIENCE: Duration = Duration::from_secs(120);
/// Longest an answer may take.
const ANSWER: Duration = Duration::from_secs(600);
/// Between two looks at something that is waited for.
pub const GLANCE: Duration = Duration::from_millis(1);

/// A program that is measured.
#[derive(Clone, Debug)]
pub struct Program {
    /// The column it stands in.
    pub name: &'static str,
    /// Where it is.
    pub path: PathBuf,
}

/// A directory that is removed in the end.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes an empty one.
    pub fn new(name: &str) -> Result<Scratch> {
        let path = std::env::temp_dir().join(format!("bitcoin-bench-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Scratch(path))
    }

    /// Makes a copy of another.
    pub fn copy(&self, name: &str) -> Result<Scratch> {
        let copy = Scratch::new(name)?;
        copy_all(&self.0, &copy.0)?;
        Ok(copy)
    }
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_all(&entry.path(), &target)?
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running node.
pub struct Node {
    process: Child,
    /// Where its RPC is.
    rpc: u16,
    /// Where its peers connect.
    pub port: u16,
    authorization: String,
    /// When it was started.
    pub started: Instant,
    /// How long it took from then until it answered.
    pub ready_after: Duration,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Node {
    /// Starts a program on a directory and waits until it answers. It listens for peers if the options say so.
    pub fn start(program: &Program, directory: &Scratch, options: &[&str]) -> Result<Node> {
        let listens = options.contains(&"-listen=1");
        let cookie = directory.0.join("regtest/.cookie");
        let _ = fs::remove_file(&cookie);
        let (rpc, port) = (free_port()?, free_port()?);
        let started = Instant::now();
        let process = Command::new(&program.path)
            .arg("-regtest")
            .arg(format!("-datadir={}", directory.0.display()))
            .arg(format!("-rpcport={rpc}"))
            .arg(if listens { format!("-bind=127.0.0.1:{port}") } else { "-listen=0".to_owned() })
            .args(["-printtoconsole=0", "-assumevalid=0", "-dnsseed=0", "-fixedseeds=0", "-v2transport=0"])
            // Regtest's checks of the whole mempool and block index at every step would be all that is measured.
            .args(["-checkmempool=0", "-checkblockindex=0"])
            .args(options)
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.path.display()))?;
        let mut node = Node { process, rpc, port, authorization: String::new(), started, ready_after: Duration::ZERO };
        while started.elapsed() < PATIENCE {
            if let Some(status) = node.process.try_wait()? {
                bail!("{} ended with {status} before it was ready", program.name);
            }
            if let Ok(secret) = fs::read_to_string(&cookie) {
                node.authorization = base64::engine::general_purpose::STANDARD.encode(secret);
                if node.client().and_then(|mut client| client.call("getblockcount", json!([]))).is_ok() {
                    node.ready_after = started.elapsed();
                    return Ok(node);
                }
            }
            std::thread::park_timeout(GLANCE);
        }
        bail!("{} was not ready after {} s", program.name, PATIENCE.as_secs())
    }

    /// A new connection to its RPC.
    pub fn client(&self) -> Result<Client> {
        let stream = TcpStream::connect(("127.0.0.1", self.rpc)).context("cannot connect to the RPC")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER))?;
        Ok(Client { stream, buffer: vec![0; 1 << 12], authorization: self.authorization.clone() })
    }

    /// Waits until the tip is the one given.
    pub fn wait_for_tip(&self, tip: &str, patience: Duration) -> Result<()> {
        let (begin, mut client) = (Instant::now(), self.client()?);
        while client.call("getbestblockhash", json!([]))? != tip {
            ensure!(begin.elapsed() < patience, "the chain was not there after {} s", patience.as_secs());
            std::thread::park_timeout(GLANCE * 5);
        }
        Ok(())
    }

    /// Seconds of processor time that it and its children took so far.
    pub fn processor_seconds(&self) -> f64 {
        // Clock ticks are a hundredth of a second wherever Linux runs.
        self.processes().iter().filter_map(|id| ticks(*id)).sum::<u64>() as f64 / 100.0
    }

    /// Most memory that it and its children had, in MiB.
    pub fn peak_memory(&self) -> f64 {
        self.processes().iter().filter_map(|id| peak(*id)).sum::<u64>() as f64 / 1024.0
    }

    fn processes(&self) -> Vec<u32> {
        let id = self.process.id();
        let children = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
        let lists = children.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        let children =
            lists.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>());
        std::iter::once(id).chain(children).collect()
    }

    /// Stops the program.
    pub fn stop(mut self) -> Result<()> {
        self.client()?.call("stop", json!([]))?;
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if let Some(status) = self.process.try_wait()? {
                ensure!(status.success(), "a node ended with {status}");
                return Ok(());
            }
            std::thread::park_timeout(GLANCE);
        }
        bail!("a node did not stop within {} s", PATIENCE.as_secs())
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// User and system time of a process.
fn ticks(id: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may hold spaces.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// Peak resident KiB of a process.
fn peak(id: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()
}

/// A connection to a node's RPC that stays open.
pub struct Client {
    stream: TcpStream,
    /// Longer answers make it longer.
    buffer: Vec<u8>,
    authorization: String,
}

impl Client {
    /// Calls a method and returns its result.
    pub fn call(&mut self, method: &str, params: Value) -> Result<Value> {
        let request = json!({"jsonrpc": "2.0", "id": 0, "method": method, "params": params});
        let mut reply: Value = serde_json::from_slice(self.send(&self.request("/", &request))?)?;
        if let Some(error) = reply.get("error").filter(|error| !error.is_null()) {
            bail!("{method}: {error}");
        }
        Ok(reply["result"].take())
    }

    /// A whole HTTP request, to be sent any number of times.
    pub fn request(&self, path: &str, body: &Value) -> Vec<u8> {
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {}\r\nContent-Length: {}\r\n\r\n",
            self.authorization,
            body.len()
        );
        (head + &body).into_bytes()
    }

    /// Sends a request and returns the body of the answer.
    pub fn send(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.ask(request)?;
        self.answer()
    }

    /// Sends a request and does not wait.
    pub fn ask(&mut self, request: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(request)?)
    }

    /// Waits for an answer and returns its body.
    pub fn answer(&mut self) -> Result<&[u8]> {
        let mut filled = 0;
        loop {
            if filled == self.buffer.len() {
                self.buffer.resize(2 * filled, 0);
            }
            let read = self.stream.read(&mut self.buffer[filled..])?;
            ensure!(read > 0, "the node closed the connection");
            filled += read;
            let Some(head) = self.buffer[..filled].windows(4).position(|end| end == b"\r\n\r\n") else { continue };
            let begin = head + 4;
            let end = begin + length(&self.buffer[..begin]).context("an answer without length")?;
            if self.buffer.len() < end {
                self.buffer.resize(end, 0);
            }
            self.stream.read_exact(&mut self.buffer[filled.min(end)..end])?;
            return Ok(&self.buffer[begin..end]);
        }
    }
}

/// What a head says of the length of what follows.
fn length(head: &[u8]) -> Option<usize> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    })
}
