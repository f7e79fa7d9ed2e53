//! Where things are in a clone. One place, so that the front doors, the engine and build scripts agree.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The clone's top directory.
///
/// A build script is asked about its own crate (`CARGO_MANIFEST_DIR` at run time); everything else falls back to the
/// current directory and then to the place this program was compiled from.
///
/// # Errors
/// When no directory on the way up has both `xtask/` and `depends/`.
pub fn root() -> Result<PathBuf> {
    let mut starts = Vec::new();
    if let Some(dir) = std::env::var_os("CARGO_MANIFEST_DIR") {
        starts.push(PathBuf::from(dir));
    }
    if let Ok(dir) = std::env::current_dir() {
        starts.push(dir);
    }
    starts.push(PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    for start in &starts {
        if let Some(found) = start.ancestors().find(|dir| is_root(dir)) {
            return found.canonicalize().with_context(|| format!("cannot resolve {}", found.display()));
        }
    }
    bail!("not inside a clone: no directory above {} holds xtask/ and depends/", starts[0].display())
}

fn is_root(dir: &Path) -> bool {
    dir.join("xtask/Cargo.toml").is_file() && dir.join("depends").is_dir()
}

/// The file in which `./configure` records its choices.
#[must_use]
pub fn config_file(root: &Path) -> PathBuf {
    root.join("build/config.toml")
}
