//! What `./configure` decided, in `build/config.toml`. Separate from the command that writes it because build scripts
//! read it too.
//!
//! **Invariant:** the file is rewritten only when its content changes, since build scripts watch it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::{data, paths};

/// The recorded choices. Absent means "look for yourself".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where `make install` puts the programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<PathBuf>,
    /// The prefix to take libraries and tools from, when `--prefix` named one that `depends` made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depends: Option<PathBuf>,
    /// Whether the split programs are built beside the monolith.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multiprocess: Option<bool>,
    /// Where below or beside the prefix things go, for what an option such as `--libdir` named, by its name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub directories: BTreeMap<String, PathBuf>,
    /// Compilers and flags that were given, such as `CC` and `CXXFLAGS`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
}

impl Config {
    /// Reads the record of the clone at `root`; a missing or empty file is the default.
    ///
    /// # Errors
    /// When the file cannot be read or is not what `./configure` writes.
    pub fn load(root: &Path) -> Result<Config> {
        let file = paths::config_file(root);
        match std::fs::read_to_string(&file) {
            Ok(text) => {
                data::parse(&text).with_context(|| format!("{} is damaged; run ./configure again", file.display()))
            }
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(Config::default()),
            Err(err) => Err(err).with_context(|| format!("cannot read {}", file.display())),
        }
    }

    /// Returns the environment in which cargo builds with the compilers and flags that were given; `rustflags` are the
    /// flags that it has already. What was not given is left to the environment.
    #[must_use]
    pub fn environment(&self, rustflags: &str) -> Vec<(&'static str, String)> {
        let given = |name: &str| self.variables.get(name).map(String::as_str);
        let mut environment = Vec::new();
        for name in ["CC", "CXX", "AR", "RANLIB"] {
            environment.extend(given(name).map(|value| (name, value.to_owned())));
        }
        for name in ["CFLAGS", "CXXFLAGS"] {
            // Build scripts know no flags of the preprocessor.
            let flags: Vec<&str> = [given("CPPFLAGS"), given(name)].into_iter().flatten().collect();
            if !flags.is_empty() {
                environment.push((name, flags.join(" ")));
            }
        }
        if environment.iter().any(|(name, _)| name.ends_with("FLAGS")) {
            // As a makefile would read them.
            environment.push(("CC_SHELL_ESCAPED_FLAGS", "1".to_owned()));
        }
        let link = shlex::split(given("LDFLAGS").unwrap_or_default()).unwrap_or_default();
        if !link.is_empty() {
            // RUSTFLAGS itself knows no quotes.
            let before = rustflags.split_whitespace().map(str::to_owned);
            let words: Vec<String> = before.chain(link.iter().map(|word| format!("-Clink-arg={word}"))).collect();
            environment.push(("CARGO_ENCODED_RUSTFLAGS", words.join("\x1f")));
        }
        environment
    }

    /// Writes the record if it differs from what is there.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn store(&self, root: &Path) -> Result<()> {
        let file = paths::config_file(root);
        let text = format!("# Written by ./configure.\n{}", toml::to_string(self)?);
        if std::fs::read_to_string(&file).is_ok_and(|old| old == text) {
            return Ok(());
        }
        if let Some(dir) = file.parent() {
            std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        }
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_compilers_and_flags_reach_the_build() {
        let check = |given: &[(&str, &str)], expected: &[(&'static str, &str)]| {
            let variables = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let config = Config { variables, ..Config::default() };
            let recorded: Config = toml::from_str(&toml::to_string(&config).expect("it is written")).expect("and read");
            let expected: Vec<_> = expected.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            assert_eq!(recorded.environment("-g"), expected);
        };
        check(&[], &[]);
        let escaped = ("CC_SHELL_ESCAPED_FLAGS", "1");
        check(&[("CC", "gcc"), ("CXXFLAGS", "-O1 -g")], &[("CC", "gcc"), ("CXXFLAGS", "-O1 -g"), escaped]);
        check(
            &[("CPPFLAGS", "-DX"), ("CFLAGS", "-O1"), ("LDFLAGS", "-Wl,-z,now -s")],
            &[
                ("CFLAGS", "-DX -O1"),
                ("CXXFLAGS", "-DX"),
                escaped,
                ("CARGO_ENCODED_RUSTFLAGS", "-g\x1f-Clink-arg=-Wl,-z,now\x1f-Clink-arg=-s"),
            ],
        );
        check(
            &[("LDFLAGS", "'-L/my libraries' -lx")],
            &[("CARGO_ENCODED_RUSTFLAGS", "-g\x1f-Clink-arg=-L/my libraries\x1f-Clink-arg=-lx")],
        );
    }
}
