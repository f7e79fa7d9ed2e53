//! `cargo xtask test`: the project's one test command. Everything from a fresh clone on, in the profile and with the
//! features that the programs are shipped with, closing with one line that sums it up.

use std::io::{BufRead, BufReader};
use std::ops::AddAssign;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::{cargo, compatibility, functional, prepare, python, sanitize, tidy};

/// How many tests passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use]
pub struct Count {
    /// Passed.
    pub passed: usize,
    /// Failed.
    pub failed: usize,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// Prepares the machine and runs all tests `repeat` times.
pub fn run(root: &Path, yes: bool, repeat: u32) -> Result<()> {
    prepare(root, yes)?;
    python::provide(root, yes);
    let mut count = Count::default();
    for round in 1..=repeat {
        if repeat > 1 {
            println!("round {round} of {repeat}");
        }
        count += run_once(root)?;
    }
    println!("{} passed, {} failed", count.passed, count.failed);
    if count.failed > 0 {
        bail!("{} tests failed", count.failed);
    }
    Ok(())
}

/// Runs all tests once.
fn run_once(root: &Path) -> Result<Count> {
    let mut command = cargo(root);
    command.args(["test", "--workspace", "--release", "--features", "multiprocess", "--no-fail-fast"]);
    let mut count = capture(&mut command, "cargo test", of_cargo)?;
    count += sanitize::bounded(root)?;
    count += tidy::count(root);
    count += functional::run(root, None, &[])?;
    count += compatibility::count(root);
    Ok(count)
}

/// Runs a command, passing its output on, and sums the lines that count. A command that fails without a failed test
/// (it did not compile, say) counts as one.
pub fn capture(command: &mut Command, what: &str, parse: fn(&str) -> Option<Count>) -> Result<Count> {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {what}"))?;
    let mut count = Count::default();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line.with_context(|| format!("cannot read the output of {what}"))?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            if let Some(found) = parse(&line) {
                count += found;
            }
        }
    }
    let status = child.wait().with_context(|| format!("cannot wait for {what}"))?;
    if !status.success() && count.failed == 0 {
        eprintln!("{what} failed ({status})");
        count.failed = 1;
    }
    Ok(count)
}

/// `test result: ok. 3 passed; 0 failed; …`
pub fn of_cargo(line: &str) -> Option<Count> {
    let rest = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let number =
        |what: &str| rest.split("; ").find_map(|part| part.trim().strip_suffix(what)?.trim().parse::<usize>().ok());
    Some(Count { passed: number("passed")?, failed: number("failed")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_cargo_are_understood() {
        let check = |line: &str, expected: Option<(usize, usize)>| {
            assert_eq!(of_cargo(line).map(|count| (count.passed, count.failed)), expected, "{line}");
        };
        let rest = "0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        check(&format!("test result: ok. 3 passed; 0 failed; {rest}"), Some((3, 0)));
        check(&format!("test result: FAILED. 10 passed; 2 failed; {rest}"), Some((10, 2)));
        check("test find::tests::flags_become_fields ... ok", None);
    }

    #[test]
    fn a_command_that_only_fails_counts_as_a_failure() {
        let count = capture(Command::new("sh").args(["-c", "exit 3"]), "sh", of_cargo).expect("sh runs");
        assert_eq!(count, Count { passed: 0, failed: 1 });
    }
}
