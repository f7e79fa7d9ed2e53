//! `cargo xtask functional`: runs the black-box suite against the built programs, in one form or both.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::build;
use super::test::{Count, Said, capture};

/// The forms and the program that stands for each.
pub(super) const FORMS: [(&str, &str); 2] = [("monolith", "bitcoind"), ("split", "bitcoin-node")];

/// Runs the suite in the forms asked for and returns the sum of what it reported.
pub fn run(root: &Path, form: Option<&str>, filters: &[String]) -> Result<Count> {
    let form = form.unwrap_or("both");
    let mut count = Count::default();
    let mut known = false;
    for (name, program) in FORMS {
        if form != name && form != "both" {
            continue;
        }
        known = true;
        if name == "split" && !build::is_split(root)? {
            bail!(
                "the split programs are not built; run make -C depends MULTIPROCESS=1, ./configure with its prefix and make"
            );
        }
        let mut command = Command::new("python3");
        command.arg("test/functional/test_runner.py").args(filters).current_dir(root).env("BITCOIND", program);
        count += capture(&mut command, &format!("functional tests, {name}"), of_runner)?;
    }
    if !known {
        bail!("there is no form {form}: monolith, split or both");
    }
    Ok(count)
}

/// `failed    1.2 s  node_options` and `N passed, N failed, N skipped`
fn of_runner(line: &str) -> Option<Said> {
    if let Some((_, name)) = line.strip_prefix("failed ").and_then(|rest| rest.split_once(" s  ")) {
        return Some(Said::Failed(name.to_owned()));
    }
    let (mut passed, mut failed) = (0, 0);
    for part in line.split(", ") {
        let (number, what) = part.split_once(' ')?;
        let number: usize = number.parse().ok()?;
        match what {
            "passed" => passed = number,
            "failed" => failed = number,
            "skipped" => {}
            _ => return None,
        }
    }
    Some(Said::Sum { passed, failed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runners_lines_are_understood() {
        let check = |line: &str, expected: Option<Said>| assert_eq!(of_runner(line), expected, "{line}");
        check("12 passed, 1 failed, 3 skipped", Some(Said::Sum { passed: 12, failed: 1 }));
        check("12 passed, 0 failed", Some(Said::Sum { passed: 12, failed: 0 }));
        check("failed    1.2 s  node_options", Some(Said::Failed("node_options".to_owned())));
        check("passed    1.2 s  node_options", None);
        check("", None);
    }
}
