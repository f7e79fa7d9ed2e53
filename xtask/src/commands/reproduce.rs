//! `cargo xtask reproduce`: builds the packages of `depends` a second time elsewhere and compares.

use std::path::Path;

use anyhow::{Context, Result, bail};
use xtask::depends::{self, Options};

/// Compares; fails when a package differs.
pub fn run(root: &Path) -> Result<()> {
    let mut options = Options::new(root)?;
    options.take_environment();
    (options.multiprocess, options.no_qt) = (true, true);
    let elsewhere = std::env::temp_dir().join(format!("reproduce-{}", std::process::id()));
    std::fs::create_dir_all(&elsewhere).with_context(|| format!("cannot create {}", elsewhere.display()))?;
    let results = depends::reproduce(&options, &elsewhere)?;
    let mut different = Vec::new();
    for result in &results {
        println!(
            "{:<18} {} {}",
            result.package,
            result.hashes.0,
            if result.is_identical() { "identical" } else { "DIFFERS" }
        );
        if !result.is_identical() {
            different.push(result.package.as_str());
        }
    }
    if !different.is_empty() {
        bail!("not reproduced: {}; the second build is in {}", different.join(", "), elsewhere.display());
    }
    std::fs::remove_dir_all(&elsewhere).with_context(|| format!("cannot remove {}", elsewhere.display()))
}
