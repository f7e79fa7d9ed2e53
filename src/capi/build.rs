//! Gives the shared library the name that programs linked to it ask for at run time.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,{}", xtask::library::soname());
    // Its threads outlive whoever loaded it, so that it must never be unloaded; and it needs all of its symbols.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete,-z,defs");
    // Nor do those of libraries inside of it show.
    println!("cargo::rustc-cdylib-link-arg=-Wl,--exclude-libs,ALL");
}
