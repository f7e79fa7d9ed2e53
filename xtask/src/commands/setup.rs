//! `cargo xtask setup`: finds the system packages that building and testing need and installs the missing ones.

use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use anyhow::{Result, bail};
use xtask::depends::{self, Options};
use xtask::system;

/// Programs needed besides those the recipes declare.
const TOOLS: [&str; 8] = ["cc", "c++", "make", "git", "pkg-config", "python3", "xz", "tar"];

/// Installs what is missing: without asking when root or `yes`, otherwise after asking, otherwise names it.
pub fn run(root: &Path, yes: bool) -> Result<()> {
    let mut tools: BTreeSet<String> = TOOLS.iter().map(|tool| (*tool).to_owned()).collect();
    tools.extend(depends::tools(&Options::new(root)?)?);
    let missing: Vec<&str> = tools.iter().map(String::as_str).filter(|tool| system::which(tool).is_none()).collect();
    if missing.is_empty() {
        eprintln!("setup: nothing is missing");
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|tool| system::debian_package(tool)).collect();
    let hint = system::install_hint(&packages);
    if system::which("apt-get").is_none() || !(yes || system::is_root() || agrees(&missing, &packages)?) {
        bail!("missing: {}; install with {hint}", missing.join(", "));
    }
    eprintln!("setup: installing {}", packages.join(" "));
    system::install(&packages)
}

/// Asks, if there is anyone to ask.
fn agrees(missing: &[&str], packages: &[&str]) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    eprint!("missing: {}. Install {} with apt-get? [Y/n] ", missing.join(", "), packages.join(" "));
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "" | "y" | "Y" | "yes"))
}
