//! Getting source files: from `SOURCES_PATH`, else from a recipe's origins in order, else from the fallback.
//!
//! **Invariant:** a file is in `SOURCES_PATH` under its own name only after its hash was found right, and the hash is
//! checked again each time before the file is unpacked.

mod debian;
pub(super) mod krate;
mod url;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::lock::Lock;
use super::recipe::{Origin, Place, Recipe};
use super::{Options, id, progress};

/// The verified source file of a recipe, fetched if need be; `None` for a recipe whose source is in this clone.
pub(super) fn source(recipe: &Recipe, options: &Options) -> Result<Option<PathBuf>> {
    if recipe.origins.is_empty() {
        return Ok(None);
    }
    let _lock = Lock::acquire(&options.sources.join(format!(".{}.lock", recipe.name)), options)?;
    for origin in &recipe.origins {
        let file = options.sources.join(origin.file_name());
        if file.is_file() {
            verify(&file, origin, &format!("SOURCES_PATH {}", options.sources.display()))
                .context("remove the file to have it fetched again")?;
            return Ok(Some(file));
        }
    }
    let mut failures = Vec::new();
    for origin in &recipe.origins {
        match attempt(origin, &origin.to_string(), options, |to| from_place(origin, to, options)) {
            Ok(file) => return Ok(Some(file)),
            Err(err) => failures.push(format!("{err:#}")),
        }
    }
    if let Some(base) = &options.fallback {
        for origin in &recipe.origins {
            let from = format!("{}/{}", base.trim_end_matches('/'), origin.file_name());
            match attempt(origin, &from, options, |to| from_fallback(&from, to)) {
                Ok(file) => return Ok(Some(file)),
                Err(err) => failures.push(format!("{err:#}")),
            }
        }
    }
    bail!("cannot get the source of {} {}: {}", recipe.name, recipe.version, failures.join("; "))
}

/// Leaves the crates of the clone's lock file in cargo's own cache, whichever registry they come from. Cargo compares them
/// with the hashes in the lock file.
pub(super) fn locked_crates(options: &Options) -> Result<()> {
    progress::note(options, "fetching the crates of Cargo.lock");
    let mut command = krate::cargo();
    command.args(["fetch", "--locked"]).current_dir(&options.root);
    krate::run(command, "the crates of Cargo.lock")
}

/// Fetches into a temporary file, verifies it, and only then gives it its name.
fn attempt(origin: &Origin, from: &str, options: &Options, fetch: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let file = options.sources.join(origin.file_name());
    let partial = options.sources.join(format!(".{}.part", origin.file_name()));
    progress::note(options, &format!("fetching {} from {from}", origin.file_name()));
    let result = fetch(&partial).and_then(|()| verify(&partial, origin, from));
    if let Err(err) = result {
        let _ = fs::remove_file(&partial);
        progress::note(options, &format!("{err:#}"));
        return Err(err);
    }
    fs::rename(&partial, &file).with_context(|| format!("cannot create {}", file.display()))?;
    Ok(file)
}

fn from_place(origin: &Origin, to: &Path, options: &Options) -> Result<()> {
    match &origin.place {
        Place::Url { url } => url::fetch(url, to),
        Place::Debian { debian, suite } => debian::fetch(debian, suite, origin.file_name(), to, options),
        Place::Crate { name, version } => krate::fetch(name, version, to, options),
        Place::Path { path } => copy(&options.root.join(path), to),
    }
}

fn from_fallback(from: &str, to: &Path) -> Result<()> {
    match from.strip_prefix("file://").or_else(|| (!from.contains("://")).then_some(from)) {
        Some(path) => copy(Path::new(path), to),
        None => url::fetch(from, to),
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(|_| ()).with_context(|| format!("cannot copy {}", from.display()))
}

fn verify(file: &Path, origin: &Origin, from: &str) -> Result<()> {
    let got = id::file_hash(file)?;
    if got != origin.sha256 {
        bail!(
            "wrong hash, refused: {} from {from} has SHA-256 {got}, and the recipe expects {}",
            origin.file_name(),
            origin.sha256
        );
    }
    Ok(())
}
