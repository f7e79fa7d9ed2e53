//! The project's own rules, checked. `cargo xtask tidy` prints what breaks them; a `#[test]` runs the same code.
//!
//! Each rule is a function from the clone's directory to the list of what breaks it, in its own file.

mod dependencies;
mod files;
mod lints;
mod map;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use xtask::schemas;
pub use xtask::schemas::bless;

type Rule = fn(&Path) -> Result<Vec<String>>;

/// The rules by name.
pub const RULES: [(&str, Rule); 8] = [
    ("crates use only what the table allows", dependencies::direct),
    ("crates never reach what the table forbids", dependencies::reached),
    ("every source file opens with //!, and none is a mod.rs", files::headers),
    ("no source file is over the size limit", files::sizes),
    ("the feature multiprocess is known to programs only", files::features),
    ("every crate inherits the workspace's lints", lints::inherited),
    ("schema ordinals are append-only", schemas::ordinals),
    ("ARCHITECTURE.md names each crate and no other", map::crates),
];

/// What breaks a rule; a rule that cannot be checked is broken too.
pub fn broken(root: &Path, rule: Rule) -> Vec<String> {
    rule(root).unwrap_or_else(|err| vec![format!("cannot check: {err:#}")])
}

/// The project's files with an ending, tracked or about to be.
fn project_files(root: &Path, ending: &str) -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "--", &format!("*{ending}")])
        .current_dir(root)
        .output()
        .context("cannot run git")?;
    if !output.status.success() {
        bail!("git ls-files failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let text = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
    // A file that was removed and not yet committed is still listed.
    Ok(text.lines().filter(|file| root.join(file).is_file()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clone_keeps_the_rules() {
        let root = xtask::paths::root().expect("tests run in a clone");
        let broken: Vec<_> = RULES
            .iter()
            .flat_map(|(name, rule)| broken(&root, *rule).into_iter().map(move |problem| format!("{name}: {problem}")))
            .collect();
        assert!(broken.is_empty(), "\n{}", broken.join("\n"));
    }
}
