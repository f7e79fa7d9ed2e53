//! What happens to a build's directories before and after the recipe's own lines run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};

use super::super::archive::{self, run};
use super::super::{Options, Planned, Recipe};
use super::environment::PREFIX;

/// Unpacks a verified source.
pub(super) fn unpack_source(file: &Path, recipe: &Recipe, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    let mut command = Command::new("tar");
    command.arg("--extract").arg("--file").arg(file).arg("--directory").arg(to);
    command.arg(format!("--strip-components={}", recipe.strip)).args(["--no-same-owner", "--no-same-permissions"]);
    if file.extension().is_some_and(|extension| extension == "crate") {
        command.arg("--gzip");
    }
    if !recipe.only.is_empty() {
        command.arg("--wildcards").args(&recipe.only);
    }
    run(command, "tar")
}

/// The files of a package of our own, relative to the clone, in order.
pub(in super::super) fn local_files(root: &Path, recipe: &Recipe) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for name in &recipe.local {
        let path = root.join(name);
        match path.is_dir() {
            true => collect(&path, &mut files)?,
            false => files.push(path),
        }
    }
    files.sort();
    let relative = files.iter().map(|file| {
        let file = file.strip_prefix(root).unwrap_or(file);
        file.to_str().map(str::to_owned).with_context(|| format!("{} is not UTF-8", file.display()))
    });
    relative.collect()
}

/// Copies the source of a package of our own; files keep their places.
pub(in super::super) fn copy_local(root: &Path, recipe: &Recipe, to: &Path) -> Result<()> {
    for file in local_files(root, recipe)? {
        let target = to.join(&file);
        if let Some(dir) = target.parent() {
            fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        }
        fs::copy(root.join(&file), &target).with_context(|| format!("cannot copy {}", root.join(&file).display()))?;
    }
    Ok(())
}

/// The program that tar needs for a file.
pub(super) fn unpacker(file: &Path) -> Option<&'static str> {
    match file.extension()?.to_str()? {
        "xz" => Some("xz"),
        "bz2" => Some("bzip2"),
        _ => None,
    }
}

/// Applies a package's patches in the order of their names.
pub(super) fn patch(dir: &Path, source: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    let mut patches: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    patches.retain(|file| file.extension().is_some_and(|extension| extension == "patch"));
    patches.sort();
    for file in patches {
        let mut command = Command::new("git");
        command.arg("apply").arg(&file).current_dir(source);
        // Inside a clone git would take the paths as the clone's own and leave out what is not in it.
        command.env("GIT_CEILING_DIRECTORIES", source.parent().unwrap_or(source)).env_remove("GIT_DIR");
        run(command, "git apply").with_context(|| format!("{} does not apply", file.display()))?;
    }
    Ok(())
}

/// Lays out the packages a recipe declares, and those they declare, as one prefix.
pub(super) fn unpack_dependencies(options: &Options, planned: &[Planned], recipe: &Recipe, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    let mut open: Vec<&str> = recipe.depends.iter().map(String::as_str).collect();
    let mut done: Vec<&str> = Vec::new();
    while let Some(name) = open.pop() {
        let Some(package) = planned.iter().find(|package| package.recipe.name == name) else { continue };
        if done.contains(&name) {
            continue;
        }
        let place = if package.recipe.native { to.join("native") } else { to.to_path_buf() };
        archive::unpack(&archive::file(options, package), &place)?;
        done.push(name);
        open.extend(package.recipe.depends.iter().map(String::as_str));
    }
    Ok(())
}

/// Removes a directory and what is in it.
pub(super) fn clear(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
            Err(err).with_context(|| format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

/// How long before a build's last sign of life a file may have been left unfinished.
const WRITING: Duration = Duration::from_secs(10);

/// Before a build is resumed: removes the objects that were being written when it was cut short, so that make does not
/// take a truncated one for a finished one. The earlier ones are kept.
pub(super) fn drop_half_written(build: &Path) -> Result<()> {
    let mut objects = Vec::new();
    collect(build, &mut objects)?;
    let times: Vec<SystemTime> = objects.iter().filter_map(|file| fs::metadata(file).ok()?.modified().ok()).collect();
    let Some(last) = times.iter().max().copied() else { return Ok(()) };
    for file in objects {
        let product = file.extension().is_some_and(|extension| extension == "o" || extension == "a");
        let modified = fs::metadata(&file).and_then(|meta| meta.modified()).unwrap_or(last);
        if product && last.duration_since(modified).unwrap_or_default() < WRITING {
            fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
        }
    }
    Ok(())
}

/// After installation: makes `.pc` files relocatable, drops what nobody needs, and refuses a result that still contains
/// the path it was built at.
pub(super) fn finish(stage: &Path, work: &Path) -> Result<()> {
    let top = stage.join(PREFIX.trim_start_matches('/'));
    if !top.is_dir() {
        bail!("the recipe installed nothing");
    }
    let mut files = Vec::new();
    collect(&top, &mut files)?;
    for file in files {
        let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if extension == "la" {
            fs::remove_file(&file)?;
            continue;
        }
        if extension == "pc" && !file.is_symlink() {
            let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            fs::write(&file, relocatable(&text))?;
        }
    }
    // Libraries are large, and grep is fast.
    let leaks = Command::new("grep").args(["-rlF", "--"]).arg(work).arg(&top).output().context("cannot run grep")?;
    if let Some(file) = String::from_utf8_lossy(&leaks.stdout).lines().next() {
        bail!("{file} contains the path it was built at");
    }
    Ok(())
}

fn relocatable(pc: &str) -> String {
    let mut text = String::new();
    for line in pc.lines() {
        if line.starts_with("prefix=") {
            text.push_str("prefix=${pcfiledir}/../..");
        } else {
            let line = line.replace(&format!("{PREFIX}/"), "${prefix}/");
            text.push_str(&match line.strip_suffix(&format!("={PREFIX}")) {
                Some(name) => format!("{name}=${{prefix}}"),
                None => line,
            });
        }
        text.push('\n');
    }
    text
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => collect(&entry.path(), files)?,
            false => files.push(entry.path()),
        }
    }
    Ok(())
}
