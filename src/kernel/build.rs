//! Compiles the bridge against the engine's headers and links the engine's library. No file of Core's is compiled.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use xtask::find::Kernel;

/// The bridge's files.
const SOURCES: &[&str] =
    &["engine", "events", "chain", "blocks", "coinstats", "mempool", "mining", "peers", "script", "log", "memory"];

/// What they are made from besides.
const OTHERS: &[&str] = &["bridge/engine.h", "bridge/state.h", "src/ffi.rs", "build.rs"];

fn main() {
    let library = xtask::find::kernel().unwrap_or_else(|error| panic!("{error:#}"));

    cxx_build::CFG.include_prefix = "enginebridge";
    let mut build = cxx_build::bridge("src/ffi.rs");
    let sources: Vec<PathBuf> =
        SOURCES.iter().map(|name| Path::new("bridge").join(name).with_extension("cpp")).collect();
    let inputs: Vec<PathBuf> = sources.iter().cloned().chain(OTHERS.iter().map(PathBuf::from)).collect();
    for input in &inputs {
        println!("cargo::rerun-if-changed={}", input.display());
    }
    // One translation unit: reading the engine's headers, once for each file, would be most of the work.
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let unit = out_dir.join("enginebridge.cpp");
    let includes: String =
        SOURCES.iter().map(|name| format!("#include \"enginebridge/bridge/{name}.cpp\"\n")).collect();
    fs::write(&unit, includes).unwrap_or_else(|error| panic!("cannot write {}: {error}", unit.display()));
    build.file(&unit);
    // What changes the headers must be as it was when the library was built.
    for define in &library.defines {
        let (name, value) = define.split_once('=').map_or((&define[..], None), |(name, value)| (name, Some(value)));
        build.define(name, value);
    }
    // As system headers, so that our warnings are about our code; those the compiler searches anyway must not be moved.
    for dir in library.include_dirs.iter().filter(|dir| !dir.ends_with("usr/include")) {
        build.flag("-isystem").flag(dir);
    }
    // The log names sources (-logsourcelocations), not where they were when the program was built.
    let ours = out_dir.join("cxxbridge/crate/enginebridge");
    for dir in library.include_dirs.iter().chain([&ours]) {
        build.flag_if_supported(format!("-fmacro-prefix-map={}/=", dir.display()));
    }
    // Always optimised: the bridge instantiates the engine's templates, which would dominate every call otherwise.
    build.std("c++20").opt_level(2).warnings(true).flag_if_supported("-Wno-missing-field-initializers");
    build.cargo_metadata(false);

    // Cargo runs this whenever something it is built from changes, and the compiler takes its time.
    let stamp_file = out_dir.join("enginebridge.stamp");
    let stamp = stamp(&library, &inputs, &build);
    if fs::read_to_string(&stamp_file).ok().as_ref() != Some(&stamp) || !out_dir.join("libenginebridge.a").exists() {
        build.compile("enginebridge");
        fs::write(&stamp_file, stamp).unwrap_or_else(|error| panic!("cannot write {}: {error}", stamp_file.display()));
    }

    println!("cargo::rustc-link-search=native={}", out_dir.display());
    println!("cargo::rustc-link-lib=static=enginebridge");
    // After the bridge, which needs it. Not bundled: the library would be copied into the rlib at every build.
    for dir in &library.lib_dirs {
        println!("cargo::rustc-link-search=native={}", dir.display());
    }
    for lib in &library.static_libs {
        println!("cargo::rustc-link-lib=static:-bundle={lib}");
    }
    for lib in &library.system_libs {
        println!("cargo::rustc-link-lib=dylib={lib}");
    }
}

/// Everything the compiled bridge depends on, as text.
fn stamp(library: &Kernel, inputs: &[PathBuf], build: &cc::Build) -> String {
    let mut stamp = format!("{library:?}\n");
    if let Ok(compiler) = build.try_get_compiler() {
        let _ = writeln!(stamp, "{:?} {:?}", compiler.path(), compiler.args());
    }
    for (dir, lib) in library.lib_dirs.iter().flat_map(|dir| library.static_libs.iter().map(move |lib| (dir, lib))) {
        // A library that was built again may come with other headers.
        if let Ok(found) = fs::metadata(dir.join(format!("lib{lib}.a"))) {
            let _ = writeln!(stamp, "{lib} {} {:?}", found.len(), found.modified().ok());
        }
    }
    for input in inputs {
        let text = fs::read_to_string(input).unwrap_or_else(|error| panic!("cannot read {}: {error}", input.display()));
        let _ = writeln!(stamp, "{}\n{text}", input.display());
    }
    stamp
}
