//! Whether the split programs are wanted though neither `-m` nor `-M` was given.
//!
//! Separate because it is the only place that looks at the started program's own options. Invariant: an option that
//! is wrong is left to that program to refuse.

use std::ffi::OsString;

use common::args::{Args, Program};

const IPC_OPTIONS: [&str; 3] = ["-ipcbind", "-ipcconnect", "-ipcfd"];

/// Whether the arguments or the configuration file they lead to set an option that only the split programs take.
pub fn wanted(args: &[OsString]) -> bool {
    let argv = std::iter::once(OsString::from("bitcoin-node")).chain(args.iter().cloned());
    let Ok(args) = Args::parse(Program::BitcoinNode, argv) else {
        return args.iter().any(|word| is_ipc_option(&common::lossless::from_os(word)));
    };
    let set = |args: &Args| IPC_OPTIONS.iter().any(|option| args.is_set(option) && !args.is_negated(option));
    set(&args) || (args.read_config_files().is_ok() && set(&args))
}

fn is_ipc_option(word: &str) -> bool {
    let name = word.split('=').next().unwrap_or_default();
    let name = name.strip_prefix('-').filter(|rest| rest.starts_with('-')).unwrap_or(name);
    IPC_OPTIONS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &[&str], config: &str, expected: bool) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("bitcoin.conf"), config).unwrap();
        let datadir = format!("-datadir={}", dir.path().display());
        let words: Vec<OsString> =
            std::iter::once(datadir.as_str()).chain(words.iter().copied()).map(OsString::from).collect();
        assert_eq!(wanted(&words), expected, "{words:?} {config:?}");
    }

    #[test]
    fn options_and_configuration() {
        check(&["-regtest"], "", false);
        check(&["-regtest", "-ipcbind=unix"], "", true);
        check(&["--ipcbind=unix"], "", true);
        check(&["-regtest"], "ipcbind=unix\n", true);
        check(&["-regtest"], "server=1\n", false);
        check(&["-nosuchoption"], "", false);
        check(&["-nosuchoption", "-ipcbind=unix"], "", true);
    }
}
