//! Built packages as archives in `BASE_CACHE`: `<host>/<name>-<version>-<id>.tar.gz`.
//!
//! **Invariant:** the same tree gives the same bytes: names sorted, one owner, one time, fixed permissions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::{Options, Planned, id};

/// Where a package's archive is or will be.
pub(super) fn file(options: &Options, planned: &Planned) -> PathBuf {
    options.cache.join(&planned.host.triplet).join(format!("{}.tar.gz", planned.label()))
}

/// Whether the cache has the package, whole. A damaged archive is removed so that it is built again.
pub(super) fn is_cached(options: &Options, planned: &Planned) -> Result<bool> {
    let file = file(options, planned);
    let Ok(expected) = fs::read_to_string(hash_file(&file)) else { return Ok(false) };
    if !file.is_file() {
        return Ok(false);
    }
    if id::file_hash(&file)? == expected.trim() {
        return Ok(true);
    }
    fs::remove_file(&file).with_context(|| format!("cannot remove the damaged {}", file.display()))?;
    Ok(false)
}

/// Packs a directory.
pub(super) fn pack(dir: &Path, to: &Path) -> Result<()> {
    let partial = to.with_extension(format!("{}.part", std::process::id()));
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    }
    let mut command = Command::new("tar");
    command.args(["--create", "--sort=name", "--mtime=@1", "--owner=0", "--group=0", "--numeric-owner"]);
    command.args(["--mode=u+rw,go-w,a+rX", "--format=ustar", "--use-compress-program=gzip -1 -n", "--file"]);
    command.arg(&partial).arg("--directory").arg(dir).arg(".").env("LC_ALL", "C");
    run(command, "tar")?;
    let hash = id::file_hash(&partial)?;
    // The hash comes first: an archive without one is not looked at.
    fs::write(hash_file(to), format!("{hash}\n"))?;
    fs::rename(&partial, to).with_context(|| format!("cannot create {}", to.display()))
}

/// Unpacks an archive into a directory.
pub(super) fn unpack(archive: &Path, dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let mut command = Command::new("tar");
    command.arg("--extract").arg("--file").arg(archive).arg("--directory").arg(dir);
    // Ownership and times in the archive mean nothing here; a stage that asks for permissions got them on packing.
    command.args(["--no-same-owner", "--touch", "--no-overwrite-dir"]);
    run(command, "tar")
}

/// The files in an archive, relative to where it is unpacked.
pub(super) fn list(archive: &Path) -> Result<Vec<String>> {
    let output = Command::new("tar").arg("--list").arg("--file").arg(archive).output().context("cannot run tar")?;
    if !output.status.success() {
        bail!("cannot read {}", archive.display());
    }
    let text = String::from_utf8(output.stdout).context("an archive has a file name that is not UTF-8")?;
    let files = text.lines().map(|line| line.trim_start_matches("./")).filter(|line| !line.is_empty());
    Ok(files.filter(|line| !line.ends_with('/')).map(str::to_owned).collect())
}

pub(super) fn run(mut command: Command, what: &str) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {what}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!("{what} failed: {}", text.trim().lines().last().unwrap_or("no message").trim());
    }
    Ok(())
}

fn hash_file(archive: &Path) -> PathBuf {
    let mut name = archive.as_os_str().to_owned();
    name.push(".sha256");
    PathBuf::from(name)
}
