//! A node that a command starts, asks and stops. Separate from the commands that measure with it or ask it what it can.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use base64::Engine as _;

/// Longest a program may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running node on a data directory of its own, and one keep-alive connection to it.
pub struct Node {
    process: Child,
    datadir: PathBuf,
    url: String,
    agent: ureq::Agent,
    authorization: String,
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
    pub fn start(bin: &Path, program: &str, name: &str) -> Result<Node> {
        let datadir = std::env::temp_dir().join(format!("bitcoin-xtask-{}-{program}-{name}", std::process::id()));
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
        };
        let cookie = node.datadir.join("regtest/.cookie");
        while begin.elapsed() < PATIENCE {
            if let Some(status) = node.process.try_wait()? {
                bail!("{program} ended with {status} before it was ready");
            }
            if let Ok(secret) = fs::read_to_string(&cookie) {
                node.authorization = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(secret));
                if node.call("/", r#"{"method":"getblockcount","params":[]}"#).is_ok() {
                    return Ok(node);
                }
            }
            // A poll interval well below what is measured.
            std::thread::park_timeout(Duration::from_millis(1));
        }
        bail!("{program} was not ready after {} s", PATIENCE.as_secs())
    }

    /// Sends one JSON-RPC request and returns the reply's text.
    pub fn call(&self, path: &str, body: &str) -> Result<String> {
        let mut reply = self
            .agent
            .post(format!("{}{path}", self.url))
            .header("Authorization", &self.authorization)
            .send(body)
            .with_context(|| format!("call failed: {body}"))?;
        Ok(reply.body_mut().read_to_string()?)
    }

    /// Stops the program and expects exit code 0.
    pub fn stop(mut self) -> Result<()> {
        self.call("/", r#"{"method":"stop","params":[]}"#)?;
        let status = self.process.wait()?;
        if !status.success() {
            bail!("a node ended with {status}");
        }
        Ok(())
    }
}
