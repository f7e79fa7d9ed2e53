//! `ARCHITECTURE.md` is the map of the crates: it must have each of them, and none that is gone.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// The directory whose programs share one paragraph.
const PROGRAMS: &str = "src/bin";

/// Compares the map's bold paths with the workspace's members.
pub fn crates(root: &Path) -> Result<Vec<String>> {
    let map = fs::read_to_string(root.join("ARCHITECTURE.md")).context("cannot read ARCHITECTURE.md")?;
    let text = fs::read_to_string(root.join("Cargo.toml")).context("cannot read Cargo.toml")?;
    let manifest: toml::Table = toml::from_str(&text).context("cannot read Cargo.toml")?;
    let members = manifest["workspace"]["members"].as_array().context("Cargo.toml has no members")?;
    let members = members.iter().filter_map(|member| member.as_str());
    Ok(compare(&map, members))
}

fn compare<'a>(map: &str, members: impl Iterator<Item = &'a str>) -> Vec<String> {
    let existing: BTreeSet<&str> =
        members.map(|member| if member.starts_with(PROGRAMS) { PROGRAMS } else { member }).collect();
    // A paragraph of the map begins with the crate's directory in bold.
    let named: BTreeSet<&str> =
        map.lines().filter_map(|line| line.strip_prefix("**`")?.split_once("`**").map(|(path, _)| path)).collect();
    let absent = existing.difference(&named).map(|path| format!("it has no paragraph on {path}"));
    let gone = named.difference(&existing).map(|path| format!("it has a paragraph on {path}, which does not exist"));
    absent.chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_found_both_ways() {
        let map = "# Map\n\n**`src/a`**: first.\n\n**`src/bin`**: programs.\n**Invariant:** none.\n";
        let check = |members: &[&str], expected: &[&str]| assert_eq!(compare(map, members.iter().copied()), expected);
        check(&["src/a", "src/bin/x", "src/bin/y"], &[]);
        check(&["src/a", "src/b", "src/bin/x"], &["it has no paragraph on src/b"]);
        check(&["src/bin/x"], &["it has a paragraph on src/a, which does not exist"]);
    }
}
