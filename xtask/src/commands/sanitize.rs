//! `cargo xtask sanitize`: the tests of the IPC runtime and of what is made on it, under the tools that see what a test
//! alone does not: AddressSanitizer (memory, leaks), ThreadSanitizer (races) and Miri (undefined behaviour).
//!
//! `cargo xtask test` has AddressSanitizer look at the tests of the library for C ([`bounded`]): they go through all of
//! the runtime, and compile and run in two minutes. The rest is not part of it: the tests of `ipc` alone take minutes
//! under it, and the other tools need a nightly toolchain and compile everything, ThreadSanitizer the standard library
//! included, once more. A tool whose parts are missing is skipped with what to type; that is no failure.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use super::run as run_to_end;
use super::test::{Count, capture, of_cargo};

/// What is tested: where several threads meet, and where the project has its `unsafe` outside of the engine.
const PACKAGES: [&str; 6] = ["-p", "multiprocess", "-p", "ipc", "-p", "capi"];
/// The modules that Miri can run: it knows neither sockets nor the `poll` that the rest waits in.
const MODULES: [&str; 11] = [
    "arguments",
    "convert",
    "deadline",
    "error",
    "executor",
    "metrics",
    "outgoing",
    "quota",
    "report",
    "segments",
    "splice",
];

/// A tool: what it is called, and how it is run, or why it cannot be.
struct Tool {
    name: &'static str,
    command: fn(root: &Path) -> Result<Command, String>,
}

const TOOLS: [Tool; 3] = [
    Tool { name: "address", command: |root| address(root, &PACKAGES) },
    Tool { name: "thread", command: thread },
    Tool { name: "miri", command: miri },
];

/// Runs the tools named, or all of them.
pub fn run(root: &Path, only: &[String]) -> Result<()> {
    if let Some(unknown) = only.iter().find(|name| !TOOLS.iter().any(|tool| tool.name == **name)) {
        bail!("'{unknown}' is no sanitizer: address, thread and miri are");
    }
    for tool in TOOLS.iter().filter(|tool| only.is_empty() || only.iter().any(|name| name == tool.name)) {
        match (tool.command)(root) {
            Ok(mut command) => {
                println!("{}:", tool.name);
                run_to_end(&mut command, tool.name)?;
            }
            Err(missing) => println!("{}: skipped: {missing}", tool.name),
        }
    }
    Ok(())
}

/// Runs what of it has its place in every run of the tests.
pub fn bounded(root: &Path) -> Result<Count> {
    match address(root, &["-p", "capi"]) {
        Ok(mut command) => capture(&mut command, "cargo test under AddressSanitizer", of_cargo),
        Err(missing) => {
            println!("AddressSanitizer: skipped: {missing}");
            Ok(Count::default())
        }
    }
}

/// What a program prints; nothing if it fails or is not there.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A cargo, with a place of its own for what it builds.
fn prepared(mut command: Command, root: &Path, tool: &str) -> Command {
    command.current_dir(root).env("CARGO_TARGET_DIR", root.join("target/sanitize").join(tool));
    for inherited in ["CARGO", "CARGO_ENCODED_RUSTFLAGS", "CARGO_MANIFEST_DIR"] {
        command.env_remove(inherited);
    }
    command
}

/// The cargo of the nightly toolchain.
fn nightly(root: &Path, tool: &str) -> Result<Command, String> {
    if output("rustup", &["run", "nightly", "rustc", "--version"]).is_none() {
        return Err("there is no nightly toolchain; rustup toolchain install nightly gets one".to_owned());
    }
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo"]).env_remove("RUSTUP_TOOLCHAIN");
    Ok(prepared(command, root, tool))
}

fn missing(component: &str) -> String {
    format!("rustup component add {component} --toolchain nightly gets what it needs")
}

/// Has a build done with a sanitizer; what runs while building is not part of it, because a target is named.
fn sanitize(command: &mut Command, sanitizer: &str, packages: &[&str]) -> Result<(), String> {
    let about = output("rustc", &["--version", "--verbose"]).unwrap_or_default();
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc does not say what it is for")?;
    command.args(["test", "--no-fail-fast", "--tests"]).args(packages).args(["--target", host]);
    // Tests that wait for an end wait longer.
    command.env("RUSTFLAGS", format!("-Zsanitizer={sanitizer}")).env("SANITIZED", sanitizer);
    Ok(())
}

/// With the toolchain that everything is built with, which has what is needed and offers it to nightly ones only.
fn address(root: &Path, packages: &[&str]) -> Result<Command, String> {
    let libraries = output("rustc", &["--print", "target-libdir"]).unwrap_or_default();
    let runtime = |file: &std::fs::DirEntry| file.file_name().to_string_lossy().ends_with("_rt.asan.a");
    if !std::fs::read_dir(&libraries).is_ok_and(|mut files| files.any(|file| file.is_ok_and(|file| runtime(&file)))) {
        return Err(format!("{libraries} has no AddressSanitizer; toolchains of rustup have it on most machines"));
    }
    let mut command = prepared(super::cargo(root), root, "address");
    sanitize(&mut command, "address", packages)?;
    command.env("RUSTC_BOOTSTRAP", "1");
    let leaks = root.join("xtask/src/commands/sanitize/leaks.txt");
    command.env("LSAN_OPTIONS", format!("print_suppressions=0:suppressions=\"{}\"", leaks.display()));
    Ok(command)
}

/// With a standard library of its own: locks and channels that are not seen look like races.
fn thread(root: &Path) -> Result<Command, String> {
    let mut command = nightly(root, "thread")?;
    let sysroot = output("rustup", &["run", "nightly", "rustc", "--print", "sysroot"]).unwrap_or_default();
    if !Path::new(&sysroot).join("lib/rustlib/src/rust/library/Cargo.lock").exists() {
        return Err(missing("rust-src"));
    }
    sanitize(&mut command, "thread", &PACKAGES)?;
    command.arg("-Zbuild-std");
    Ok(command)
}

fn miri(root: &Path) -> Result<Command, String> {
    let mut command = nightly(root, "miri")?;
    if output("rustup", &["run", "nightly", "cargo", "miri", "--version"]).is_none() {
        return Err(missing("miri"));
    }
    command.args(["miri", "test", "--lib"]).args(PACKAGES).arg("--").args(MODULES.map(|module| format!("{module}::")));
    // Thousands of rounds, which are minutes there.
    command.args(["--skip", "quota::tests::who_"]);
    Ok(command)
}
