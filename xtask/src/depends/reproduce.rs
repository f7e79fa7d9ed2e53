//! Building packages a second time, in another directory and with an empty cache, and comparing.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::lock::Lock;
use super::{Options, archive, build, id, plan, progress, recipe};

/// One package's outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Comparison {
    /// The package.
    pub package: String,
    /// SHA-256 of the archive in the cache and of the one built elsewhere.
    pub hashes: (String, String),
}

impl Comparison {
    /// Whether both builds gave the same bytes.
    pub fn is_identical(&self) -> bool {
        self.hashes.0 == self.hashes.1
    }
}

/// Builds what `options` wants here, unless the cache has it, and once more from a copy of the recipes under `elsewhere`,
/// taking only the sources along.
///
/// # Errors
/// When a build fails or `elsewhere` cannot be written.
pub fn reproduce(options: &Options, elsewhere: &Path) -> Result<Vec<Comparison>> {
    let _lock = super::build_missing(options, &plan(options)?)?;
    let mut second = options.clone();
    second.root = elsewhere.to_path_buf();
    second.cache = elsewhere.join("depends/built");
    copy_recipes(options, elsewhere)?;
    let planned = plan(&second)?;
    let lock = Lock::acquire(&second.work_dir().join("lock"), &second)?;
    progress::note(options, &format!("building again in {}", elsewhere.display()));
    build::ensure_all(&second, &planned, &lock)?;
    let mut results = Vec::new();
    for package in &planned {
        let hash = |options: &Options| id::file_hash(&archive::file(options, package));
        results.push(Comparison { package: package.recipe.name.clone(), hashes: (hash(options)?, hash(&second)?) });
    }
    Ok(results)
}

/// Copies recipes, what they take from the clone, hosts and patches under another directory, which can then be a run's
/// root.
///
/// # Errors
/// When something cannot be copied.
pub fn copy_recipes(options: &Options, root: &Path) -> Result<()> {
    for dir in ["packages", "hosts", "patches"] {
        copy_tree(&options.depends_dir().join(dir), &root.join("depends").join(dir))?;
    }
    for recipe in recipe::load_all(&options.packages_dir())?.values() {
        build::copy_local(&options.root, recipe, root)?;
    }
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    let Ok(entries) = fs::read_dir(from) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(|| format!("cannot copy {}", entry.path().display()))?;
        }
    }
    Ok(())
}
