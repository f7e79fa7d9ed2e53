//! `bitcoin`: one command in front of all the programs, so that only one name need be known.
//!
//! A library so that choosing and finding a program can be tested without starting one. Invariant: the wrapper
//! replaces itself by the program it chose and adds nothing to what the program does, prints or returns.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use common::{console, version};

mod command_line;
mod find;
mod multiprocess;

use command_line::{Action, CommandLine};

/// Runs the wrapper; returns only if there was nothing to start or it could not be started.
pub fn run(argv: Vec<OsString>) -> ExitCode {
    let argv0 = argv.first().cloned().unwrap_or_else(|| OsString::from("bitcoin"));
    let shown = Path::new(&argv0).to_string_lossy().into_owned();
    match act(&argv0, argv.get(1..).unwrap_or_default()) {
        Ok(code) => code,
        Err(error) => {
            console::stderr(format_args!("Error: {error}\nTry '{shown} --help' for more information.\n"));
            ExitCode::FAILURE
        }
    }
}

/// Why no program was started.
#[derive(Debug, thiserror::Error)]
enum WrapperError {
    #[error(transparent)]
    CommandLine(#[from] command_line::CommandLineError),
    #[error("'{program}' is not there; looked for {tried}")]
    NotFound { program: &'static str, tried: String },
    #[error("cannot execute '{}': {source}", path.display())]
    Exec { path: PathBuf, source: std::io::Error },
}

fn act(argv0: &OsString, words: &[OsString]) -> Result<ExitCode, WrapperError> {
    let line = CommandLine::parse(words)?;
    let name = Path::new(argv0).file_name().unwrap_or(argv0).to_string_lossy().into_owned();
    match line.action {
        Action::Version => {
            // The wrapper is the software as a whole, so its line has no program between name and version.
            console::stdout(version::version_text("").replacen("  ", " ", 1));
            Ok(ExitCode::SUCCESS)
        }
        Action::FullHelp => {
            console::stdout(command_line::help(&name, true));
            Ok(ExitCode::SUCCESS)
        }
        Action::ShortHelp => {
            console::stdout(command_line::help(&name, false));
            Ok(ExitCode::FAILURE)
        }
        Action::Start(program) => {
            let split =
                line.multiprocess.unwrap_or_else(|| program.has_split_form() && multiprocess::wanted(&line.args));
            start(argv0, program.name(split), program.leading_args(), &line.args)
        }
    }
}

/// Replaces this process by `program`, trying each place it may be in.
fn start(
    argv0: &OsString,
    program: &'static str,
    leading: &[&str],
    args: &[OsString],
) -> Result<ExitCode, WrapperError> {
    let places = find::candidates(argv0, std::env::current_exe().ok().as_deref(), program);
    for place in &places {
        let source = Command::new(place).args(leading).args(args).exec();
        if source.kind() != std::io::ErrorKind::NotFound {
            return Err(WrapperError::Exec { path: place.clone(), source });
        }
    }
    let tried: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
    Err(WrapperError::NotFound { program, tried: tried.join(", ") })
}
