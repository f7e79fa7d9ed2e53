//! Runs the node in the background (`-daemon`, `-daemonwait`).
//!
//! Forking is not safe once threads may exist, so the program starts itself anew in a session of its own, with a pipe
//! as standard output through which it tells the waiting parent how the start went.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Command, ExitCode, Stdio};

use common::args::Args;

/// Last word of the command line of a program started by itself.
const MARKER: &str = "-daemonchild";
/// What the child sends when the start went well.
const STARTED: u8 = 1;

/// The background process's line to the one that waits for it; without the last word the other sees a failure.
pub(crate) struct Parent(File);

impl Parent {
    /// Says that the start went well.
    pub fn started(mut self) {
        // The parent may have been stopped meanwhile, which changes nothing here.
        let _ = self.0.write_all(&[STARTED]);
    }
}

/// Makes this process a background one if the command line says that it was started as such, and returns the rest of
/// the command line.
pub(crate) fn enter(mut argv: Vec<OsString>) -> std::io::Result<(Vec<OsString>, Option<Parent>)> {
    if argv.last().is_none_or(|word| word != MARKER) {
        return Ok((argv, None));
    }
    argv.pop();
    let parent = Parent(File::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?));
    rustix::stdio::dup2_stdout(OpenOptions::new().write(true).open("/dev/null")?)?;
    rustix::process::setsid()?;
    Ok((argv, Some(parent)))
}

/// Says whether the options ask for a background process.
pub(crate) fn wanted(args: &Args) -> bool {
    args.get_bool("daemon") || args.get_bool("daemonwait")
}

/// Starts the background process and waits for its word.
pub(crate) fn spawn(argv: &[OsString]) -> Result<ExitCode, String> {
    common::console::stdout(format_args!("{} starting\n", common::version::CLIENT_NAME));
    let failed = |error: std::io::Error| format!("cannot start in the background: {error}");
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    std::os::unix::process::CommandExt::arg0(&mut command, argv.first().cloned().unwrap_or_default());
    command.args(argv.iter().skip(1)).arg(MARKER);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(failed)?;
    let mut word = [0];
    let read = child.stdout.take().map(|mut pipe| pipe.read_exact(&mut word));
    if matches!(read, Some(Ok(()))) && word == [STARTED] {
        return Ok(ExitCode::SUCCESS);
    }
    let log = common::logging::file_path();
    let name = log.as_ref().and_then(|path| path.file_name()).map_or("debug.log".into(), |name| name.to_string_lossy());
    common::console::stderr(format_args!("Error during initialization - check {name} for details\n"));
    Ok(ExitCode::FAILURE)
}
