//! Records commit, compiler and target for `-version`. Included by the build script of every program, because a build
//! script cannot live in a library: a new commit would rebuild all that depend on it.

use vergen_gitcl::{Cargo, Emitter, Gitcl, Rustc};

/// Hands the details to the program's compiler as `VERGEN_*` variables; outside a git checkout those of git are absent.
pub fn emit() {
    let git = Gitcl::builder().sha(true).commit_date(true).build();
    let cargo = Cargo::builder().target_triple(true).opt_level(true).build();
    let rustc = Rustc::builder().semver(true).build();
    let mut emitter = Emitter::default();
    let added = emitter
        .quiet()
        .add_instructions(&cargo)
        .and_then(|emitter| emitter.add_instructions(&rustc))
        .and_then(|emitter| emitter.add_instructions(&git))
        .and_then(|emitter| emitter.emit());
    if let Err(error) = added {
        println!("cargo:warning=no build details: {error}");
    }
    println!("cargo:rerun-if-changed=../build_details.rs");
}
