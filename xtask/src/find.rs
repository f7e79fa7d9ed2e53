//! Look-ups for build scripts: where the consensus library, its headers and the Cap'n Proto compiler are.
//!
//! A build script calls [`kernel`] or [`capnp`] once. Both print the `cargo:rerun-if-…` lines that make cargo ask again
//! when the answer may change. `./configure` asks the `…_for` forms, which print nothing. All answer in the same order:
//!
//! 1. the prefix that `./configure` recorded;
//! 2. what `pkg-config` (or `PATH`) knows;
//! 3. for the consensus library, the `depends` engine, which builds it into the ordinary cache.
//!
//! **Invariant:** the third way uses the same recipe, cache and build id as `make -C depends`, so nothing is built twice.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::config::Config;
use crate::{depends, paths, system};

/// pkg-config's name for the consensus library together with the headers of its internals.
pub const KERNEL_MODULE: &str = "libbitcoinkernel-internal";

/// The consensus library, ready to compile a bridge against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// Directories to pass as `-I`: the library's internals, LevelDB's and Boost's headers.
    pub include_dirs: Vec<PathBuf>,
    /// The macros the library itself was compiled with and that change its headers (`NAME` or `NAME=VALUE`).
    pub defines: Vec<String>,
    /// Directories with the static libraries.
    pub lib_dirs: Vec<PathBuf>,
    /// The static libraries to link, in order.
    pub static_libs: Vec<String>,
    /// The shared system libraries those need (`stdc++`).
    pub system_libs: Vec<String>,
    /// The library's version.
    pub version: String,
}

impl Kernel {
    /// Prints the `cargo:rustc-link-…` lines for the library.
    pub fn emit_link(&self) {
        for dir in &self.lib_dirs {
            println!("cargo:rustc-link-search=native={}", dir.display());
        }
        for lib in &self.static_libs {
            println!("cargo:rustc-link-lib=static={lib}");
        }
        for lib in &self.system_libs {
            println!("cargo:rustc-link-lib=dylib={lib}");
        }
    }
}

/// Cap'n Proto as a schema compiler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capnp {
    /// The `capnp` program.
    pub compiler: PathBuf,
    /// The directory that holds `capnp/c++.capnp`, for the compiler's `-I`.
    pub include_dir: PathBuf,
}

/// Finds the consensus library, building it when the machine has none. For build scripts.
///
/// # Errors
/// When the recorded prefix has no such library, or when it is nowhere and cannot be built. The message says what to do.
pub fn kernel() -> Result<Kernel> {
    let root = paths::root()?;
    let config = watch(&root)?;
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    if let Some(found) = kernel_for(&config)? {
        return Ok(found);
    }
    let prefix = depends::ensure(&root, "libbitcoinkernel")
        .context("the consensus library is not installed and could not be built; make -C depends shows the details")?;
    // From here on that prefix is what the answer depends on.
    println!("cargo:rerun-if-changed={}", depends::manifest_file(&prefix).display());
    kernel_in(&prefix)?.with_context(|| format!("{} was built without a consensus library", prefix.display()))
}

/// Finds the consensus library where it is installed.
///
/// # Errors
/// When the configured prefix has no such library or pkg-config cannot be run.
pub fn kernel_for(config: &Config) -> Result<Option<Kernel>> {
    let Some(prefix) = &config.depends else { return kernel_by_pkg_config(None) };
    let found = kernel_in(prefix)?.with_context(|| {
        format!("the prefix {} has no consensus library: run make -C depends, then ./configure", prefix.display())
    })?;
    Ok(Some(found))
}

/// Finds the Cap'n Proto compiler. For build scripts.
///
/// # Errors
/// When there is none; the message names the package to install.
pub fn capnp() -> Result<Capnp> {
    let root = paths::root()?;
    let config = watch(&root)?;
    println!("cargo:rerun-if-env-changed=PATH");
    let found = capnp_for(&config).or_else(|| capnp_in(&depends::existing_prefix(&root)?));
    found.with_context(|| {
        format!(
            "the Cap'n Proto compiler is missing: run make -C depends MULTIPROCESS=1 and ./configure, or install it \
             with {}",
            system::install_hint(&CAPNP_PACKAGES)
        )
    })
}

/// Finds the Cap'n Proto compiler where it is installed.
#[must_use]
pub fn capnp_for(config: &Config) -> Option<Capnp> {
    config.depends.as_deref().and_then(capnp_in).or_else(capnp_on_path)
}

/// The Debian packages with the Cap'n Proto compiler and library.
pub const CAPNP_PACKAGES: [&str; 2] = ["capnproto", "libcapnp-dev"];

fn capnp_on_path() -> Option<Capnp> {
    let compiler = system::which("capnp")?;
    let beside = compiler.parent().and_then(Path::parent).map(|dir| dir.join("include"));
    let system = PathBuf::from("/usr/include");
    // The compiler knows its own standard import path, so a wrong guess here does no harm.
    let include_dir = beside.filter(|dir| dir.join("capnp/c++.capnp").is_file()).unwrap_or(system);
    Some(Capnp { compiler, include_dir })
}

/// Reads the record of `./configure` and has cargo watch it.
fn watch(root: &Path) -> Result<Config> {
    let file = paths::config_file(root);
    if !file.exists() {
        // Cargo would rerun the script on every build if it were told to watch a file that does not exist.
        Config::default().store(root)?;
    }
    println!("cargo:rerun-if-changed={}", file.display());
    let config = Config::load(root)?;
    if let Some(prefix) = &config.depends {
        let manifest = depends::manifest_file(prefix);
        if manifest.exists() {
            println!("cargo:rerun-if-changed={}", manifest.display());
        }
    }
    Ok(config)
}

fn capnp_in(prefix: &Path) -> Option<Capnp> {
    // A cross build's compiler runs on the building machine and is kept apart from the target's files.
    [prefix.join("native"), prefix.to_path_buf()].into_iter().find_map(|dir| {
        let found = Capnp { compiler: dir.join("bin/capnp"), include_dir: dir.join("include") };
        (found.compiler.is_file() && found.include_dir.join("capnp/c++.capnp").is_file()).then_some(found)
    })
}

fn kernel_in(prefix: &Path) -> Result<Option<Kernel>> {
    if !prefix.join("lib/pkgconfig").join(format!("{KERNEL_MODULE}.pc")).is_file() {
        return Ok(None);
    }
    kernel_by_pkg_config(Some(prefix))
}

/// Asks pkg-config, about one prefix or about the machine.
fn kernel_by_pkg_config(prefix: Option<&Path>) -> Result<Option<Kernel>> {
    let program = std::env::var_os("PKG_CONFIG").unwrap_or_else(|| OsString::from("pkg-config"));
    let ask = |args: &[&str]| -> Result<Option<String>> {
        let mut command = Command::new(&program);
        command.args(args).arg(KERNEL_MODULE);
        if let Some(prefix) = prefix {
            command.env("PKG_CONFIG_LIBDIR", prefix.join("lib/pkgconfig")).env_remove("PKG_CONFIG_PATH");
            command.env_remove("PKG_CONFIG_SYSROOT_DIR");
        }
        match command.output() {
            Ok(out) if out.status.success() => Ok(Some(String::from_utf8_lossy(&out.stdout).trim().to_owned())),
            Ok(_) => Ok(None),
            Err(err) if prefix.is_some() => Err(err).with_context(|| {
                format!("cannot run pkg-config; install it with {}", system::install_hint(&["pkg-config"]))
            }),
            Err(_) => Ok(None),
        }
    };
    let Some(version) = ask(&["--modversion"])? else { return Ok(None) };
    let Some(cflags) = ask(&["--cflags", "--keep-system-cflags"])? else { return Ok(None) };
    let Some(libs) = ask(&["--libs", "--static"])? else { return Ok(None) };
    let defines = ask(&["--variable=defines"])?.unwrap_or_default();
    Ok(Some(parse_kernel(version, &cflags, &libs, &defines)?))
}

fn parse_kernel(version: String, cflags: &str, libs: &str, defines: &str) -> Result<Kernel> {
    // pkg-config quotes what is special to a shell, such as a space in the name of a directory.
    let words = |text: &str| shlex::split(text).with_context(|| format!("pkg-config printed an open quote: {text}"));
    let (cflags, libs, defines) = (words(cflags)?, words(libs)?, words(defines)?);
    let values = |words: &[String], flag: &str| -> Vec<String> {
        let mut seen = Vec::new();
        for value in words.iter().filter_map(|word| word.strip_prefix(flag)) {
            if !seen.iter().any(|old| old == value) {
                seen.push(value.to_owned());
            }
        }
        seen
    };
    let mut all_defines = values(&cflags, "-D");
    for define in defines {
        if !all_defines.contains(&define) {
            all_defines.push(define);
        }
    }
    let (static_libs, system_libs) = values(&libs, "-l").into_iter().partition(|lib| lib.contains("bitcoinkernel"));
    Ok(Kernel {
        include_dirs: values(&cflags, "-I").into_iter().map(plain).collect(),
        defines: all_defines,
        lib_dirs: values(&libs, "-L").into_iter().map(plain).collect(),
        static_libs,
        system_libs,
        version,
    })
}

/// Without the `lib/pkgconfig/../..` that relocatable `.pc` files give.
fn plain(dir: String) -> PathBuf {
    let dir = PathBuf::from(dir);
    dir.canonicalize().unwrap_or(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_become_fields() {
        let found = parse_kernel(
            "31.99.0".to_owned(),
            "-I/p/include/libbitcoinkernel -I/p/include -DBITCOINKERNEL_STATIC",
            "-L/p/lib -lbitcoinkernel -lstdc++ -lstdc++",
            "BITCOINKERNEL_STATIC BOOST_ALL_NO_LIB",
        )
        .expect("no quote is open");
        assert_eq!(found.include_dirs, [PathBuf::from("/p/include/libbitcoinkernel"), PathBuf::from("/p/include")]);
        assert_eq!(found.defines, ["BITCOINKERNEL_STATIC", "BOOST_ALL_NO_LIB"]);
        assert_eq!(found.lib_dirs, [PathBuf::from("/p/lib")]);
        assert_eq!(found.static_libs, ["bitcoinkernel"]);
        assert_eq!(found.system_libs, ["stdc++"]);
    }

    #[test]
    fn directories_may_have_spaces() {
        let parse = |cflags, libs| parse_kernel("31.99.0".to_owned(), cflags, libs, "");
        let found = parse(r"-I/my\ node/include -I'/other one/include'", r#"-L"/my node/lib" -lbitcoinkernel"#)
            .expect("no quote is open");
        assert_eq!(found.include_dirs, [PathBuf::from("/my node/include"), PathBuf::from("/other one/include")]);
        assert_eq!(found.lib_dirs, [PathBuf::from("/my node/lib")]);
        let error = parse("-I'/my node", "").expect_err("a quote is open").to_string();
        assert_eq!(error, "pkg-config printed an open quote: -I'/my node");
    }
}
