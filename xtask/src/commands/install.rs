//! `cargo xtask install`: copies what was built into the configured prefix; `cargo xtask uninstall` removes it again.
//!
//! Programs that users start go to `bin`; those that other programs start go to `libexec`, where the `bitcoin` wrapper
//! looks for them. Each comes with its man page and completions ([`super::manual`]). With the split programs comes what
//! other people's programs need to talk to them ([`super::library`]).
//!
//! **Invariant:** what is installed is decided in one list, and removing goes through the same one.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::build::Workspace;
use super::directories::Directories;
use super::{PROGRAMS, build, library, manual, run as run_to_end};

/// Something to install.
pub struct Item {
    /// Where, without `DESTDIR`.
    pub to: PathBuf,
    /// What.
    pub what: What,
}

/// What is installed.
pub enum What {
    /// A copy of a program.
    Program(PathBuf),
    /// A copy of a library, shared or not.
    Library(PathBuf),
    /// A copy of a file that is read.
    File(PathBuf),
    /// A file with this text.
    Text(String),
    /// A page or completions of a program.
    Manual(PathBuf, manual::Kind),
    /// A link to a file beside it.
    Link(String),
}

/// Builds and installs; with `strip`, without what only debuggers need.
pub fn run(root: &Path, strip: bool) -> Result<()> {
    let directories = Directories::load(root)?;
    build::run(root, &[])?;
    for item in items(root, &directories)? {
        let file = destination(&item.to);
        item.what.put(&file, strip).with_context(|| format!("cannot install {}", file.display()))?;
        println!("{}", file.display());
    }
    Ok(())
}

/// Removes what [`run`] installs, and our own directories when they are empty then.
pub fn undo(root: &Path) -> Result<()> {
    for item in items(root, &Directories::load(root)?)? {
        let file = destination(&item.to);
        match fs::remove_file(&file) {
            Ok(()) => println!("{}", file.display()),
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => {}
            Err(err) => return Err(err).with_context(|| format!("cannot remove {}", file.display())),
        }
        // Of the directories only ours; one that holds something else stays.
        let ours = |dir: &&Path| dir.iter().any(|part| part == library::SHARED);
        let _ = file.ancestors().skip(1).take_while(ours).try_for_each(fs::remove_dir);
    }
    Ok(())
}

/// Everything there is to install.
fn items(root: &Path, directories: &Directories) -> Result<Vec<Item>> {
    let workspace = Workspace::load(root)?;
    let release = workspace.target_dir.join("release");
    let split = build::is_split(root)?;
    let mut items = Vec::new();
    for (program, of_split) in PROGRAMS.iter().filter(|(_, of_split)| split || !of_split) {
        let dir = if *of_split { &directories.libexec } else { &directories.bin };
        let to = dir.join(program);
        items.push(Item { to, what: What::Program(release.join(program)) });
        items.extend(manual::Kind::ALL.map(|kind| Item {
            to: kind.below(&directories.man, &directories.data).join(kind.file(program)),
            what: What::Manual(release.join(program), kind),
        }));
    }
    if split {
        items.extend(library::items(root, &workspace, directories)?);
    }
    Ok(items)
}

/// A place under `DESTDIR`, if that is set.
fn destination(file: &Path) -> PathBuf {
    match std::env::var_os("DESTDIR").filter(|dir| !dir.is_empty()) {
        Some(dir) => Path::new(&dir).join(file.strip_prefix("/").unwrap_or(file)),
        None => file.to_path_buf(),
    }
}

impl What {
    /// What `strip` may take out of it, if anything, as the option of `strip`.
    fn needless(&self) -> Option<&'static str> {
        match self {
            What::Program(_) => Some("--strip-all"),
            // What is in an archive is yet to be linked.
            What::Library(from) if from.extension().is_some_and(|end| end == "a") => Some("--strip-debug"),
            What::Library(_) => Some("--strip-unneeded"),
            What::File(_) | What::Text(_) | What::Manual(..) | What::Link(_) => None,
        }
    }

    fn put(&self, file: &Path, strip: bool) -> Result<()> {
        let (dir, name) = (file.parent().unwrap_or(file), file.file_name().unwrap_or_default());
        fs::create_dir_all(dir)?;
        let partial = dir.join(format!(".{}.part", name.to_string_lossy()));
        // Left by an installation that was cut short; a link would be followed.
        let _ = fs::remove_file(&partial);
        let mode = match self {
            What::Program(from) => fs::copy(from, &partial).map(|_| Some(0o755)),
            What::Library(from) | What::File(from) => fs::copy(from, &partial).map(|_| Some(0o644)),
            What::Text(text) => fs::write(&partial, text).map(|()| Some(0o644)),
            What::Manual(program, kind) => fs::write(&partial, kind.text(program)?).map(|()| Some(0o644)),
            What::Link(target) => std::os::unix::fs::symlink(target, &partial).map(|()| None),
        }?;
        if strip && let Some(what) = self.needless() {
            run_to_end(Command::new("strip").arg(what).arg(&partial), "strip")?;
        }
        if let Some(mode) = mode {
            fs::set_permissions(&partial, Permissions::from_mode(mode))?;
        }
        // A program that is running cannot be written to, but it can be replaced.
        Ok(fs::rename(&partial, file)?)
    }
}
