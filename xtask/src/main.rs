//! `cargo xtask`: the build driver. Wires the command line to the commands; see `flags.rs` for what there is.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "for developers, who see a panic as such")]

mod commands;
mod flags;
mod tidy;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Result, bail};
use flags::{Xtask, XtaskCmd};
use xtask::paths;

fn main() -> ExitCode {
    let arguments = arguments();
    if commands::configure::wants_help(&arguments) {
        println!("{}", commands::configure::HELP);
        return ExitCode::SUCCESS;
    }
    let flags = Xtask::from_vec(arguments).unwrap_or_else(|err| err.exit());
    match run(flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            // One line, with the causes after it.
            eprintln!("error: {err:#}");
            ExitCode::FAILURE
        }
    }
}

/// The arguments, with `--name=value` as two. Those of `./configure` stay as they are: it has a parser of its own.
fn arguments() -> Vec<OsString> {
    let mut arguments = Vec::new();
    for argument in std::env::args_os().skip(1) {
        if arguments.first().is_some_and(|first| first == "configure") {
            if arguments.len() == 1 {
                arguments.push("--".into());
            }
            arguments.push(argument);
            continue;
        }
        match argument.to_str().and_then(|text| text.split_once('=')) {
            Some((name, value)) if name.starts_with("--") => arguments.extend([name.into(), value.into()]),
            _ => arguments.push(argument),
        }
    }
    arguments
}

fn run(flags: Xtask) -> Result<()> {
    let root = paths::root()?;
    match flags.subcommand {
        XtaskCmd::Depends(flags) => commands::depends::run(&root, &flags.target, &flags.words),
        XtaskCmd::Configure(flags) => {
            commands::configure::run(&root, commands::configure::Options::parse(&flags.words)?)
        }
        XtaskCmd::Build(flags) => commands::build::run(&root, &flags.packages),
        XtaskCmd::Install(flags) => commands::install::run(&root, flags.strip),
        XtaskCmd::Uninstall(_) => commands::install::undo(&root),
        XtaskCmd::Manual(_) => commands::manual::run(&root),
        XtaskCmd::Setup(flags) => commands::setup::run(&root, flags.yes),
        XtaskCmd::Demo(flags) => commands::demo::run(&root, flags.yes),
        XtaskCmd::Test(flags) => commands::test::run(&root, flags.yes, flags.repeat.unwrap_or(1)),
        XtaskCmd::Functional(flags) => {
            let count = commands::functional::run(&root, flags.form.as_deref(), &flags.filters)?;
            match count.failed {
                0 => Ok(()),
                failed => bail!("{failed} functional tests failed"),
            }
        }
        XtaskCmd::Torment(flags) => commands::torment::run(&root, &flags),
        XtaskCmd::Mutants(flags) => commands::mutants::run(&root, &flags),
        XtaskCmd::Sanitize(flags) => commands::sanitize::run(&root, &flags.only),
        XtaskCmd::Compatibility(flags) => commands::compatibility::run(&root, flags.core.as_deref(), flags.check),
        XtaskCmd::Tidy(flags) => commands::tidy::run(&root, flags.bless),
        XtaskCmd::Reproduce(_) => commands::reproduce::run(&root),
        XtaskCmd::Bench(flags) => commands::bench::run(&root, &flags),
    }
}
