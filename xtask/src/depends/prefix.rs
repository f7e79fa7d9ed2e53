//! The result of a run: a prefix with `bin lib include share`, brought in line with the built packages.
//!
//! Only files of packages are touched, since `make install` may put the programs into the same prefix.
//!
//! **Invariant:** the manifest is there exactly when every package it names is there whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{Options, Planned, archive};
use crate::data;

/// What a prefix was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The machine it is for.
    pub host: String,
    /// Whether it was made with `MULTIPROCESS=1`.
    pub multiprocess: bool,
    /// Whether it was made with `NO_QT=1`.
    pub no_qt: bool,
    /// Whether it was made with `NO_WALLET=1`.
    pub no_wallet: bool,
    /// Whether it was made with `NO_ZMQ=1`.
    pub no_zmq: bool,
    /// Whether it was made with `DEBUG=1`.
    pub debug: bool,
    /// Version and build id of each package.
    pub packages: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads a prefix's manifest, if it has one.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn load(prefix: &Path) -> Result<Option<Manifest>> {
        let file = manifest_file(prefix);
        match fs::read_to_string(&file) {
            Ok(text) => {
                Ok(Some(data::parse(&text).with_context(|| {
                    format!("{} is damaged; remove it and run make -C depends again", file.display())
                })?))
            }
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(err) => Err(err).with_context(|| format!("cannot read {}", file.display())),
        }
    }

    /// Makes a run choose what this prefix was made with.
    pub fn apply_to(&self, options: &mut Options) {
        options.multiprocess = self.multiprocess;
        options.no_qt = self.no_qt;
        options.no_wallet = self.no_wallet;
        options.no_zmq = self.no_zmq;
        options.debug = self.debug;
    }

    /// What the prefix is to be made of; with `others`, of what is there besides, too.
    pub(super) fn of(options: &Options, planned: &[Planned], prefix: &Path, others: bool) -> Result<Manifest> {
        let mut packages = BTreeMap::new();
        if others && let Some(manifest) = Manifest::load(prefix)? {
            packages = manifest.packages;
        }
        let version = |planned: &Planned| format!("{}-{}", planned.recipe.version, planned.id);
        packages.extend(planned.iter().map(|planned| (planned.recipe.name.clone(), version(planned))));
        Ok(Manifest {
            host: options.host.clone(),
            multiprocess: options.multiprocess,
            no_qt: options.no_qt,
            no_wallet: options.no_wallet,
            no_zmq: options.no_zmq,
            debug: options.debug,
            packages,
        })
    }
}

/// The file in a prefix that says which packages it was made of.
#[must_use]
pub fn manifest_file(prefix: &Path) -> PathBuf {
    state_dir(prefix).join("manifest.toml")
}

fn state_dir(prefix: &Path) -> PathBuf {
    prefix.join("share/depends")
}

/// Takes out the packages that changed and puts the wanted ones in. `planned` are those that may have to be put in.
pub(super) fn assemble(prefix: &Path, options: &Options, planned: &[Planned], wanted: &Manifest) -> Result<()> {
    let state = state_dir(prefix);
    fs::create_dir_all(&state).with_context(|| format!("cannot create {}", state.display()))?;
    let old = Manifest::load(prefix)?;
    let kept = |name: &str| old.as_ref().is_some_and(|old| old.packages.get(name) == wanted.packages.get(name));
    let manifest = manifest_file(prefix);
    if old.is_some() {
        fs::remove_file(&manifest).with_context(|| format!("cannot remove {}", manifest.display()))?;
    }
    for entry in fs::read_dir(&state)? {
        let listing = entry?.path();
        if listing.extension().is_some_and(|extension| extension == "files")
            && let Some(name) = listing.file_stem().and_then(|stem| stem.to_str())
            && !kept(name)
        {
            take_out(prefix, &listing)?;
        }
    }
    for package in planned {
        let listing = state.join(format!("{}.files", package.recipe.name));
        if kept(&package.recipe.name) && listing.is_file() {
            continue;
        }
        let built = archive::file(options, package);
        // A native package runs on the building machine and must not mix with the target's files.
        let place = if package.recipe.native { "native/" } else { "" };
        let files: String = archive::list(&built)?.iter().map(|file| format!("{place}{file}\n")).collect();
        fs::write(&listing, files)?;
        archive::unpack(&built, &prefix.join(place))?;
    }
    let partial = state.join("manifest.toml.part");
    fs::write(&partial, format!("# Written by depends.\n{}", toml::to_string(wanted)?))?;
    fs::rename(&partial, &manifest).with_context(|| format!("cannot create {}", manifest.display()))
}

fn take_out(prefix: &Path, listing: &Path) -> Result<()> {
    let text = fs::read_to_string(listing)?;
    for file in text.lines() {
        let path = prefix.join(file);
        let _ = fs::remove_file(&path);
        // Directories go when nothing else is in them.
        let mut dir = path.parent();
        while let Some(empty) = dir.filter(|dir| *dir != prefix && fs::remove_dir(dir).is_ok()) {
            dir = empty.parent();
        }
    }
    fs::remove_file(listing).with_context(|| format!("cannot remove {}", listing.display()))
}
