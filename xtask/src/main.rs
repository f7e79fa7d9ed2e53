//! `cargo xtask`: the build driver. Wires the command line to the commands; see `flags.rs` for what there is.

#![forbid(unsafe_code)]

mod commands;
mod flags;

use std::process::ExitCode;

use flags::{Xtask, XtaskCmd};
use xtask::paths;

fn main() -> ExitCode {
    let flags = Xtask::from_env_or_exit();
    match run(flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            // One line, with the causes after it.
            eprintln!("error: {err:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: Xtask) -> anyhow::Result<()> {
    let root = paths::root()?;
    match flags.subcommand {
        XtaskCmd::Depends(flags) => commands::depends::run(&root, &flags.target, &flags.words),
    }
}
