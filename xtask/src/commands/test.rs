//! `cargo xtask test`: the project's one test command. Everything from a fresh clone on, in the profile and with the
//! features that the programs are shipped with, closing with one line that sums it up.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::ops::AddAssign;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::{cargo, compatibility, functional, prepare, python, sanitize, tidy};

/// How many tests passed and failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Count {
    /// Passed.
    pub passed: usize,
    /// Failed.
    pub failed: usize,
    /// How often each test failed, by the command that ran it and its name.
    pub failures: BTreeMap<String, usize>,
}

impl Count {
    /// Returns the count of one test that was not run by a command of its own.
    pub fn of_one(name: &str, passed: bool) -> Count {
        match passed {
            true => Count { passed: 1, ..Count::default() },
            false => Count { failed: 1, failures: [(name.to_owned(), 1)].into(), ..Count::default() },
        }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.passed += other.passed;
        self.failed += other.failed;
        for (name, times) in other.failures {
            *self.failures.entry(name).or_default() += times;
        }
    }
}

/// What a line that a test command prints says.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// So many tests passed and failed.
    Sum {
        /// Passed.
        passed: usize,
        /// Failed.
        failed: usize,
    },
    /// The test of this name failed.
    Failed(String),
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
    for (name, times) in &count.failures {
        println!("{name} failed {times} of {repeat} times");
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
pub fn capture(command: &mut Command, what: &str, parse: fn(&str) -> Option<Said>) -> Result<Count> {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {what}"))?;
    let mut count = Count::default();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line.with_context(|| format!("cannot read the output of {what}"))?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            match parse(&line) {
                Some(Said::Sum { passed, failed }) => {
                    count.passed += passed;
                    count.failed += failed;
                }
                Some(Said::Failed(name)) => *count.failures.entry(format!("{what}: {name}")).or_default() += 1,
                None => {}
            }
        }
    }
    let status = child.wait().with_context(|| format!("cannot wait for {what}"))?;
    if !status.success() && count.failed == 0 {
        eprintln!("{what} failed ({status})");
        count += Count::of_one(what, false);
    }
    Ok(count)
}

/// `test find::tests::flags ... FAILED` and `test result: ok. 3 passed; 0 failed; …`
pub fn of_cargo(line: &str) -> Option<Said> {
    if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
        return Some(Said::Failed(name.to_owned()));
    }
    let rest = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let number =
        |what: &str| rest.split("; ").find_map(|part| part.trim().strip_suffix(what)?.trim().parse::<usize>().ok());
    Some(Said::Sum { passed: number("passed")?, failed: number("failed")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_cargo_are_understood() {
        let check = |line: &str, expected: Option<Said>| assert_eq!(of_cargo(line), expected, "{line}");
        let rest = "0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        check(&format!("test result: ok. 3 passed; 0 failed; {rest}"), Some(Said::Sum { passed: 3, failed: 0 }));
        check(&format!("test result: FAILED. 10 passed; 2 failed; {rest}"), Some(Said::Sum { passed: 10, failed: 2 }));
        check(
            "test find::tests::flags_become_fields ... FAILED",
            Some(Said::Failed("find::tests::flags_become_fields".into())),
        );
        check("test find::tests::flags_become_fields ... ok", None);
    }

    #[test]
    fn a_command_that_only_fails_counts_as_a_failure() {
        let count = capture(Command::new("sh").args(["-c", "exit 3"]), "sh", of_cargo).expect("sh runs");
        assert_eq!(count, Count::of_one("sh", false));
    }

    #[test]
    fn each_test_is_counted_for_itself() {
        let output =
            "printf 'test a ... ok\ntest b ... FAILED\ntest result: FAILED. 1 passed; 1 failed; 0 ignored\n'; exit 1";
        let mut sum = Count::default();
        for _ in 0..2 {
            sum += capture(Command::new("sh").args(["-c", output]), "sh", of_cargo).expect("sh runs");
        }
        assert_eq!(sum, Count { passed: 2, failed: 2, failures: [("sh: b".to_owned(), 2)].into() });
    }
}
