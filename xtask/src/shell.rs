//! Small helpers around other programs: finding them, naming the package that has them.

use std::path::{Path, PathBuf};

/// The first program of that name on `PATH`.
#[must_use]
pub fn which(program: &str) -> Option<PathBuf> {
    which_in(program, &std::env::var_os("PATH")?)
}

/// The first program of that name in a `PATH`-like list.
#[must_use]
pub fn which_in(program: &str, path: &std::ffi::OsStr) -> Option<PathBuf> {
    if program.contains('/') {
        return is_executable(Path::new(program)).then(|| PathBuf::from(program));
    }
    std::env::split_paths(path).map(|dir| dir.join(program)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// What to type to install system packages here, as one command.
#[must_use]
pub fn install_hint(debian_packages: &[&str]) -> String {
    if which("apt-get").is_some() {
        format!("apt-get install {}", debian_packages.join(" "))
    } else {
        format!("your package manager (on Debian: apt-get install {})", debian_packages.join(" "))
    }
}
