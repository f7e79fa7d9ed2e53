//! The runtime's part of `cargo xtask bench`: calls to another process beside what they are made of, a socket and
//! capnp-rpc alone.
//!
//! It is a benchmark of the crate `ipc`, because this program is linked to nothing. Another implementation is compared
//! with by a command that prints its own figures in the same run.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::commands::{cargo, run as run_to_end};

/// Runs the benchmark, and then the command to compare with.
pub fn run(root: &Path, compare: Option<&OsStr>) -> Result<()> {
    let mut command = cargo(root);
    run_to_end(command.args(["bench", "--quiet", "-p", "ipc", "--bench", "call"]), "the benchmark")?;
    if let Some(compare) = compare {
        println!("compared with: {}", compare.to_string_lossy());
        run_to_end(Command::new("sh").arg("-c").arg(compare), "the command to compare with")?;
    }
    Ok(())
}
