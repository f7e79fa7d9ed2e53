//! Directories that things are installed to: GNU's names for them, their defaults, and what `./configure` was told.
//!
//! **Invariant:** what `./configure` records and where `install` puts things are resolved here, from one table.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xtask::config::Config;

/// Name of each directory that can be chosen, and where it is otherwise.
pub const CHOICES: [(&str, &str); 8] = [
    ("exec-prefix", "${prefix}"),
    ("bindir", "${exec_prefix}/bin"),
    ("libexecdir", "${exec_prefix}/libexec"),
    ("libdir", "${exec_prefix}/lib"),
    ("includedir", "${prefix}/include"),
    ("datarootdir", "${prefix}/share"),
    ("datadir", "${datarootdir}"),
    ("mandir", "${datarootdir}/man"),
];

/// Where things go, without `DESTDIR`.
#[derive(Debug, PartialEq, Eq)]
pub struct Directories {
    /// What the others are below, usually.
    pub prefix: PathBuf,
    /// Programs that users start.
    pub bin: PathBuf,
    /// Programs that other programs start.
    pub libexec: PathBuf,
    /// Libraries.
    pub lib: PathBuf,
    /// Headers.
    pub include: PathBuf,
    /// What does not depend on the machine.
    pub data: PathBuf,
    /// Man pages.
    pub man: PathBuf,
}

impl Directories {
    /// Returns those that were configured.
    pub fn load(root: &Path) -> Result<Directories> {
        let config = Config::load(root)?;
        let prefix = config.prefix.context("no prefix is recorded; run ./configure --prefix=DIRECTORY first")?;
        Self::new(&prefix, &config.directories)
    }

    /// Returns those that follow from a prefix and what was said about some of them.
    pub fn new(prefix: &Path, given: &BTreeMap<String, PathBuf>) -> Result<Directories> {
        let of = |name| resolve(prefix, given, name, CHOICES.len());
        Ok(Directories {
            prefix: prefix.to_owned(),
            bin: of("bindir")?,
            libexec: of("libexecdir")?,
            lib: of("libdir")?,
            include: of("includedir")?,
            data: of("datadir")?,
            man: of("mandir")?,
        })
    }

    /// Where the `bitcoin` wrapper looks for programs that are not beside it, as Core's does.
    pub fn looked_in(&self) -> PathBuf {
        self.bin.parent().unwrap_or(&self.bin).join("libexec")
    }
}

/// A directory in the terms of others, `${prefix}/lib` say, or relative to the prefix, as a path.
fn resolve(prefix: &Path, given: &BTreeMap<String, PathBuf>, name: &str, depth: usize) -> Result<PathBuf> {
    let default = || CHOICES.iter().find(|(choice, _)| *choice == name).map(|(_, default)| PathBuf::from(default));
    let dir = given.get(name).cloned().or_else(default).with_context(|| format!("there is no directory {name}"))?;
    let Some(text) = dir.to_str().filter(|text| text.starts_with("${")) else { return Ok(prefix.join(dir)) };
    let (variable, rest) = text[2..].split_once('}').with_context(|| format!("--{name}={text}: a brace is missing"))?;
    let base = match variable {
        "prefix" => prefix.to_owned(),
        _ if depth == 0 => bail!("--{name}={text} is in terms of itself"),
        _ => resolve(prefix, given, &variable.replace('_', "-"), depth - 1)?,
    };
    let rest = rest.trim_start_matches('/');
    Ok(if rest.is_empty() { base } else { base.join(rest) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, PathBuf> {
        pairs.iter().map(|(name, dir)| ((*name).to_owned(), PathBuf::from(dir))).collect()
    }

    #[test]
    fn directories_follow_from_each_other() {
        let check = |pairs: &[(&str, &str)], expected: [&str; 6]| {
            let Directories { bin, libexec, lib, include, data, man, .. } =
                Directories::new(Path::new("/usr"), &given(pairs)).expect("they resolve");
            assert_eq!([bin, libexec, lib, include, data, man], expected.map(PathBuf::from), "{pairs:?}");
        };
        check(&[], ["/usr/bin", "/usr/libexec", "/usr/lib", "/usr/include", "/usr/share", "/usr/share/man"]);
        check(
            &[("libdir", "lib/x86_64-linux-gnu"), ("mandir", "${prefix}/man"), ("includedir", "${prefix}/include/x")],
            ["/usr/bin", "/usr/libexec", "/usr/lib/x86_64-linux-gnu", "/usr/include/x", "/usr/share", "/usr/man"],
        );
        check(
            &[("exec-prefix", "/opt/x"), ("datarootdir", "/data"), ("libdir", "${exec_prefix}/lib64")],
            ["/opt/x/bin", "/opt/x/libexec", "/opt/x/lib64", "/usr/include", "/data", "/data/man"],
        );
    }

    #[test]
    fn what_cannot_be_resolved_is_an_error() {
        let check = |dir: &str, expected: &str| {
            let error = Directories::new(Path::new("/usr"), &given(&[("bindir", dir)])).expect_err(dir);
            assert_eq!(error.to_string(), expected);
        };
        check("${bindir}/x", "--bindir=${bindir}/x is in terms of itself");
        check("${teapot}", "there is no directory teapot");
        check("${prefix", "--bindir=${prefix: a brace is missing");
    }
}
