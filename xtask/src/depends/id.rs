//! Build ids: the hash of everything that decides what a build makes. Also file hashes, which use the same function.
//!
//! **Invariant:** two builds with the same id give the same files, so an archive may be taken instead of building.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::{Host, Options, Recipe, build};

/// Raised when the engine builds the same recipe differently.
const ENGINE: &str = "1";

/// The compilers already asked for their version in this run.
#[derive(Default)]
pub(super) struct Toolchains(BTreeMap<String, String>);

impl Toolchains {
    fn version(&mut self, program: &str) -> Result<String> {
        if let Some(known) = self.0.get(program) {
            return Ok(known.clone());
        }
        let mut words = program.split(' ');
        let output =
            Command::new(words.next().unwrap_or(program)).args(words).arg("--version").env("LC_ALL", "C").output();
        let output = output.with_context(|| format!("cannot run {program}"))?;
        if !output.status.success() {
            bail!("{program} --version failed ({})", output.status);
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().next().unwrap_or_default().to_owned();
        self.0.insert(program.to_owned(), line.clone());
        Ok(line)
    }
}

/// The build id of a recipe whose dependencies' ids are known.
pub(super) fn build_id(
    recipe: &Recipe,
    host: &Host,
    options: &Options,
    ids: &BTreeMap<String, String>,
    toolchains: &mut Toolchains,
) -> Result<String> {
    let mut hash = Sha256::new();
    let mut add = |what: &str, value: &str| {
        // Length-prefixed, so that no two different inputs run together into the same bytes.
        hash.update(format!("{what} {}\n{value}\n", value.len()));
    };
    add("engine", ENGINE);
    add("package", &recipe.name);
    add("recipe", &recipe.canonical);
    add("host", &host.triplet);
    for (name, content) in patches(&options.patches_dir(&recipe.name))? {
        add("patch", &name);
        add("content", &content);
    }
    for file in build::local_files(&options.root, recipe)? {
        add("local", &file);
        add("content", &file_hash(&options.root.join(&file))?);
    }
    for name in &recipe.depends {
        // A dependency that is not wanted under these options has no id and no part in the result.
        if let Some(id) = ids.get(name) {
            add("dependency", name);
            add("id", id);
        }
    }
    for (tool, program) in [("cc", &host.cc), ("c++", &host.cxx)] {
        if recipe.tools.iter().any(|used| used == tool) {
            add(tool, &toolchains.version(program)?);
            add("flags", if options.debug { &host.debug_flags } else { &host.flags });
        }
    }
    if recipe.uses_cargo() {
        add("rustc", &toolchains.version("rustc")?);
    }
    Ok(hex(&hash.finalize())[..16].to_owned())
}

/// A package's patches and other added files: name and hash of each, in order.
fn patches(dir: &Path) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(dir) else { return Ok(found) };
    for entry in entries {
        let entry = entry?;
        found.push((entry.file_name().to_string_lossy().into_owned(), file_hash(&entry.path())?));
    }
    found.sort();
    Ok(found)
}

/// SHA-256 of a file, in hex.
pub(super) fn file_hash(file: &Path) -> Result<String> {
    let mut input = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = input.read(&mut buffer).with_context(|| format!("cannot read {}", file.display()))?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..read]);
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
