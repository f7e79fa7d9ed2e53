//! `cargo xtask build`: builds the programs as configured and places links to them in `src/`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xtask::config::Config;
use xtask::find;

use super::{PROGRAMS, cargo, run as run_command};

/// Builds and links. Unconfigured, the split programs are built where there is a Cap'n Proto compiler.
pub fn run(root: &Path) -> Result<()> {
    let split = is_split(root)?;
    let mut command = cargo(root);
    command.args(["build", "--release"]);
    if split {
        command.args(["--features", "multiprocess"]);
    }
    run_command(&mut command, "the build")?;
    let release = target_dir(root)?.join("release");
    for (program, of_split) in PROGRAMS {
        let link = root.join("src").join(program);
        if link.symlink_metadata().is_ok() {
            fs::remove_file(&link).with_context(|| format!("cannot replace {}", link.display()))?;
        }
        if split || !of_split {
            let target = relative(&release.join(program), root);
            std::os::unix::fs::symlink(target, &link).with_context(|| format!("cannot link {}", link.display()))?;
        }
    }
    Ok(())
}

/// Whether the split programs are part of the build.
pub fn is_split(root: &Path) -> Result<bool> {
    let config = Config::load(root)?;
    Ok(config.multiprocess.unwrap_or_else(|| find::capnp_for(&config).is_some()))
}

/// Where cargo puts what it builds.
pub fn target_dir(root: &Path) -> Result<PathBuf> {
    let output = cargo(root)
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .output()
        .context("cannot run cargo metadata")?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).context("cannot read cargo metadata")?;
    metadata["target_directory"].as_str().map(PathBuf::from).context("cargo metadata names no target directory")
}

/// Relative to `src/` when it is inside the clone, so that the clone can be moved.
fn relative(file: &Path, root: &Path) -> PathBuf {
    file.strip_prefix(root).map_or_else(|_| file.to_path_buf(), |inside| Path::new("..").join(inside))
}
