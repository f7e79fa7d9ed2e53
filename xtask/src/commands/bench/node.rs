//! The nodes' part of `cargo xtask bench`: builds and starts the crate `bench`, which needs more than this one may link.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::flags::Bench;

/// Measures the programs in `src/`, and the peer's if there is one. Chains stay in `target/` for the next time.
pub fn run(root: &Path, flags: &Bench) -> Result<()> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["run", "--quiet", "--release", "--package=bench", "--", "node"]).current_dir(root);
    command.arg(root.join("src")).arg(root.join("target/bench-chains"));
    if let Some(peer) = &flags.peer {
        command.arg("--peer").arg(std::path::absolute(peer).context("cannot resolve the peer's path")?);
    }
    let counts = [("--blocks", flags.blocks), ("--transactions", flags.transactions)];
    for (name, count) in counts {
        command.args(count.iter().flat_map(|count| [name.to_owned(), count.to_string()]));
    }
    let pairs = |name: &str, values: &[OsString]| -> Vec<OsString> {
        values.iter().flat_map(|value| [name.into(), value.clone()]).collect()
    };
    command.args(pairs("--only", &flags.only)).args(pairs("--column", &flags.column));
    let status = command.status().context("cannot run cargo")?;
    if !status.success() {
        bail!("the measurements of nodes ended with {status}");
    }
    Ok(())
}
