//! Fetching an address, by curl or wget. Separate because it is the only place that knows their options.
//!
//! **Invariant:** a dead network is given up on within seconds, because there may be another origin.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::system;

const CONNECT_SECONDS: &str = "10";

/// Writes what an address gives to a file.
pub(super) fn fetch(url: &str, to: &Path) -> Result<()> {
    let mut command;
    if let Some(curl) = system::which("curl") {
        command = Command::new(curl);
        command.args(["--location", "--fail", "--silent", "--show-error", "--connect-timeout", CONNECT_SECONDS]);
        // Given up on when less than 1 kB/s arrives for half a minute.
        command.args(["--speed-limit", "1000", "--speed-time", "30", "--output"]).arg(to).arg(url);
    } else if let Some(wget) = system::which("wget") {
        command = Command::new(wget);
        command.args(["--no-verbose", "--tries=1", "--timeout", CONNECT_SECONDS, "--output-document"]).arg(to).arg(url);
    } else {
        bail!("{url} needs curl or wget; install one with {}", system::install_hint(&["curl"]));
    }
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!("{url}: {}", text.lines().last().unwrap_or("failed").trim());
    }
    Ok(())
}
