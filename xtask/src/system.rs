//! The machine's own programs and packages: finding a program, naming the package that has it, installing it.
//!
//! Separate because build scripts, the `depends` engine, `configure` and `setup` must all give the same advice.
//!
//! **Invariant:** nothing is installed unless the caller may, and the user is root or has said yes.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

/// The first program of that name on `PATH`.
#[must_use]
pub fn which(program: &str) -> Option<PathBuf> {
    which_in(program, &std::env::var_os("PATH")?)
}

/// The first program of that name in a `PATH`-like list.
#[must_use]
pub fn which_in(program: &str, path: &OsStr) -> Option<PathBuf> {
    if program.contains('/') {
        return is_executable(Path::new(program)).then(|| PathBuf::from(program));
    }
    std::env::split_paths(path).map(|dir| dir.join(program)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The Debian package that has a program.
#[must_use]
pub fn debian_package(program: &str) -> &str {
    match program {
        "cc" => "gcc",
        "c++" => "g++",
        "ar" | "ranlib" | "readelf" | "strip" => "binutils",
        "capnp" => "capnproto",
        "xz" => "xz-utils",
        other => other,
    }
}

/// What to type to install system packages here, as one command.
#[must_use]
pub fn install_hint(debian_packages: &[&str]) -> String {
    let packages = debian_packages.join(" ");
    match (which("apt-get").is_some(), is_root()) {
        (true, true) => format!("apt-get install {packages}"),
        (true, false) => format!("sudo apt-get install {packages}"),
        (false, _) => format!("your package manager (on Debian: apt-get install {packages})"),
    }
}

/// Whether this process may install packages without asking anyone.
#[must_use]
pub fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Installs Debian packages through apt.
///
/// # Errors
/// When there is no apt, no right to use it, or it fails. The message has the command to type.
pub fn install(debian_packages: &[&str]) -> Result<()> {
    let hint = install_hint(debian_packages);
    if which("apt-get").is_none() {
        bail!("cannot install {}; install them with {hint}", debian_packages.join(" "));
    }
    let apt = |args: &[&str]| -> bool {
        let mut command = if is_root() { Command::new("apt-get") } else { Command::new("sudo") };
        if !is_root() {
            command.arg("apt-get");
        }
        command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
        // apt talks on stdout, which belongs to whoever reads this program's results.
        command.stdin(Stdio::null()).stdout(std::io::stderr());
        command.status().is_ok_and(|status| status.success())
    };
    let mut args = vec!["install", "--yes", "--no-install-recommends"];
    args.extend(debian_packages);
    // A fresh machine has no package lists yet.
    if apt(&args) || (apt(&["update"]) && apt(&args)) {
        return Ok(());
    }
    bail!("could not install {}; try {hint}", debian_packages.join(" "))
}
