//! The commands, one file each, and what several of them need.

pub mod bench;
pub mod build;
pub mod compatibility;
pub mod configure;
pub mod demo;
pub mod depends;
pub mod directories;
pub mod functional;
pub mod install;
pub mod library;
pub mod manual;
pub mod mutants;
pub mod python;
pub mod reproduce;
pub mod running;
pub mod sanitize;
pub mod setup;
pub mod test;
pub mod tidy;
pub mod torment;

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use xtask::config::Config;
use xtask::depends::{Manifest, Options};

/// The programs, as the cargo packages they are in, and whether they belong to the split.
const PROGRAMS: [(&str, bool); 5] =
    [("bitcoind", false), ("bitcoin-cli", false), ("bitcoin", false), ("bitcoin-node", true), ("bitcoin-wallet", true)];

/// A command for the cargo that runs this program.
fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    // Set for this program by `cargo run`, and wrong for anything else.
    command.env_remove("CARGO_MANIFEST_DIR");
    // A record that cannot be read is an error of the command that needs more of it.
    let config = Config::load(root).unwrap_or_default();
    command.envs(config.environment(&std::env::var("RUSTFLAGS").unwrap_or_default()));
    command
}

/// Runs a command to its end with this program's own output.
fn run(command: &mut Command, what: &str) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {}", program(command)))?;
    if !status.success() {
        bail!("{what} failed ({status})");
    }
    Ok(())
}

fn program(command: &Command) -> String {
    OsStr::to_string_lossy(command.get_program()).into_owned()
}

/// Takes a machine from a fresh clone to built programs, both forms: system packages, `depends`, `configure`, build.
/// What is already there is left alone.
///
/// # Errors
/// When a step fails.
pub fn prepare(root: &Path, yes: bool) -> Result<()> {
    setup::run(root, yes)?;
    let config = Config::load(root)?;
    let usable = match &config.depends {
        Some(prefix) => Manifest::load(prefix)?.is_some_and(|manifest| manifest.multiprocess),
        None => false,
    };
    if !usable || config.multiprocess != Some(true) {
        let mut options = Options::new(root)?;
        options.take_environment();
        (options.multiprocess, options.no_qt, options.may_install, options.yes) = (true, true, true, yes);
        let prefix = xtask::depends::install(&options)?;
        configure::run(
            root,
            configure::Options { prefix: Some(prefix), multiprocess: Some(true), ..Default::default() },
        )?;
    }
    build::run(root, &[])
}
