//! Fetching a crate's archive through the machine's own cargo, whatever registry or mirror that is set up for.
//!
//! A project made for the purpose names the exact version; `cargo fetch` then leaves the archive in cargo's own cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::Options;

/// Copies the `.crate` file of an exact version.
pub(super) fn fetch(name: &str, version: &str, to: &Path, options: &Options) -> Result<()> {
    if let Some(found) = in_cache(name, version)? {
        return super::copy(&found, to);
    }
    let dir = options.work_dir().join(format!("crate-{name}"));
    fs::create_dir_all(dir.join("src")).with_context(|| format!("cannot create {}", dir.display()))?;
    fs::write(dir.join("src/lib.rs"), "")?;
    // The workspace table keeps cargo from looking for one in the directories above.
    let manifest = format!(
        "[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[workspace]\n[dependencies]\n\
         {name} = \"={version}\"\n"
    );
    fs::write(dir.join("Cargo.toml"), manifest)?;
    let mut command = cargo();
    command.arg("fetch").current_dir(&dir);
    run(command, &format!("{name} {version}"))?;
    let found = in_cache(name, version)?;
    let _ = fs::remove_dir_all(&dir);
    super::copy(&found.with_context(|| format!("cargo fetched {name} {version}, but left no archive of it"))?, to)
}

/// The cargo that runs this program.
pub(super) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs it to fetch something.
pub(super) fn run(mut command: Command, what: &str) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().context("cannot run cargo")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!("cargo cannot fetch {what}: {}", text.trim().lines().last().unwrap_or("failed").trim());
    }
    Ok(())
}

/// Where cargo keeps what it fetched.
pub(in super::super) fn home() -> Result<PathBuf> {
    match std::env::var_os("CARGO_HOME") {
        Some(home) => Ok(PathBuf::from(home)),
        None => {
            Ok(std::env::home_dir().context("there is no home directory to look for cargo's cache in")?.join(".cargo"))
        }
    }
}

/// The archive in cargo's cache, whichever registry it came from; its hash is checked by the caller.
fn in_cache(name: &str, version: &str) -> Result<Option<PathBuf>> {
    let Ok(registries) = fs::read_dir(home()?.join("registry/cache")) else { return Ok(None) };
    for registry in registries {
        let file = registry?.path().join(format!("{name}-{version}.crate"));
        if file.is_file() {
            return Ok(Some(file));
        }
    }
    Ok(None)
}
