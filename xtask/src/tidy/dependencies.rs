//! Which crate may use which. The table is the architecture's; that it holds is what proves the split.
//!
//! Direct use is read from the manifests. What a crate reaches through others is asked of cargo for that crate alone, so
//! that a feature another crate turns on does not count.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// A line of the table.
struct Row {
    name: &'static str,
    may_use: &'static [&'static str],
    never: &'static [&'static str],
    /// What it must not reach unless its feature adds it.
    never_without_feature: &'static [&'static str],
}

const fn row(name: &'static str, may_use: &'static [&'static str], never: &'static [&'static str]) -> Row {
    Row { name, may_use, never, never_without_feature: &[] }
}

/// Crates of the IPC layer.
const IPC: &[&str] = &["ipc", "multiprocess", "capnp", "capnp-rpc", "rustls", "ring", "rcgen"];

const TABLE: &[Row] = &[
    row("common", &[], &["interfaces", "kernel", "node", "rpc", "wallet", "ipc", "multiprocess", "capnp"]),
    row("secret", &[], &["common", "interfaces", "kernel", "node", "rpc", "wallet", "ipc", "multiprocess", "capnp"]),
    row("sqlite-memory", &[], &["common", "interfaces", "kernel", "node", "rpc", "wallet", "ipc", "multiprocess"]),
    row("interfaces", &[], &["capnp", "capnp-rpc", "tokio", "serde", "rusqlite", "common", "rpc"]),
    row("multiprocess", &[], &["interfaces", "bitcoin", "common", "node", "wallet", "kernel"]),
    row("ipc", &["interfaces", "multiprocess"], &["node", "wallet", "kernel", "rpc"]),
    row("capi", &["interfaces", "ipc", "multiprocess"], &["common", "node", "wallet", "kernel", "rpc"]),
    row("kernel", &["common"], &["interfaces", "node", "rpc", "wallet", "ipc", "multiprocess", "capnp"]),
    row("p2p", &["common", "kernel"], &["interfaces", "node", "rpc", "wallet", "ipc", "multiprocess", "capnp"]),
    row(
        "node",
        &["interfaces", "kernel", "p2p", "common", "rpc", "secret"],
        &["wallet", "ipc", "multiprocess", "capnp", "rusqlite"],
    ),
    row("rpc", &["interfaces", "common", "secret"], &["node", "wallet", "kernel", "ipc", "multiprocess", "capnp"]),
    row(
        "wallet",
        &["interfaces", "common", "rpc", "secret", "sqlite-memory"],
        &["kernel", "node", "ipc", "multiprocess", "capnp"],
    ),
    row("testing", &["interfaces"], &["kernel", "node", "wallet", "ipc"]),
    // What measures the nodes knows them from outside alone.
    row("bench", &[], &["common", "interfaces", "kernel", "p2p", "node", "rpc", "wallet", "ipc", "multiprocess"]),
    row("bitcoind", &["common", "interfaces", "node", "rpc", "secret", "wallet"], IPC),
    Row {
        name: "bitcoin-node",
        may_use: &["common", "interfaces", "node", "rpc", "ipc", "secret"],
        never: &["wallet", "rusqlite"],
        never_without_feature: IPC,
    },
    Row {
        name: "bitcoin-wallet",
        may_use: &["common", "interfaces", "wallet", "rpc", "ipc", "secret"],
        never: &["node", "kernel", "cxx"],
        never_without_feature: IPC,
    },
    Row {
        name: "bitcoin-cli",
        may_use: &["common", "interfaces", "rpc", "ipc", "secret"],
        never: &["node", "wallet", "kernel"],
        never_without_feature: IPC,
    },
    row("bitcoin-wrapper", &["common"], &["node", "wallet", "kernel", "ipc", "capnp", "rpc"]),
    row("examples", &["interfaces", "ipc", "multiprocess"], &["common", "node", "wallet", "kernel", "rpc"]),
    row("xtask", &[], &["common", "interfaces", "kernel", "node"]),
];

/// Crates that only tests may use.
const DEV_ONLY: &[&str] = &["testing"];
/// Crates that only build scripts may use.
const BUILD_ONLY: &[&str] = &["xtask"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    path: Option<String>,
}

/// Every dependency between crates of the workspace is in the table.
pub fn direct(root: &Path) -> Result<Vec<String>> {
    let output = cargo(root, &["metadata", "--format-version=1", "--no-deps", "--offline"])?;
    let metadata: Metadata = serde_json::from_str(&output).context("cannot read cargo metadata")?;
    Ok(outside(&metadata))
}

fn outside(metadata: &Metadata) -> Vec<String> {
    let mut problems = Vec::new();
    for package in &metadata.packages {
        let Some(row) = TABLE.iter().find(|row| row.name == package.name) else {
            problems.push(format!("{} is not in the table", package.name));
            continue;
        };
        for used in package.dependencies.iter().filter(|dependency| dependency.path.is_some()) {
            let name = used.name.as_str();
            let allowed = match used.kind.as_deref() {
                Some("dev") => row.may_use.contains(&name) || DEV_ONLY.contains(&name),
                Some("build") => BUILD_ONLY.contains(&name),
                _ => row.may_use.contains(&name),
            };
            if !allowed {
                let how = used.kind.as_deref().map(|kind| format!(" as a {kind}-dependency")).unwrap_or_default();
                problems.push(format!("{} may not use {name}{how}", package.name));
            }
        }
    }
    problems
}

/// No crate reaches, through whatever crates, what its line forbids.
pub fn reached(root: &Path) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for row in TABLE {
        let with = if row.never_without_feature.is_empty() { vec![] } else { vec!["--features", "multiprocess"] };
        let mut checks = vec![(vec![], [row.never, row.never_without_feature].concat())];
        if !with.is_empty() {
            checks.push((with, row.never.to_vec()));
        }
        for (features, never) in checks {
            let mut args = vec!["tree", "--offline", "--edges=normal", "--prefix=none", "--format={p}", "--package"];
            args.push(row.name);
            args.extend(&features);
            let tree = cargo(root, &args)?;
            let reached: BTreeSet<&str> =
                tree.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
            for name in never.iter().filter(|name| reached.contains(*name)) {
                problems.push(format!(
                    "{}{} reaches {name}",
                    row.name,
                    if features.is_empty() { "" } else { " with the feature" }
                ));
            }
        }
    }
    Ok(problems)
}

fn cargo(root: &Path, args: &[&str]) -> Result<String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let output = command.args(args).current_dir(root).output().context("cannot run cargo")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!("cargo {}: {}", args.join(" "), text.trim().lines().last().unwrap_or("failed"));
    }
    String::from_utf8(output.stdout).context("cargo's output is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_the_table_is_found() {
        let check = |json: &str, expected: &[&str]| {
            let metadata: Metadata = serde_json::from_str(json).expect("the test's own data");
            assert_eq!(outside(&metadata), expected, "{json}");
        };
        let package = |name: &str, used: &str, kind: &str, path: &str| {
            format!(
                r#"{{"packages":[{{"name":"{name}","dependencies":[{{"name":"{used}","kind":{kind},"path":{path}}}]}}]}}"#
            )
        };
        check(&package("wallet", "rpc", "null", "\"/p\""), &[]);
        check(&package("wallet", "node", "null", "\"/p\""), &["wallet may not use node"]);
        check(&package("wallet", "testing", "\"dev\"", "\"/p\""), &[]);
        check(&package("wallet", "testing", "null", "\"/p\""), &["wallet may not use testing"]);
        check(&package("kernel", "xtask", "\"build\"", "\"/p\""), &[]);
        check(&package("kernel", "node", "\"build\"", "\"/p\""), &["kernel may not use node as a build-dependency"]);
        check(&package("wallet", "node", "null", "null"), &[]);
        check(&package("novel", "x", "null", "null"), &["novel is not in the table"]);
    }
}
