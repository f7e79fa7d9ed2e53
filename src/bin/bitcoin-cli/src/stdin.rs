//! Reading passwords and further arguments from standard input.
//!
//! Separate because a password must never be echoed. Invariant: what was switched off on the terminal is switched
//! on again, also when reading fails.

use std::io::{self, BufRead, IsTerminal};

use common::{console, lossless};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::error::CliError;

/// Restores the terminal's echo when dropped.
struct EchoOff(Option<Termios>);

impl EchoOff {
    fn new() -> EchoOff {
        let Ok(before) = tcgetattr(io::stdin()) else { return EchoOff(None) };
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        EchoOff(tcsetattr(io::stdin(), OptionalActions::Now, &silent).is_ok().then_some(before))
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // Nothing sensible can be done about a terminal that went away.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

/// Reads one line without echoing it, prompting on a terminal; `option` is named if there is no line.
pub fn secret(prompt: &str, option: &str) -> Result<String, CliError> {
    let terminal = io::stdin().is_terminal();
    let line = {
        let _echo_off = terminal.then(EchoOff::new);
        if terminal {
            console::stderr(format_args!("{prompt}> "));
        }
        read_line(&mut io::stdin().lock())
    };
    if terminal {
        console::stdout("\n");
    }
    line.ok_or_else(|| CliError::Usage(format!("{option} specified but failed to read from standard input")))
}

/// Reads all remaining lines, one argument each.
pub fn arguments() -> Vec<String> {
    let mut input = io::stdin().lock();
    let lines = std::iter::from_fn(|| read_line(&mut input)).collect();
    if io::stdin().is_terminal() {
        console::stdout("\n");
    }
    lines
}

/// The next line without its newline; `None` at the end of input or if it cannot be read.
fn read_line(input: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    match input.read_until(b'\n', &mut line) {
        Ok(0) | Err(_) => None,
        Ok(_) => {
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            Some(lossless::from_bytes(&line))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let mut input = io::Cursor::new(b"one\n\ntwo words\r\nlast".to_vec());
        let lines: Vec<String> = std::iter::from_fn(|| read_line(&mut input)).collect();
        assert_eq!(lines, ["one", "", "two words\r", "last"]);
    }
}
