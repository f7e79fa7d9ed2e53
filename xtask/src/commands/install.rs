//! `cargo xtask install`: copies the built programs into the configured prefix.
//!
//! Programs that users start go to `bin`; those that other programs start go to `libexec`, where the `bitcoin` wrapper
//! looks for them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xtask::config::Config;

use super::{PROGRAMS, build};

/// Installs under `destdir`, which may be empty, and the prefix.
pub fn run(root: &Path) -> Result<()> {
    let prefix =
        Config::load(root)?.prefix.context("no prefix is recorded; run ./configure --prefix=DIRECTORY first")?;
    let prefix = match std::env::var_os("DESTDIR").filter(|dir| !dir.is_empty()) {
        Some(dir) => Path::new(&dir).join(prefix.strip_prefix("/").unwrap_or(&prefix)),
        None => prefix,
    };
    build::run(root)?;
    let release = build::target_dir(root)?.join("release");
    let split = build::is_split(root)?;
    for (program, of_split) in PROGRAMS {
        if of_split && !split {
            continue;
        }
        let dir: PathBuf = prefix.join(if of_split { "libexec" } else { "bin" });
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let (partial, file) = (dir.join(format!(".{program}.part")), dir.join(program));
        // A program that is running cannot be written to, but it can be replaced.
        fs::copy(release.join(program), &partial)
            .and_then(|_| fs::rename(&partial, &file))
            .with_context(|| format!("cannot install {}", file.display()))?;
        println!("{}", file.display());
    }
    Ok(())
}
