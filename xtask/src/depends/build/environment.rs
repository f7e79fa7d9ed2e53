//! What a recipe's shell lines see: a cleaned environment with the build's own variables, and a CMake toolchain file
//! that says the same.
//!
//! **Invariant:** every value is the same in any clone once the path maps are applied.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::super::fetch::krate;
use super::{Options, Places, Planned};
use crate::system;

/// The prefix that builds believe in. `.pc` files are made relative to their own place afterwards.
pub(super) const PREFIX: &str = "/depends";

/// Where system programs are looked for, in this order.
const SYSTEM_PATH: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Replaces a command's environment.
pub(super) fn apply(command: &mut Command, options: &Options, package: &Planned, places: &Places) -> Result<()> {
    let recipe = &package.recipe;
    let flags = flags(options, package, places)?;
    let stage = places.stage.join(PREFIX.trim_start_matches('/'));
    command.env_clear();
    for (name, value) in [
        ("LC_ALL", "C"),
        ("TZ", "UTC"),
        ("SOURCE_DATE_EPOCH", "1"),
        ("ZERO_AR_DATE", "1"),
        ("VERSION", &recipe.version),
        ("CC", &package.host.cc),
        ("CXX", &package.host.cxx),
        ("AR", &package.host.ar),
        ("RANLIB", &package.host.ranlib),
        ("HOST", &package.host.triplet),
        ("PREFIX", PREFIX),
        ("CFLAGS", &flags),
        ("CXXFLAGS", &flags),
        ("JOBS", &options.jobs.to_string()),
        // Programs that the package finds must come from its declared dependencies.
        ("PKG_CONFIG_PATH", ""),
    ] {
        command.env(name, value);
    }
    for (name, value) in [
        ("SRC", &places.source),
        ("DEPS", &places.deps),
        ("STAGE", &stage),
        ("DESTDIR", &places.stage),
        ("HOME", &places.work),
        // The clone around the work directory is not the package's repository.
        ("GIT_CEILING_DIRECTORIES", &places.work),
        ("PATCHES", &options.patches_dir(&recipe.name)),
        ("TOOLCHAIN", &places.work.join("toolchain.cmake")),
        ("PKG_CONFIG_LIBDIR", &places.deps.join("lib/pkgconfig")),
    ] {
        command.env(name, value);
    }
    command.env("PATH", search_path(package, places));
    if recipe.uses_cargo() {
        apply_cargo(command, options, package, places, &flags)?;
    }
    Ok(())
}

/// The machine's own cargo with what it has fetched, and nothing else from the network.
fn apply_cargo(
    command: &mut Command,
    options: &Options,
    package: &Planned,
    places: &Places,
    flags: &str,
) -> Result<()> {
    let home = krate::home()?;
    for name in ["RUSTUP_HOME", "RUSTUP_TOOLCHAIN"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    if let (None, Some(user)) = (std::env::var_os("RUSTUP_HOME"), std::env::home_dir()) {
        command.env("RUSTUP_HOME", user.join(".rustup"));
    }
    let host = &package.host;
    let linker = format!("CARGO_TARGET_{}_LINKER", host.rust.to_uppercase().replace('-', "_"));
    let (optimisation, debug) = if options.debug { ("0", "2") } else { ("3", "0") };
    let maps = [(&places.work, mapped(package)), (&home, "/usr/src/cargo".to_owned())];
    let rustflags = maps.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    for (name, value) in [
        // Not RUSTFLAGS, which is split at spaces, quotes or not.
        ("CARGO_ENCODED_RUSTFLAGS", &rustflags.join("\x1f")),
        ("CFLAGS", &format!("{flags} {}", prefix_map(&home, "/usr/src/cargo")?)),
        ("CC_SHELL_ESCAPED_FLAGS", &"1".to_owned()),
        ("RUST_TARGET", &host.rust),
        (&linker, &host.cc),
        ("CARGO_BUILD_JOBS", &options.jobs.to_string()),
        ("CARGO_NET_OFFLINE", &"true".to_owned()),
        ("CARGO_PROFILE_RELEASE_OPT_LEVEL", &optimisation.to_owned()),
        ("CARGO_PROFILE_RELEASE_DEBUG", &debug.to_owned()),
    ] {
        command.env(name, value);
    }
    command.env("CARGO_HOME", home);
    Ok(())
}

/// The system's directories, the declared tools of the machine wherever they are, and dependencies' programs first.
fn search_path(package: &Planned, places: &Places) -> String {
    let mut dirs = vec![places.deps.join("native/bin"), places.deps.join("bin")];
    dirs.extend(SYSTEM_PATH.map(PathBuf::from));
    for tool in &package.recipe.tools {
        if let Some(dir) = system::which(tool).and_then(|program| Some(program.parent()?.to_path_buf()))
            && !dirs.contains(&dir)
        {
            dirs.push(dir);
        }
    }
    dirs.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(":")
}

fn flags(options: &Options, package: &Planned, places: &Places) -> Result<String> {
    let host = &package.host;
    let base = if options.debug { &host.debug_flags } else { &host.flags };
    Ok(format!("{base} {}", prefix_map(&places.work, &mapped(package))?))
}

/// The compiler's flag for a path that is not to be in what it makes, as one word of a shell: CMake and the `cc` crate
/// pass flags through one.
fn prefix_map(from: &Path, to: &str) -> Result<String> {
    let flag = format!("-ffile-prefix-map={}={to}", from.display());
    let quoted = shlex::try_quote(&flag).with_context(|| format!("cannot build in {}", from.display()))?;
    Ok(quoted.into_owned())
}

/// What the directory of a build is called in what it makes.
fn mapped(package: &Planned) -> String {
    format!("/usr/src/{}-{}", package.recipe.name, package.recipe.version)
}

/// Writes the toolchain file. Compilers and flags come from the environment, which CMake reads itself.
pub(super) fn write_toolchain(file: &Path, package: &Planned) -> Result<()> {
    let host = &package.host;
    let mut text = String::new();
    let mut set = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "set({name} {value})");
    };
    // Naming the system makes CMake treat the build as a cross build, which changes nothing for the packages here and
    // keeps it from looking at the building machine.
    set("CMAKE_SYSTEM_NAME", &host.system);
    set("CMAKE_SYSTEM_PROCESSOR", &host.processor);
    set("CMAKE_BUILD_TYPE", "None CACHE STRING \"\"");
    set("CMAKE_INSTALL_PREFIX", &format!("{PREFIX} CACHE PATH \"\""));
    set("CMAKE_INSTALL_LIBDIR", "lib CACHE STRING \"\"");
    set("CMAKE_PREFIX_PATH", "\"$ENV{DEPS}\"");
    set("CMAKE_FIND_USE_PACKAGE_REGISTRY", "FALSE");
    set("CMAKE_FIND_USE_CMAKE_SYSTEM_PATH", "FALSE");
    set("CMAKE_POSITION_INDEPENDENT_CODE", "ON");
    set("CMAKE_AR", &format!("{} CACHE STRING \"\"", host.ar));
    set("CMAKE_RANLIB", &format!("{} CACHE STRING \"\"", host.ranlib));
    for language in ["C", "CXX"] {
        if host.system == "Linux" {
            set(&format!("CMAKE_{language}_ARCHIVE_CREATE"), "\"<CMAKE_AR> qcD <TARGET> <OBJECTS>\"");
            set(&format!("CMAKE_{language}_ARCHIVE_APPEND"), "\"<CMAKE_AR> qD <TARGET> <OBJECTS>\"");
            set(&format!("CMAKE_{language}_ARCHIVE_FINISH"), "\"<CMAKE_RANLIB> -D <TARGET>\"");
        }
    }
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
