//! Build ids: the hash of everything that decides what a build makes. Also file hashes, which use the same function.
//!
//! **Invariant:** two builds with the same id give the same files, so an archive may be taken instead of building.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::{Host, Options, Recipe};
use crate::system;

/// Raised when the engine builds the same recipe differently.
const ENGINE: &str = "1";

/// The compilers already asked for their version in this run.
#[derive(Default)]
pub(super) struct Toolchains(BTreeMap<String, String>);

impl Toolchains {
    fn version(&mut self, program: &str, packages: &[&str]) -> Result<String> {
        if let Some(known) = self.0.get(program) {
            return Ok(known.clone());
        }
        let output = Command::new(program).arg("--version").env("LC_ALL", "C").output();
        let text = match output {
            Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
            _ => anyhow::bail!("the compiler {program} is missing; install it with {}", system::install_hint(packages)),
        };
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
    for name in &recipe.depends {
        // A dependency that is not wanted under these options has no id and no part in the result.
        if let Some(id) = ids.get(name) {
            add("dependency", name);
            add("id", id);
        }
    }
    for (tool, program) in [("cc", &host.cc), ("c++", &host.cxx)] {
        if recipe.tools.iter().any(|used| used == tool) {
            let packages: Vec<&str> = match options.host == options.build {
                true => vec![system::debian_package(tool)],
                false => host.cross_packages.iter().map(String::as_str).collect(),
            };
            add(tool, &toolchains.version(program, &packages)?);
            add("flags", if options.debug { &host.debug_flags } else { &host.flags });
        }
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
