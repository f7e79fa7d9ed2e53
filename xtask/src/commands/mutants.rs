//! `cargo xtask mutants`: changes the code where money and trust are in small ways, one at a time, and says which changes no
//! test of the crate notices.
//!
//! Separate from the tests, of which it is a test: each change is compiled and tested anew, which takes hours for all.
//! `.cargo/mutants.toml` names the changes that may survive, each with the reason.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::cargo;
use crate::flags;

/// A crate, and its files that are worth it, relative to its directory.
const GROUPS: [(&str, &[&str]); 3] = [
    (
        "wallet",
        &[
            "selection.rs",
            "selection/*.rs",
            "wallet/*.rs",
            "balance.rs",
            "crypter.rs",
            "db.rs",
            "db/*.rs",
            "manager.rs",
            "records.rs",
            "records/*.rs",
            "resend.rs",
            "rpc/txdoc.rs",
            "state.rs",
            "track.rs",
        ],
    ),
    ("rpc", &["server/auth.rs", "server/body.rs", "server/cookie.rs", "server/guesses.rs"]),
    ("multiprocess", &["attachment.rs", "message.rs", "quota.rs", "segments.rs", "stream.rs"]),
];

/// Runs them, all or those in what has changed.
pub fn run(root: &Path, flags: &flags::Mutants) -> Result<()> {
    let installed = cargo(root).args(["mutants", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if !installed.success() {
        bail!("cargo-mutants is missing: cargo install --locked cargo-mutants");
    }
    let place = root.join("target/mutants");
    fs::create_dir_all(&place).with_context(|| format!("cannot create {}", place.display()))?;
    let diff = place.join("changes.diff");
    if flags.changed {
        fs::write(&diff, changes(root)?).with_context(|| format!("cannot write {}", diff.display()))?;
    }
    let mut survived = Vec::new();
    for (package, files) in GROUPS {
        if flags.package.as_ref().is_some_and(|wanted| wanted != package) {
            continue;
        }
        println!("mutants, {package}");
        let mut command = cargo(root);
        command.args(["mutants", "--package", package, "--profile", "mutants", "--minimum-test-timeout", "60"]);
        command.arg("--output").arg(place.join(package));
        for file in files {
            command.args(["--file", &format!("src/{package}/src/{file}")]);
        }
        command.args(flags.only.iter().flat_map(|only| ["--re", only.as_str()]));
        if flags.changed {
            command.arg("--in-diff").arg(&diff);
        }
        // Its exit codes: 2 if a change survived, 3 if a test hung over one, which counts as noticed.
        match command.status().context("cannot run cargo mutants")?.code() {
            Some(0 | 3) => {}
            Some(2) => survived.push(place.join(package).join("mutants.out/missed.txt").display().to_string()),
            code => bail!("cargo mutants ended with {code:?} in {package}"),
        }
    }
    if !survived.is_empty() {
        bail!("changes that no test notices: {}", survived.join(", "));
    }
    Ok(())
}

/// What differs from the branch that everything goes to, committed or not.
fn changes(root: &Path) -> Result<Vec<u8>> {
    let git = |arguments: &[&str]| -> Result<Vec<u8>> {
        let output = Command::new("git").args(arguments).current_dir(root).output().context("cannot run git")?;
        if !output.status.success() {
            bail!("git {} failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(output.stdout)
    };
    let base = git(&["merge-base", "HEAD", "origin/main"])?;
    git(&["diff", String::from_utf8_lossy(&base).trim()])
}
