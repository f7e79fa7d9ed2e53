//! Rules about single source files: how they open, how long they are, what they may not mention.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::project_files;

/// Lines outside tests past which a file is split.
const LIMIT: usize = 1000;

/// Files over the limit, each with the reason.
const OVER: &[(&str, &str)] = &[];

/// Every file says at its top what it is.
pub fn headers(root: &Path) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for file in project_files(root, ".rs")? {
        if !read(root, &file)?.starts_with("//!") {
            problems.push(format!("{file} does not open with //!"));
        }
        if file.ends_with("/mod.rs") {
            problems.push(format!("{file} should be a file beside its directory"));
        }
    }
    Ok(problems)
}

/// No file is over the limit without a reason, and no reason is kept for a file that no longer needs it.
pub fn sizes(root: &Path) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for file in project_files(root, ".rs")? {
        let lines = if is_test(&file) { 0 } else { production_lines(&read(root, &file)?) };
        let listed = OVER.iter().any(|(name, _)| *name == file);
        match (lines > LIMIT, listed) {
            (true, false) => problems.push(format!("{file} has {lines} lines outside tests; split it")),
            (false, true) => problems.push(format!("{file} is listed as over the limit and is not")),
            _ => {}
        }
    }
    Ok(problems)
}

/// The feature exists in programs only, and no library is compiled differently by it.
pub fn features(root: &Path) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for ending in [".rs", "Cargo.toml"] {
        for file in project_files(root, ending)? {
            // The build driver passes the feature on; it is not compiled by it.
            if !file.starts_with("src/") || file.starts_with("src/bin/") {
                continue;
            }
            let text = read(root, &file)?;
            let names_it = match ending {
                ".rs" => text.contains("feature = \"multiprocess\""),
                _ => toml::from_str::<toml::Table>(&text)
                    .with_context(|| format!("cannot read {file}"))?
                    .get("features")
                    .and_then(|features| features.get("multiprocess"))
                    .is_some(),
            };
            if names_it {
                problems.push(format!("{file} knows the feature multiprocess"));
            }
        }
    }
    Ok(problems)
}

fn read(root: &Path, file: &str) -> Result<String> {
    fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}"))
}

fn is_test(file: &str) -> bool {
    file.contains("/tests/") || file.ends_with("/tests.rs")
}

/// Lines before the file's inline tests, which by convention come last.
fn production_lines(text: &str) -> usize {
    let before = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    before.lines().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_do_not_count() {
        let check = |text: &str, expected: usize| assert_eq!(production_lines(text), expected, "{text:?}");
        check("//! A.\nfn a() {}\n", 2);
        check("//! A.\nfn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n", 2);
        check("//! A.\n#[cfg(test)]\nuse x;\nfn a() {}\n", 4);
    }
}
