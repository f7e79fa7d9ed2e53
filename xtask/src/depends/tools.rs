//! Programs of the machine that builds use: which ones they are, and getting the missing ones.
//!
//! **Invariant:** all that are missing are named or installed at once, before anything is built.

use anyhow::{Result, bail};

use super::{Host, Options, progress};
use crate::system;

/// Which program a recipe's tool is on a host, and the Debian package that has it.
pub(super) fn program(tool: &str, host: &Host, options: &Options) -> (String, String) {
    let compiler = |program: &str| {
        let cross = if host.triplet == options.build { None } else { host.cross_packages.first().cloned() };
        (program.to_owned(), cross.unwrap_or_else(|| system::debian_package(tool).to_owned()))
    };
    match tool {
        "cc" => compiler(&host.cc),
        "c++" => compiler(&host.cxx),
        _ => (tool.to_owned(), system::debian_package(tool).to_owned()),
    }
}

/// Sees to it that programs are there: installs them where that is allowed, names them where it is not.
pub(super) fn require(tools: &[(String, String)], options: &Options) -> Result<()> {
    let (programs, packages) = missing(tools);
    if programs.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = packages.iter().map(String::as_str).collect();
    if options.may_install && (options.yes || system::is_root()) && system::which("apt-get").is_some() {
        progress::note(options, &format!("installing the system packages {}", names.join(" ")));
        system::install(&names)?;
        if missing(tools).0.is_empty() {
            return Ok(());
        }
    }
    let verb = if programs.len() == 1 { "is" } else { "are" };
    bail!("{} {verb} missing; install with {}", programs.join(", "), system::install_hint(&names))
}

/// The programs that are not there and the packages that have them, each once.
fn missing(tools: &[(String, String)]) -> (Vec<String>, Vec<String>) {
    let gone = tools.iter().filter(|(program, _)| {
        // A compiler may be given with flags.
        system::which(program.split(' ').next().unwrap_or(program)).is_none()
    });
    let (mut programs, mut packages): (Vec<_>, Vec<_>) = gone.cloned().unzip();
    for names in [&mut programs, &mut packages] {
        names.sort();
        names.dedup();
    }
    (programs, packages)
}
