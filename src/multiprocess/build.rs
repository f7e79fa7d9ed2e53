//! Compiles the runtime's own schemas. The compiler is `capnp` from the search path, or the program `CAPNP` names.

use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-env-changed=CAPNP");
    println!("cargo::rerun-if-changed=schema");
    let mut command = capnpc::CompilerCommand::new();
    if let Some(capnp) = std::env::var_os("CAPNP") {
        command.capnp_executable(PathBuf::from(capnp));
    }
    let compiled = command
        .no_standard_import()
        .import_path("schema")
        .src_prefix("schema")
        .file("schema/mp/proxy.capnp")
        .file("schema/shape.capnp")
        .run();
    if let Err(error) = compiled {
        eprintln!("{error}");
        std::process::exit(1);
    }
}
