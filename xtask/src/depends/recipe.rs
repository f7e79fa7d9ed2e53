//! Recipes: what a package is, where its source comes from, how it is built. Data in `depends/packages/<name>.toml`.
//!
//! **Invariant:** a recipe is at most 40 lines; what needs more belongs into the engine or into a patch.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::Options;
use crate::data;

/// The length limit that keeps recipes data.
pub const MAX_LINES: usize = 40;

/// A package, as its file describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The package's name: the file's name.
    #[serde(skip)]
    pub name: String,
    /// The file's content without comments and layout, for the build id.
    #[serde(skip)]
    pub canonical: String,
    /// The version of the package.
    pub version: String,
    /// Conditions that must all hold for the package to be wanted.
    #[serde(default)]
    pub when: Vec<String>,
    /// Whether it is a tool for the building machine.
    #[serde(default)]
    pub native: bool,
    /// The packages its build uses.
    #[serde(default)]
    pub depends: Vec<String>,
    /// The programs of the machine its build uses; `cc` and `c++` stand for the host's compilers. With `cargo` come the
    /// crates of the clone's lock file, which cargo checks the hashes of.
    #[serde(default)]
    pub tools: Vec<String>,
    /// Leading directories to take off the source's paths.
    #[serde(default = "one")]
    pub strip: u32,
    /// Patterns of the files to unpack; none means all.
    #[serde(default)]
    pub only: Vec<String>,
    /// Where the source comes from, in the order to try.
    #[serde(default, rename = "origin")]
    pub origins: Vec<Origin>,
    /// Files and directories of this clone that are the source of a package of our own, in the place of origins.
    #[serde(default)]
    pub local: Vec<String>,
    /// Shell lines that prepare the build directory.
    #[serde(default)]
    pub configure: String,
    /// Shell lines that build.
    #[serde(default)]
    pub build: String,
    /// Shell lines that put the result under `$STAGE`.
    pub install: String,
}

fn one() -> u32 {
    1
}

impl Recipe {
    /// Whether its build runs cargo.
    pub(super) fn uses_cargo(&self) -> bool {
        self.tools.iter().any(|tool| tool == "cargo")
    }
}

/// One place a source file comes from, and the hash of what comes from there.
#[derive(Debug, Clone, Deserialize)]
pub struct Origin {
    /// SHA-256 of the file, in lower-case hex.
    pub sha256: String,
    /// The name to keep the file under; for some places it can be derived.
    #[serde(default)]
    file: Option<String>,
    /// The place.
    #[serde(flatten)]
    pub place: Place,
}

/// The kinds of places.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Place {
    /// An address on the network.
    Url {
        /// The address.
        url: String,
    },
    /// The upstream tarball of a Debian source package, from whatever archive the machine's apt uses.
    Debian {
        /// The source package.
        debian: String,
        /// The release that has it.
        suite: String,
    },
    /// A crate, from whatever registry the machine's cargo uses.
    Crate {
        /// The crate's name.
        #[serde(rename = "crate")]
        name: String,
        /// Its exact version.
        version: String,
    },
    /// A file in the clone or elsewhere on the machine.
    Path {
        /// The file, relative to the clone's top directory.
        path: String,
    },
}

impl Origin {
    /// The name the file is kept under in `SOURCES_PATH`.
    #[must_use]
    pub fn file_name(&self) -> &str {
        match (&self.file, &self.place) {
            (Some(file), _) => file,
            (None, Place::Url { url: text } | Place::Path { path: text }) => text.rsplit('/').next().unwrap_or(text),
            // Checked when the recipe is read.
            (None, _) => "",
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Place::Url { url } => write!(f, "{url}"),
            Place::Debian { debian, suite } => write!(f, "Debian source package {debian} of {suite}"),
            Place::Crate { name, version } => write!(f, "crate {name} {version}"),
            Place::Path { path } => write!(f, "{path}"),
        }
    }
}

/// Reads all recipes.
pub(super) fn load_all(dir: &Path) -> Result<BTreeMap<String, Recipe>> {
    let mut recipes = BTreeMap::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "toml")
            && let Some(name) = file.file_stem().and_then(|stem| stem.to_str())
        {
            let recipe = load(&file, name).with_context(|| format!("{} is wrong", file.display()))?;
            recipes.insert(name.to_owned(), recipe);
        }
    }
    Ok(recipes)
}

fn load(file: &Path, name: &str) -> Result<Recipe> {
    let text = fs::read_to_string(file)?;
    let lines = text.lines().count();
    if lines > MAX_LINES {
        bail!("it has {lines} lines, and a recipe has at most {MAX_LINES}");
    }
    let mut recipe: Recipe = data::parse(&text)?;
    name.clone_into(&mut recipe.name);
    // Tables sort their keys, so this is the same for any layout of the same data.
    recipe.canonical = toml::to_string(&data::parse::<toml::Table>(&text)?)?;
    if recipe.origins.is_empty() == recipe.local.is_empty() {
        bail!("it needs origins or local files, and not both");
    }
    for origin in &mut recipe.origins {
        if origin.sha256.len() != 64 || !origin.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            bail!("the hash {} is not a SHA-256 in hex", origin.sha256);
        }
        origin.sha256.make_ascii_lowercase();
        if let (None, Place::Crate { name, version }) = (&origin.file, &origin.place) {
            origin.file = Some(format!("{name}-{version}.crate"));
        }
        let file = origin.file_name();
        if file.is_empty() || file.contains('/') || file.starts_with('.') {
            bail!("the origin {origin} needs a plain file name");
        }
    }
    Ok(recipe)
}

/// The wanted recipes, each after those it depends on.
pub(super) fn in_order<'a>(recipes: &'a BTreeMap<String, Recipe>, options: &Options) -> Result<Vec<&'a Recipe>> {
    let mut order = Vec::new();
    let mut path = Vec::new();
    for recipe in recipes.values() {
        if wanted(recipe, options)? {
            visit(recipe, recipes, options, &mut order, &mut path)?;
        }
    }
    Ok(order)
}

fn wanted(recipe: &Recipe, options: &Options) -> Result<bool> {
    for condition in &recipe.when {
        if !options.holds(condition).with_context(|| format!("the recipe of {} is wrong", recipe.name))? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn visit<'a>(
    recipe: &'a Recipe,
    recipes: &'a BTreeMap<String, Recipe>,
    options: &Options,
    order: &mut Vec<&'a Recipe>,
    path: &mut Vec<&'a str>,
) -> Result<()> {
    if order.iter().any(|done| done.name == recipe.name) {
        return Ok(());
    }
    if path.contains(&recipe.name.as_str()) {
        bail!("the packages {} depend on each other", path.join(", "));
    }
    path.push(&recipe.name);
    for name in &recipe.depends {
        let needed =
            recipes.get(name).with_context(|| format!("{} depends on {name}, which has no recipe", recipe.name))?;
        if wanted(needed, options)? {
            visit(needed, recipes, options, order, path)?;
        }
    }
    path.pop();
    order.push(recipe);
    Ok(())
}
