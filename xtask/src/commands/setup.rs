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
    let tools = all_tools(root)?;
    let missing = missing(&tools);
    let allowed = yes || missing.is_empty() || system::is_root() || agrees(&missing)?;
    provide(&tools, allowed)?;
    eprintln!("setup: nothing is missing");
    Ok(())
}

/// Where nobody needs to be asked, installs everything that any later step needs; elsewhere leaves it to those steps.
pub fn run_unasked(root: &Path, yes: bool) -> Result<()> {
    match yes || system::is_root() {
        true => provide(&all_tools(root)?, true),
        false => Ok(()),
    }
}

/// Sees to it that programs are there: installs the missing ones where that is allowed, names them where it is not.
pub fn provide(tools: &BTreeSet<String>, allowed: bool) -> Result<()> {
    let missing = missing(tools);
    if missing.is_empty() {
        return Ok(());
    }
    let packages = packages(&missing);
    if !allowed || system::which("apt-get").is_none() {
        bail!("missing: {}; install with {}", missing.join(", "), system::install_hint(&packages));
    }
    eprintln!("setup: installing {}", packages.join(" "));
    system::install(&packages)
}

fn all_tools(root: &Path) -> Result<BTreeSet<String>> {
    let mut tools: BTreeSet<String> = TOOLS.iter().map(|tool| (*tool).to_owned()).collect();
    tools.extend(depends::tools(&Options::new(root)?)?);
    Ok(tools)
}

fn missing(tools: &BTreeSet<String>) -> Vec<&str> {
    tools.iter().map(String::as_str).filter(|tool| system::which(tool).is_none()).collect()
}

fn packages<'a>(tools: &[&'a str]) -> Vec<&'a str> {
    tools.iter().map(|tool| system::debian_package(tool)).collect()
}

/// Asks, if there is anyone to ask.
fn agrees(missing: &[&str]) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    eprint!("missing: {}. Install {} with apt-get? [Y/n] ", missing.join(", "), packages(missing).join(" "));
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "" | "y" | "Y" | "yes"))
}
