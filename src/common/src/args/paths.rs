//! Options that are paths, and the directories that follow from them.

use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use super::get::{plain, value_text};
use super::{Args, State};
use crate::chain::Chain;
use crate::lossless;

/// Name of the configuration file.
pub const CONFIG_FILE: &str = "bitcoin.conf";
/// Name of the dynamic settings file.
pub const SETTINGS_FILE: &str = "settings.json";

impl State {
    /// Returns a path option; `default` if it is not set or empty, `None` if it is negated.
    pub(super) fn path(&self, args: &Args, name: &str, default: &str) -> Option<PathBuf> {
        let value = self.value(args, name);
        if value == Value::Bool(false) {
            return None;
        }
        let text = value_text(&value).unwrap_or_default();
        Some(if text.is_empty() { PathBuf::from(default) } else { normal(&lossless::to_path(&text)) })
    }

    pub(super) fn datadir(&self, args: &Args) -> PathBuf {
        match self.path(args, "datadir", "") {
            Some(path) if !path.as_os_str().is_empty() => std::path::absolute(&path).unwrap_or(path),
            _ => default_datadir(),
        }
    }
}

impl Args {
    /// Returns a path option as given: `default` if it is not set, `None` if it is negated.
    pub fn get_path(&self, name: &str, default: &str) -> Option<PathBuf> {
        self.read().path(self, plain(name), default)
    }

    /// Returns a path option, relative to the chain's data directory.
    pub fn net_path(&self, name: &str, default: &str) -> Option<PathBuf> {
        self.get_path(name, default).map(|path| self.net_datadir().join(path))
    }

    /// Returns the data directory, absolute.
    pub fn datadir(&self) -> PathBuf {
        self.read().datadir(self)
    }

    /// Returns the data directory of the chain, absolute.
    pub fn net_datadir(&self) -> PathBuf {
        if let Some(fixed) = self.read().net_datadir.clone() {
            return fixed;
        }
        below(self.datadir(), self.chain())
    }

    /// Returns the directory of the block files, absolute; `None` if `-blocksdir` names none that exists.
    pub fn blocks_dir(&self) -> Option<PathBuf> {
        let base = match self.get("blocksdir") {
            None => self.datadir(),
            Some(_) => {
                let path = self.get_path("blocksdir", "")?;
                let path = std::path::absolute(&path).unwrap_or(path);
                path.is_dir().then_some(path)?
            }
        };
        Some(below(base, self.chain()).join("blocks"))
    }

    /// Returns the configuration file in use, whether it exists or not; `None` with `-noconf` or before it was looked
    /// for.
    pub fn config_file_path(&self) -> Option<PathBuf> {
        self.read().config_file.clone()
    }

    /// Returns the dynamic settings file; `None` with `-nosettings`.
    pub fn settings_path(&self) -> Option<PathBuf> {
        self.net_path("settings", SETTINGS_FILE)
    }
}

fn below(base: PathBuf, chain: Chain) -> PathBuf {
    if chain.subdir().is_empty() { base } else { base.join(chain.subdir()) }
}

/// Returns the data directory used without `-datadir`.
pub fn default_datadir() -> PathBuf {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    let home = home.map_or_else(|| PathBuf::from("/"), PathBuf::from);
    if cfg!(target_os = "macos") { home.join("Library/Application Support/Bitcoin") } else { home.join(".bitcoin") }
}

/// Removes `.`, `x/..` and trailing slashes without asking the file system.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => match normal.components().next_back() {
                Some(Component::Normal(_)) => {
                    normal.pop();
                }
                Some(Component::RootDir) => {}
                _ => normal.push(".."),
            },
            other => normal.push(other),
        }
    }
    if normal.as_os_str().is_empty() { PathBuf::from(".") } else { normal }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised() {
        let check = |path: &str, expected: &str| assert_eq!(normal(Path::new(path)), PathBuf::from(expected));
        check("/a/b/", "/a/b");
        check("/a/./b/../c", "/a/c");
        check("../x", "../x");
        check("a/..", ".");
        check("/..", "/");
    }
}
