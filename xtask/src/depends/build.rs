//! Building a package: unpack, patch, configure, build, install into a stage, pack.
//!
//! **Invariant:** a build sees a cleaned environment and only the packages it declares, and nothing it makes contains the
//! path it was made at, so that clones in different directories give identical files.

mod environment;
mod stage;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

pub(super) use self::stage::{copy_local, local_files};
use super::lock::Lock;
use super::progress::{self, Step};
use super::{Options, Planned, archive, fetch, tools};
use crate::system;

/// The directories of one build.
struct Places {
    work: PathBuf,
    source: PathBuf,
    build: PathBuf,
    deps: PathBuf,
    stage: PathBuf,
}

impl Places {
    fn new(options: &Options, planned: &Planned) -> Places {
        let work = options.work_dir().join(&planned.host.triplet).join(planned.label());
        let sub = |name: &str| work.join(name);
        Places { source: sub("source"), build: sub("build"), deps: sub("deps"), stage: sub("stage"), work }
    }

    /// The mark that a stage of the build is complete.
    fn mark(&self, stage: &str) -> PathBuf {
        self.work.join(format!(".{stage}"))
    }
}

/// Builds the packages that the cache does not have, in order.
pub(super) fn ensure_all(options: &Options, planned: &[Planned], lock: &Lock) -> Result<()> {
    let mut missing = Vec::new();
    for package in planned {
        if !archive::is_cached(options, package)? {
            missing.push(package);
        }
    }
    // All that can fail early does: tools and sources before the first compiler starts.
    let used =
        missing.iter().flat_map(|package| package.recipe.tools.iter().map(|tool| (tool.as_str(), &package.host)));
    tools::require(&used.map(|(tool, host)| tools::program(tool, host, options)).collect::<Vec<_>>(), options)?;
    for package in &missing {
        if let Some(file) = fetch::source(&package.recipe, options)?
            && let Some(unpacker) = stage::unpacker(&file)
        {
            tools::require(&[(unpacker.to_owned(), system::debian_package(unpacker).to_owned())], options)?;
        }
    }
    for package in missing {
        // Runs in other clones may share the cache.
        let file = archive::file(options, package);
        let _build = Lock::acquire(&file.with_extension("lock"), options)?;
        if !archive::is_cached(options, package)? {
            make(options, planned, package, lock)
                .with_context(|| format!("cannot build {} {}", package.recipe.name, package.recipe.version))?;
        }
        let _ = fs::remove_file(file.with_extension("lock"));
    }
    Ok(())
}

fn make(options: &Options, planned: &[Planned], package: &Planned, lock: &Lock) -> Result<()> {
    let places = Places::new(options, package);
    let recipe = &package.recipe;
    remove_others(options, package)?;
    if !places.mark("unpacked").is_file() {
        stage::clear(&places.work)?;
        fs::create_dir_all(&places.work).with_context(|| format!("cannot create {}", places.work.display()))?;
        let file = fetch::source(recipe, options)?;
        progress::note(options, &format!("unpacking {} {}", recipe.name, recipe.version));
        match file {
            Some(file) => stage::unpack_source(&file, recipe, &places.source)?,
            None => stage::copy_local(&options.root, recipe, &places.source)?,
        }
        stage::patch(&options.patches_dir(&recipe.name), &places.source)?;
        stage::unpack_dependencies(options, planned, recipe, &places.deps)?;
        fs::create_dir_all(&places.build)?;
        environment::write_toolchain(&places.work.join("toolchain.cmake"), package)?;
        fs::write(places.mark("unpacked"), "")?;
    }
    for (stage, script, title) in [
        ("configured", &recipe.configure, "configuring"),
        ("built", &recipe.build, "building"),
        ("installed", &recipe.install, "installing"),
    ] {
        if script.is_empty() || places.mark(stage).is_file() {
            continue;
        }
        match stage {
            "configured" => stage::clear(&places.build)?,
            "built" => stage::drop_half_written(&places.build)?,
            _ => stage::clear(&places.stage)?,
        }
        fs::create_dir_all(&places.build)?;
        fs::create_dir_all(&places.stage)?;
        let mut step = Step::start(options, &format!("{title} {} {}", recipe.name, recipe.version));
        run_script(options, package, &places, script, lock, &mut step)?;
        fs::write(places.mark(stage), "")?;
    }
    stage::finish(&places.stage, &places.work)?;
    archive::pack(&places.stage.join(environment::PREFIX.trim_start_matches('/')), &archive::file(options, package))?;
    if options.log {
        let logs = options.work_dir().join("log");
        fs::create_dir_all(&logs)?;
        fs::copy(places.work.join("log"), logs.join(format!("{}.log", recipe.name)))?;
    }
    stage::clear(&places.work)
}

/// Removes work directories of the same package under other ids: they will never be resumed.
fn remove_others(options: &Options, package: &Planned) -> Result<()> {
    let dir = options.work_dir().join(&package.host.triplet);
    let Ok(entries) = fs::read_dir(&dir) else { return Ok(()) };
    let start = format!("{}-{}-", package.recipe.name, package.recipe.version);
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(&start) && name != package.label() {
            stage::clear(&entry.path())?;
        }
    }
    Ok(())
}

/// Runs a recipe's shell lines, their output going to the package's log.
fn run_script(
    options: &Options,
    package: &Planned,
    places: &Places,
    script: &str,
    lock: &Lock,
    step: &mut Step,
) -> Result<()> {
    let log_file = places.work.join("log");
    let mut log = File::options().create(true).append(true).open(&log_file)?;
    let mut command = Command::new("sh");
    // One pipe for both streams keeps their order.
    command.arg("-euc").arg(format!("exec 2>&1\n{script}")).current_dir(&places.build);
    environment::apply(&mut command, options, package, places)?;
    command.stdin(lock.as_stdin()?).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().context("cannot run sh")?;
    let mut last = Vec::new();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line.context("cannot read the output of the build")?;
            log.write_all(&line)?;
            log.write_all(b"\n")?;
            let line = String::from_utf8_lossy(&line).into_owned();
            step.line(&line);
            if !line.trim().is_empty() {
                last = line.into_bytes();
            }
        }
    }
    let status = child.wait().context("cannot wait for the build")?;
    if !status.success() {
        let cause = first_error(&log_file).unwrap_or_else(|| String::from_utf8_lossy(&last).trim().to_owned());
        bail!("{status}: {cause} (all of it in {})", log_file.display());
    }
    Ok(())
}

/// The line that most likely tells what went wrong.
fn first_error(log: &Path) -> Option<String> {
    let text = fs::read(log).ok()?;
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find(|line| line.contains("error:") || line.contains("CMake Error"))?;
    Some(line.trim().to_owned())
}
