//! Runs the user's shell commands (`-startupnotify`, `-blocknotify`, `-shutdownnotify`, `-alertnotify`). They run on
//! threads of their own, because the node must not wait for them.

use std::process::Command;
use std::thread::JoinHandle;

/// Runs `command` with the shell on a new thread; joining the handle waits for its end.
pub(crate) fn spawn(command: String) -> Option<JoinHandle<()>> {
    if command.is_empty() {
        return None;
    }
    let thread = std::thread::Builder::new().name("notify".to_owned());
    let spawned =
        thread.spawn(move || match Command::new("/bin/sh").arg("-c").arg(common::lossless::to_os(&command)).status() {
            Ok(status) if status.success() => {}
            Ok(status) => log::warn!("runCommand error: system({command}) returned {}", status.code().unwrap_or(-1)),
            Err(error) => log::warn!("runCommand error: cannot run {command}: {error}"),
        });
    match spawned {
        Ok(handle) => Some(handle),
        Err(error) => {
            log::warn!("cannot start a thread for a notify command: {error}");
            None
        }
    }
}

/// Keeps of an alert's text what a shell cannot misread, in single quotes.
pub(crate) fn quote_alert(message: &str) -> String {
    let safe = |c: &char| c.is_ascii_alphanumeric() || " .,;-_/:?@()".contains(*c);
    format!("'{}'", message.chars().filter(safe).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alert_text_cannot_leave_its_quotes() {
        assert_eq!(quote_alert("a'; rm -rf $HOME `x` \"y\""), "'a; rm -rf HOME x y'");
    }

    #[test]
    fn command_runs_and_its_failure_is_survived() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let file = dir.path().join("ran");
        spawn(format!("echo x > {}", file.display())).expect("thread").join().expect("no panic");
        assert_eq!(std::fs::read_to_string(file).expect("file"), "x\n");
        spawn("exit 3".to_owned()).expect("thread").join().expect("no panic");
        assert!(spawn(String::new()).is_none());
    }
}
