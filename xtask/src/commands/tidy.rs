//! `cargo xtask tidy`: checks the project's own rules and prints what breaks them.

use std::path::Path;

use anyhow::{Result, bail};

use super::test::Count;
use crate::tidy::{self, RULES};

/// Checks, after adding what is new to the golden files when asked to.
pub fn run(root: &Path, bless: bool) -> Result<()> {
    if bless {
        tidy::bless(root)?;
    }
    let count = count(root);
    if count.failed > 0 {
        bail!("{} of {} rules are broken", count.failed, RULES.len());
    }
    Ok(())
}

/// Checks and prints; how many rules hold and how many do not.
pub fn count(root: &Path) -> Count {
    let mut count = Count::default();
    for (name, rule) in RULES {
        let problems = tidy::broken(root, rule);
        count += Count::of_one(&format!("tidy: {name}"), problems.is_empty());
        println!("tidy: {name}: {}", if problems.is_empty() { "ok" } else { "BROKEN" });
        for problem in problems {
            println!("  {problem}");
        }
    }
    count
}
