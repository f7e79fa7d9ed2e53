//! `cargo xtask sanitize`: the tests of the IPC runtime and of what is made on it, under the tools that see what a test
//! alone does not: AddressSanitizer (memory, leaks), ThreadSanitizer (races) and Miri (undefined behaviour).
//!
//! Not part of `cargo xtask test`: they need a nightly toolchain, and everything is compiled once for each. A tool whose
//! parts are missing is skipped with what to type; that is no failure.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use super::run as run_to_end;

/// What is tested: where several threads meet, and where the project has its `unsafe` outside of the engine.
const PACKAGES: [&str; 4] = ["-p", "multiprocess", "-p", "ipc"];
/// The modules that Miri can run: it knows neither sockets nor the `poll` that the rest waits in.
const MODULES: [&str; 9] =
    ["convert", "deadline", "error", "executor", "metrics", "outgoing", "quota", "segments", "splice"];

/// A tool: what it is called, what of the toolchain it needs, and how it is run.
struct Tool {
    name: &'static str,
    component: Option<&'static str>,
    command: fn(root: &Path, sysroot: &str) -> Command,
}

const TOOLS: [Tool; 3] = [
    Tool { name: "address", component: None, command: address },
    Tool { name: "thread", component: Some("rust-src"), command: thread },
    Tool { name: "miri", component: Some("miri"), command: miri },
];

/// Runs the tools named, or all of them.
pub fn run(root: &Path, only: &[String]) -> Result<()> {
    if let Some(unknown) = only.iter().find(|name| !TOOLS.iter().any(|tool| tool.name == **name)) {
        bail!("'{unknown}' is no sanitizer: address, thread and miri are");
    }
    let Some(sysroot) = nightly("rustc", &["--print", "sysroot"]) else {
        println!("skipped: there is no nightly toolchain; rustup toolchain install nightly gets one");
        return Ok(());
    };
    for tool in TOOLS.iter().filter(|tool| only.is_empty() || only.iter().any(|name| name == tool.name)) {
        if let Some(component) = tool.component.filter(|component| !has(&sysroot, component)) {
            println!("{}: skipped: rustup component add {component} --toolchain nightly gets what it needs", tool.name);
            continue;
        }
        println!("{}:", tool.name);
        run_to_end(&mut (tool.command)(root, &sysroot), tool.name)?;
    }
    Ok(())
}

fn has(sysroot: &str, component: &str) -> bool {
    match component {
        "rust-src" => Path::new(sysroot).join("lib/rustlib/src/rust/library/Cargo.lock").exists(),
        _ => nightly("cargo", &["miri", "--version"]).is_some(),
    }
}

/// What a program of the nightly toolchain prints; nothing if it is not there.
fn nightly(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("rustup");
    let output = command.args(["run", "nightly", program]).args(arguments).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The cargo of the nightly toolchain, with a place of its own for what it builds.
fn cargo(root: &Path, tool: &str) -> Command {
    let mut command = Command::new("rustup");
    command
        .args(["run", "nightly", "cargo"])
        .current_dir(root)
        .env("CARGO_TARGET_DIR", root.join("target/sanitize").join(tool));
    for inherited in ["CARGO", "CARGO_MANIFEST_DIR", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(inherited);
    }
    command
}

/// A build with a sanitizer; what runs while building is not part of it, because a target is named.
fn sanitized(root: &Path, sysroot: &str, sanitizer: &str) -> Command {
    let host = Path::new(sysroot).file_name().map(|name| name.to_string_lossy().replacen("nightly-", "", 1));
    let mut command = cargo(root, sanitizer);
    command.args(["test", "--no-fail-fast", "--tests"]).args(PACKAGES).arg("--target").arg(host.unwrap_or_default());
    // Tests that wait for an end wait longer.
    command.env("RUSTFLAGS", format!("-Zsanitizer={sanitizer}")).env("SANITIZED", sanitizer);
    command
}

fn address(root: &Path, sysroot: &str) -> Command {
    let mut command = sanitized(root, sysroot, "address");
    let leaks = root.join("xtask/src/commands/sanitize/leaks.txt");
    command.env("LSAN_OPTIONS", format!("print_suppressions=0:suppressions={}", leaks.display()));
    command
}

/// With a standard library of its own: locks and channels that are not seen look like races.
fn thread(root: &Path, sysroot: &str) -> Command {
    let mut command = sanitized(root, sysroot, "thread");
    command.arg("-Zbuild-std");
    command
}

fn miri(root: &Path, _: &str) -> Command {
    let mut command = cargo(root, "miri");
    command.args(["miri", "test", "--lib"]).args(PACKAGES).arg("--").args(MODULES.map(|module| format!("{module}::")));
    // Thousands of rounds, which are minutes there.
    command.args(["--skip", "quota::tests::who_"]);
    command
}
