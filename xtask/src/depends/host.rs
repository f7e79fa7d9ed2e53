//! Machines to build for: `depends/hosts/<triplet>.toml`. Data, because a new machine must not need new code.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::Options;
use crate::data;

/// A machine to build for, as its file describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Its canonical triplet: the file's name.
    #[serde(skip)]
    pub triplet: String,
    /// Other spellings of the triplet.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// `CMAKE_SYSTEM_NAME`.
    pub system: String,
    /// `CMAKE_SYSTEM_PROCESSOR`.
    pub processor: String,
    /// The C compiler.
    pub cc: String,
    /// The C++ compiler.
    pub cxx: String,
    /// The archiver.
    pub ar: String,
    /// The archive indexer.
    pub ranlib: String,
    /// Rust's name of it.
    #[serde(default)]
    pub rust: String,
    /// What these programs' names start with when building from another kind of machine.
    #[serde(default)]
    pub cross: String,
    /// Compiler flags.
    pub flags: String,
    /// Compiler flags instead, with `DEBUG=1`.
    pub debug_flags: String,
    /// The Debian packages that have the programs for a cross build; for a native one the usual ones do.
    #[serde(default)]
    pub cross_packages: Vec<String>,
}

impl Host {
    /// Reads a host file. The programs' names come out as they are to be run here.
    pub(super) fn load(options: &Options, triplet: &str) -> Result<Host> {
        let file = file_of(options, triplet);
        let text = fs::read_to_string(&file)
            .with_context(|| format!("cannot build for {triplet}: there is no {}", file.display()))?;
        let mut host: Host = data::parse(&text).with_context(|| format!("{} is wrong", file.display()))?;
        triplet.clone_into(&mut host.triplet);
        if triplet != options.build {
            for program in [&mut host.cc, &mut host.cxx, &mut host.ar, &mut host.ranlib] {
                program.insert_str(0, &host.cross);
            }
        }
        Ok(host)
    }
}

/// The triplet of the machine this runs on.
///
/// # Errors
/// When it is of a kind nobody has named here.
pub fn this_machine() -> Result<String> {
    let os = match std::env::consts::OS {
        "linux" => "linux-gnu",
        "macos" => "apple-darwin",
        other => bail!("depends does not know how to build on {other}"),
    };
    Ok(match (std::env::consts::ARCH, os) {
        (arch, "apple-darwin") => format!("{arch}-apple-darwin"),
        ("x86_64", _) => "x86_64-pc-linux-gnu".to_owned(),
        (arch, _) => format!("{arch}-unknown-{os}"),
    })
}

/// The triplet under which a host file exists, given one of its spellings.
pub(super) fn canonical(options: &Options, triplet: &str) -> Result<String> {
    if file_of(options, triplet).is_file() {
        return Ok(triplet.to_owned());
    }
    let known = names(options)?;
    for name in &known {
        if Host::load(options, name)?.aliases.iter().any(|alias| alias == triplet) {
            return Ok(name.clone());
        }
    }
    bail!("cannot build for {triplet}: the hosts are {}", known.join(", "))
}

/// The triplets of all host files.
pub(super) fn names(options: &Options) -> Result<Vec<String>> {
    let dir = options.depends_dir().join("hosts");
    let mut names = Vec::new();
    for entry in fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))? {
        if let Some(name) = entry?.file_name().to_str().and_then(|name| name.strip_suffix(".toml")) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn file_of(options: &Options, triplet: &str) -> PathBuf {
    options.depends_dir().join("hosts").join(format!("{triplet}.toml"))
}
