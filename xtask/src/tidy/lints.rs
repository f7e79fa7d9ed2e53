//! Every crate inherits the workspace's lints, so that one place decides them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::project_files;

/// Each manifest with a package has `[lints] workspace = true`.
pub fn inherited(root: &Path) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for file in project_files(root, "Cargo.toml")? {
        let text = fs::read_to_string(root.join(&file)).with_context(|| format!("cannot read {file}"))?;
        let manifest: toml::Table = toml::from_str(&text).with_context(|| format!("cannot read {file}"))?;
        let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace")?.as_bool()) == Some(true);
        if manifest.contains_key("package") && !inherits {
            problems.push(format!("{file} does not inherit the workspace's lints"));
        }
    }
    Ok(problems)
}
