//! Compiles the bridge against the engine's headers and links the engine's library. No file of Core's is compiled.

use std::path::Path;

/// The bridge's files.
const SOURCES: &[&str] = &["engine", "events", "chain", "blocks", "mempool", "log"];

fn main() {
    let library = pkg_config::Config::new()
        .atleast_version("31")
        .statik(true)
        .cargo_metadata(false)
        .probe("libbitcoinkernel-internal")
        .unwrap_or_else(|error| panic!("libbitcoinkernel not found; run `make -C depends` first: {error}"));

    cxx_build::CFG.include_prefix = "enginebridge";
    let mut build = cxx_build::bridge("src/ffi.rs");
    for source in SOURCES {
        let path = Path::new("bridge").join(source).with_extension("cpp");
        println!("cargo::rerun-if-changed={}", path.display());
        build.file(path);
    }
    for header in ["engine.h", "state.h"] {
        println!("cargo::rerun-if-changed=bridge/{header}");
    }
    // Flags that change what the headers declare must be those the library was built with; the optimisation is always
    // on because unoptimised template code of the engine's would dominate every call.
    for define in [
        "BITCOINKERNEL_STATIC",
        "BOOST_ALL_NO_LIB",
        "BOOST_MULTI_INDEX_DISABLE_SERIALIZATION",
        "BOOST_NO_CXX98_FUNCTION_BASE",
    ] {
        build.define(define, None);
    }
    for path in &library.include_paths {
        build.flag(format!("-isystem{}", path.display()));
    }
    build
        .std("c++20")
        .opt_level(2)
        .warnings(true)
        .flag_if_supported("-Wno-missing-field-initializers")
        .compile("enginebridge");
    println!("cargo::rerun-if-changed=src/ffi.rs");

    // After the bridge, which needs it. Not bundled: the library would be copied into the rlib at every build.
    for path in &library.link_paths {
        println!("cargo::rustc-link-search=native={}", path.display());
    }
    println!("cargo::rustc-link-lib=static:-bundle=bitcoinkernel");
}
