//! What a run says while it works: lines on stderr, and a moving percentage where there is a terminal.

use std::io::{IsTerminal, Write};

use super::Options;

/// Prints a line about the run.
pub(super) fn note(options: &Options, text: &str) {
    if !options.quiet {
        eprintln!("depends: {text}");
    }
}

/// A step that takes long, with the percentage its output tells.
pub(super) struct Step {
    title: String,
    live: bool,
    quiet: bool,
    shown: u32,
}

impl Step {
    pub(super) fn start(options: &Options, title: &str) -> Step {
        note(options, title);
        let live = std::io::stderr().is_terminal() && !options.quiet;
        Step { title: title.to_owned(), live, quiet: options.quiet, shown: 0 }
    }

    /// Looks at a line of the step's output for a percentage such as make's `[ 42%]`.
    pub(super) fn line(&mut self, line: &str) {
        let percent = line.strip_prefix('[').and_then(|rest| rest.split_once("%]")).map(|(number, _)| number.trim());
        let Some(percent) = percent.and_then(|number| number.parse::<u32>().ok()) else { return };
        // Without a terminal a line each tenth is enough to see that it moves.
        if self.live && percent > self.shown {
            eprint!("\rdepends: {}: {percent} %", self.title);
            let _ = std::io::stderr().flush();
            self.shown = percent;
        } else if !self.live && !self.quiet && percent / 10 > self.shown / 10 {
            eprintln!("depends: {}: {percent} %", self.title);
            self.shown = percent;
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if self.live && self.shown > 0 {
            eprintln!();
        }
    }
}
