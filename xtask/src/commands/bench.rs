//! `cargo xtask bench`: measures, side by side in one run. Build times of `depends` are measured only when asked for,
//! since a cold build takes minutes.

mod ipc;
mod node;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use xtask::depends::{self, Options};

use crate::flags::Bench;

/// Runs the measurements asked for.
pub fn run(root: &Path, flags: &Bench) -> Result<()> {
    let what = flags.what.as_deref();
    if let Some(other) = what.filter(|what| !["ipc", "node"].contains(what)) {
        bail!("'{other}' is nothing to measure: node and ipc are");
    }
    if what != Some("ipc") {
        node::run(root, flags)?;
    }
    if what != Some("node") {
        ipc::run(root, flags.compare.as_deref())?;
    }
    if flags.depends {
        measure_depends(root)?;
    }
    Ok(())
}

/// A cold build in a directory of its own, with the sources at hand; then the same again, which does nothing; then a
/// fresh prefix from the cache.
fn measure_depends(root: &Path) -> Result<()> {
    let mut options = Options::new(root)?;
    options.take_environment();
    (options.multiprocess, options.no_qt, options.quiet) = (true, true, true);
    depends::download(&options, None)?;
    let scratch = std::env::temp_dir().join(format!("bench-depends-{}", std::process::id()));
    depends::copy_recipes(&options, &scratch)?;
    options.cache = scratch.join("cache");
    options.root = scratch.clone();
    for (what, prepare) in [("cold", false), ("warm, nothing to do", false), ("warm, prefix from cache", true)] {
        if prepare {
            std::fs::remove_dir_all(options.prefix()).context("cannot remove the prefix")?;
        }
        let start = Instant::now();
        depends::install(&options)?;
        println!("depends, {what:<24} {:>8.2} s  ({} jobs)", start.elapsed().as_secs_f64(), options.jobs);
    }
    std::fs::remove_dir_all(&scratch).with_context(|| format!("cannot remove {}", scratch.display()))
}
