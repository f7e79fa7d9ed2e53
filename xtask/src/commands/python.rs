//! A Python that has pycapnp, for the test of what programs in Python see of a node. Nothing else needs it.
//!
//! Where the machine's Python has it, that is used. Otherwise it goes into an environment of its own in `build/`, from
//! wherever the machine's pip takes packages. Where that fails, the test says that it was left out, or fails in CI.

use std::path::Path;
use std::process::{Command, Stdio};

use xtask::system;

/// What pip is asked for: the interface that the example uses came with version 2.
const REQUIREMENT: &str = "pycapnp>=2,<3";

/// Where the environment is; the functional tests look there.
const ENVIRONMENT: &str = "build/python";

/// Sees to it that there is one. `yes`: system packages may be installed.
pub fn provide(root: &Path, yes: bool) {
    let environment = root.join(ENVIRONMENT);
    let own = environment.join("bin/python");
    if [Path::new("python3"), &own].into_iter().any(has_pycapnp) {
        return;
    }
    eprintln!("setup: installing {REQUIREMENT} into {}", environment.display());
    let make = || quiet(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment));
    // Debian keeps what that needs in a package of its own.
    let made = make() || ((yes || system::is_root()) && system::install(&["python3-venv"]).is_ok() && make());
    if !made {
        eprintln!(
            "setup: cannot make a Python environment; install one with {}",
            system::install_hint(&["python3-venv"])
        );
    } else if !quiet(Command::new(&own).args(["-m", "pip", "install", "--quiet", "--only-binary=:all:", REQUIREMENT])) {
        eprintln!("setup: cannot install {REQUIREMENT}; what needs it will be left out");
    }
}

fn has_pycapnp(python: &Path) -> bool {
    Command::new(python)
        .args(["-c", "import capnp; capnp.AsyncIoStream"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs a command with its output where it disturbs no results.
fn quiet(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(std::io::stderr()).status().is_ok_and(|status| status.success())
}
