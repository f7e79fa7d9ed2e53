//! The `depends` engine: builds the libraries and tools of `depends/packages/` from pinned sources into a prefix.
//!
//! A run goes through each wanted package in dependency order: compute its build id; if the cache has an archive of that
//! id, take it; otherwise fetch and verify the source, build it in a work directory with a cleaned environment, and put
//! the result into the cache. At the end the prefix is brought in line with the archives.
//!
//! **Invariant:** presence of files decides what is done, never their timestamps. **Invariant:** a source whose hash is
//! not the recipe's is never unpacked. **Invariant:** every file another run could see (source, archive, manifest)
//! appears by rename, complete.

mod archive;
mod build;
mod fetch;
mod host;
mod id;
mod lock;
mod options;
mod prefix;
mod progress;
mod recipe;
mod reproduce;
mod tools;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

pub use self::host::{Host, this_machine};
pub use self::options::Options;
pub use self::prefix::{Manifest, manifest_file};
pub use self::recipe::{Origin, Place, Recipe};
pub use self::reproduce::{Comparison, copy_recipes, reproduce};

/// A package that a run wants, with everything its build depends on decided.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Its recipe.
    pub recipe: Recipe,
    /// The machine it is built for: the host, or the building machine for a `native_*` package.
    pub host: Host,
    /// The hash of everything that decides the result.
    pub id: String,
}

impl Planned {
    /// The name of its archive, without the extension.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{}-{}-{}", self.recipe.name, self.recipe.version, self.id)
    }
}

/// Decides which packages a run wants, in the order to build them, and each one's build id.
///
/// # Errors
/// When a recipe or host file is wrong, or a compiler is missing.
pub fn plan(options: &Options) -> Result<Vec<Planned>> {
    let recipes = recipe::load_all(&options.packages_dir())?;
    let host = Host::load(options, &options.host)?;
    let build = Host::load(options, &options.build)?;
    let wanted = recipe::in_order(&recipes, options)?;
    let host_of = |recipe: &Recipe| if recipe.native { &build } else { &host };
    // Their versions are part of the ids, so that not even the cache can be asked without them.
    let compilers = wanted.iter().flat_map(|recipe| {
        let used = recipe.tools.iter().filter(|tool| matches!(tool.as_str(), "cc" | "c++"));
        used.map(|tool| tools::program(tool, host_of(recipe), options))
    });
    tools::require(&compilers.collect::<Vec<_>>(), options)?;
    let mut toolchains = id::Toolchains::default();
    let mut ids = BTreeMap::new();
    let mut planned = Vec::new();
    for recipe in wanted {
        let host = host_of(recipe).clone();
        let id = id::build_id(recipe, &host, options, &ids, &mut toolchains)?;
        ids.insert(recipe.name.clone(), id.clone());
        planned.push(Planned { recipe: recipe.clone(), host, id });
    }
    Ok(planned)
}

/// Builds whatever is missing and brings the prefix in line. Returns the prefix.
///
/// # Errors
/// When a source cannot be had or has a wrong hash, a tool is missing, or a build fails.
pub fn install(options: &Options) -> Result<PathBuf> {
    bring_in_line(options, &plan(options)?, false)
}

/// Builds what is missing of these packages and puts them into the prefix. Others that are there stay if `others` may.
fn bring_in_line(options: &Options, planned: &[Planned], others: bool) -> Result<PathBuf> {
    let prefix = options.prefix();
    let wanted = Manifest::of(options, planned, &prefix, others)?;
    if Manifest::load(&prefix)?.as_ref() == Some(&wanted) {
        progress::note(options, &format!("{} is up to date", prefix.display()));
        return Ok(prefix);
    }
    let _lock = build_missing(options, planned)?;
    prefix::assemble(&prefix, options, planned, &wanted)?;
    progress::note(options, &format!("{} is ready", prefix.display()));
    Ok(prefix)
}

/// Builds the packages that the cache does not have.
fn build_missing(options: &Options, planned: &[Planned]) -> Result<lock::Lock> {
    for package in planned {
        if package.recipe.uses_cargo() && !archive::is_cached(options, package)? {
            fetch::locked_crates(options)?;
        }
    }
    let lock = lock::Lock::acquire(&options.work_dir().join("lock"), options)?;
    build::ensure_all(options, planned, &lock)?;
    Ok(lock)
}

/// Fetches and verifies the sources of all wanted packages, or of one by name.
///
/// # Errors
/// When a source cannot be had or has a wrong hash.
pub fn download(options: &Options, only: Option<&str>) -> Result<()> {
    let recipes = recipe::load_all(&options.packages_dir())?;
    let wanted: Vec<&Recipe> = match only {
        Some(name) => vec![recipes.get(name).with_context(|| format!("there is no package {name}"))?],
        None => recipe::in_order(&recipes, options)?,
    };
    for recipe in wanted {
        fetch::source(recipe, options)?;
        if recipe.uses_cargo() {
            fetch::locked_crates(options)?;
        }
    }
    Ok(())
}

/// Removes what can be made again: work directories, prefixes and the build cache; with `all` the sources too.
///
/// # Errors
/// When something cannot be removed.
pub fn clean(options: &Options, all: bool) -> Result<()> {
    let _lock = lock::Lock::acquire(&options.work_dir().join("lock"), options)?;
    let mut doomed = vec![options.cache.clone()];
    for host in host::names(options)? {
        doomed.push(options.depends_dir().join(host));
    }
    if all {
        doomed.push(options.sources.clone());
    }
    // Last, because the lock lives in it.
    doomed.push(options.work_dir());
    for dir in doomed {
        match std::fs::remove_dir_all(&dir) {
            Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
                return Err(err).with_context(|| format!("cannot remove {}", dir.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The programs of the machine that the builds of all wanted packages use; `cc` and `c++` stand for the compilers.
///
/// # Errors
/// When a recipe is wrong.
pub fn tools(options: &Options) -> Result<BTreeSet<String>> {
    let recipes = recipe::load_all(&options.packages_dir())?;
    Ok(recipe::in_order(&recipes, options)?.into_iter().flat_map(|recipe| recipe.tools.clone()).collect())
}

/// A package with all that it depends on, in order.
fn closure(planned: &[Planned], package: &str) -> Vec<Planned> {
    let mut needed = BTreeSet::from([package.to_owned()]);
    // Each comes after those it depends on.
    for package in planned.iter().rev() {
        if needed.contains(&package.recipe.name) {
            needed.extend(package.recipe.depends.iter().cloned());
        }
    }
    planned.iter().filter(|package| needed.contains(&package.recipe.name)).cloned().collect()
}

/// The value that `print-NAME` shows: a variable, `packages`, or `<package>_version`, `_id`, `_sha256_hash`, `_file`.
///
/// # Errors
/// When there is nothing of that name.
pub fn variable(options: &Options, name: &str) -> Result<String> {
    if let Some(value) = options.variable(name) {
        return Ok(value);
    }
    let recipes = recipe::load_all(&options.packages_dir())?;
    if name == "packages" {
        let names: Vec<_> = recipe::in_order(&recipes, options)?.iter().map(|recipe| recipe.name.as_str()).collect();
        return Ok(names.join(" "));
    }
    for (package, recipe) in &recipes {
        match name.strip_prefix(package.as_str()) {
            Some("_version") => return Ok(recipe.version.clone()),
            // A package of our own has no source file.
            Some("_sha256_hash") => {
                return Ok(recipe.origins.first().map(|origin| origin.sha256.clone()).unwrap_or_default());
            }
            Some("_file") => {
                return Ok(recipe.origins.first().map(|origin| origin.file_name().to_owned()).unwrap_or_default());
            }
            Some("_id") => {
                let planned = plan(options)?.into_iter().find(|planned| planned.recipe.name == *package);
                return Ok(planned.map(|planned| planned.id).unwrap_or_default());
            }
            _ => {}
        }
    }
    bail!("there is no variable {name}")
}

/// The files of this clone that a package of our own consists of, relative to the clone's top directory.
///
/// # Errors
/// When its recipe is wrong or missing.
pub fn local_files(options: &Options, package: &str) -> Result<Vec<String>> {
    let recipes = recipe::load_all(&options.packages_dir())?;
    build::local_files(&options.root, recipes.get(package).with_context(|| format!("there is no package {package}"))?)
}

/// The prefix that `make -C depends` made in this clone for this machine, if it has.
#[must_use]
pub fn existing_prefix(root: &Path) -> Option<PathBuf> {
    let prefix = Options::new(root).ok()?.prefix();
    manifest_file(&prefix).is_file().then_some(prefix)
}

/// Makes sure a package and what it depends on is built for this machine, with the choices the existing prefix was made
/// with if there is one, and returns the prefix that holds it. Other packages are left as they are. For build scripts: it
/// installs nothing on the system and prints to stderr only.
///
/// # Errors
/// As [`install`].
pub fn ensure(root: &Path, package: &str) -> Result<PathBuf> {
    let mut options = Options::new(root)?;
    options.take_environment();
    if let Some(manifest) = Manifest::load(&options.prefix())? {
        manifest.apply_to(&mut options);
    }
    let planned = plan(&options)?;
    let prefix = bring_in_line(&options, &closure(&planned, package), true)?;
    match Manifest::load(&prefix)? {
        Some(manifest) if manifest.packages.contains_key(package) => Ok(prefix),
        _ => bail!("there is no package {package} in {}", options.packages_dir().display()),
    }
}
