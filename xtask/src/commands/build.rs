//! `cargo xtask build`: builds the programs as configured, with the split ones the library for C, and places links to them in `src/`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use xtask::config::Config;
use xtask::find;

use super::{PROGRAMS, cargo, library, run as run_command};

/// Builds, with more packages if asked to, and links. Unconfigured, the split programs are built where there is a Cap'n Proto compiler.
pub fn run(root: &Path, more: &[String]) -> Result<()> {
    let split = is_split(root)?;
    let workspace = Workspace::load(root)?;
    let mut command = cargo(root);
    command.args(["build", "--release"]);
    if split {
        command.args(["--features", "multiprocess"]);
    }
    if split || !more.is_empty() {
        // Together with the programs: alone, cargo would compile what they share a second time with fewer features.
        let library = split.then_some(library::PACKAGE);
        for package in workspace.default_members().chain(library).chain(more.iter().map(String::as_str)) {
            command.args(["--package", package]);
        }
    }
    run_command(&mut command, "the build")?;
    let release = workspace.target_dir.join("release");
    for (program, of_split) in PROGRAMS {
        let link = root.join("src").join(program);
        let target = (split || !of_split).then(|| relative(&release.join(program), root));
        // Left as it is where it is right: somebody may be about to start the program.
        if fs::read_link(&link).ok() == target {
            continue;
        }
        if link.symlink_metadata().is_ok() {
            fs::remove_file(&link).with_context(|| format!("cannot replace {}", link.display()))?;
        }
        if let Some(target) = target {
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

/// What cargo says of the workspace.
#[derive(Deserialize)]
pub struct Workspace {
    packages: Vec<Package>,
    workspace_default_members: Vec<String>,
    /// Where cargo puts what it builds.
    #[serde(rename = "target_directory")]
    pub target_dir: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
}

impl Workspace {
    /// Asks cargo.
    pub fn load(root: &Path) -> Result<Workspace> {
        let mut command = cargo(root);
        let command = command.args(["metadata", "--format-version=1", "--no-deps", "--offline"]);
        let output = command.output().context("cannot run cargo metadata")?;
        serde_json::from_slice(&output.stdout).context("cannot read cargo metadata")
    }

    /// The packages that a bare `cargo build` builds.
    fn default_members(&self) -> impl Iterator<Item = &str> {
        let members = self.packages.iter().filter(|package| self.workspace_default_members.contains(&package.id));
        members.map(|package| package.name.as_str())
    }

    /// The version of a package.
    pub fn version(&self, name: &str) -> Result<&str> {
        let found = self.packages.iter().find(|package| package.name == name);
        found.map(|package| package.version.as_str()).with_context(|| format!("there is no package {name}"))
    }
}

/// Relative to `src/` when it is inside the clone, so that the clone can be moved.
fn relative(file: &Path, root: &Path) -> PathBuf {
    file.strip_prefix(root).map_or_else(|_| file.to_path_buf(), |inside| Path::new("..").join(inside))
}
