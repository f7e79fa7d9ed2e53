//! `cargo xtask depends`: the engine behind `depends/Makefile`.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result, bail};
use xtask::depends::{self, Options};

use super::setup;

/// Runs a target of `depends/Makefile` with its variables.
pub fn run(root: &Path, target: &str, words: &[OsString]) -> Result<()> {
    let mut options = Options::new(root)?;
    options.may_install = true;
    let mut names = Vec::new();
    // The machines come first, since their spelling is checked against the host files.
    for word in words {
        let word = word.to_str().context("an argument is not UTF-8")?;
        match word.split_once('=') {
            Some((name, value)) => options.set(name, value)?,
            None => names.push(word),
        }
    }
    match (target, names.as_slice()) {
        ("install", []) => {
            // On a fresh machine this is the first command there is, and the ones after it need programs too.
            setup::run_unasked(root, options.yes)?;
            let prefix = depends::install(&options)?;
            println!("To build with it: ./configure --prefix={}", prefix.display());
            Ok(())
        }
        ("download", []) => depends::download(&options, None),
        ("download-one", [name]) => depends::download(&options, Some(name)),
        ("download-one", _) => bail!("which package? make download-one PACKAGE=name"),
        ("clean", []) => depends::clean(&options, false),
        ("clean-all", []) => depends::clean(&options, true),
        ("print", [name]) => {
            println!("{name} = {}", depends::variable(&options, name)?);
            Ok(())
        }
        (_, names) => bail!("depends has no target {target} {}", names.join(" ")),
    }
}
