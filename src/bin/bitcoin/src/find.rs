//! Where the programs are.
//!
//! Separate because it decides which of several installations is used. Invariant: a wrapper that was called by path
//! never starts a program from the search path, so that a local build cannot run an installed one by accident.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Places to try for `program`, best first. `wrapper` is this executable with links resolved.
pub fn candidates(argv0: &OsStr, wrapper: Option<&Path>, program: &str) -> Vec<PathBuf> {
    let mut places = Vec::new();
    if let Some(directory) = wrapper.and_then(Path::parent) {
        if directory.file_name() == Some(OsStr::new("bin")) {
            places.extend(directory.parent().map(|prefix| prefix.join("libexec").join(program)));
        }
        places.push(directory.join(program));
    }
    let called_by_path = Path::new(argv0).parent().is_some_and(|parent| parent != Path::new(""));
    if !called_by_path {
        places.push(PathBuf::from(program));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(argv0: &str, wrapper: Option<&str>, expected: &[&str]) {
        let found = candidates(OsStr::new(argv0), wrapper.map(Path::new), "bitcoind");
        let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
        assert_eq!(found, expected, "{argv0} {wrapper:?}");
    }

    #[test]
    fn places() {
        check("/usr/bin/bitcoin", Some("/usr/bin/bitcoin"), &["/usr/libexec/bitcoind", "/usr/bin/bitcoind"]);
        check("src/bitcoin", Some("/w/target/debug/bitcoin"), &["/w/target/debug/bitcoind"]);
        check("./bitcoin", Some("/w/bitcoin"), &["/w/bitcoind"]);
        check("bitcoin", Some("/opt/bin/bitcoin"), &["/opt/libexec/bitcoind", "/opt/bin/bitcoind", "bitcoind"]);
        check("bitcoin", None, &["bitcoind"]);
        check("dir/bitcoin", None, &[]);
    }
}
