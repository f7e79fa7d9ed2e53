//! `./configure`: looks at the machine, records the choices, and says what will be built and why.

mod options;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xtask::config::Config;
use xtask::depends::Manifest;
use xtask::{find, system};

use super::directories::Directories;
use super::setup;
pub use options::Options;

/// What `./configure --help` prints.
pub const HELP: &str = "\
Chooses what is built, and records it in build/config.toml.

Usage: ./configure [options]

  --prefix=DIRECTORY       install to this directory, and take libraries from it if depends made it [/usr/local]
  --enable-multiprocess    build bitcoin-node and bitcoin-wallet too; needs Cap'n Proto
  --disable-multiprocess   build the monolith alone
  --help                   print this

Below the prefix, or elsewhere:
  --bindir=DIRECTORY       programs [bin]
  --libexecdir=DIRECTORY   programs that other programs start [libexec]
  --libdir=DIRECTORY       libraries, such as lib/x86_64-linux-gnu [lib]
  --includedir=DIRECTORY   the header [include]
  --datadir=DIRECTORY      schemas and completions [share]
  --mandir=DIRECTORY       man pages [share/man]

Compilers and flags, recorded and used by every later build:
  CC= CXX= AR= RANLIB=     programs for C and C++
  CFLAGS= CXXFLAGS=        flags for C and for C++
  CPPFLAGS=                flags for both
  LDFLAGS=                 flags for linking

Other options that packaging tools pass to every configure (--build, --sysconfdir, --disable-silent-rules, ...) are
ignored. A build is for the machine that it is made on.

Without either of the two, the split programs are built if the prefix was made with MULTIPROCESS=1 or, when depends did
not make the prefix, if the system has Cap'n Proto. A missing system package is named with what to type.";

/// Whether the arguments ask for this command's help; the general help would drown it.
pub fn wants_help(arguments: &[OsString]) -> bool {
    arguments.first().is_some_and(|first| first == "configure")
        && arguments.iter().any(|argument| argument == "--help" || argument == "-h")
}

/// Where programs go when nobody says.
const DEFAULT_PREFIX: &str = "/usr/local";

/// Records the choices and prints the summary.
pub fn run(root: &Path, options: Options) -> Result<()> {
    let Options { prefix, directories, multiprocess, variables, unknown } = options;
    if !unknown.is_empty() {
        eprintln!("warning: unrecognized options: {}", unknown.join(", "));
    }
    let install = match prefix {
        // Whoever runs make later may stand in another directory.
        Some(prefix) => std::path::absolute(prefix).context("cannot resolve --prefix")?,
        None => PathBuf::from(DEFAULT_PREFIX),
    };
    let manifest = Manifest::load(&install)?;
    let places = Directories::new(&install, &directories)?;
    let mut config = Config {
        depends: manifest.is_some().then(|| install.clone()),
        prefix: Some(install),
        multiprocess: None,
        directories,
        variables,
    };
    require_tools(&["cc", "c++", "pkg-config"])?;
    for name in ["CC", "CXX", "AR", "RANLIB"] {
        // Words before the last may be a compiler cache, words after the first flags.
        let Some(program) = config.variables.get(name).and_then(|value| value.split_whitespace().next()) else {
            continue;
        };
        if system::which(program).is_none() {
            bail!("{name}={program}: there is no such program");
        }
    }
    let engine = engine(&config)?;
    let (multiprocess, why) = decide(&config, manifest.as_ref(), multiprocess)?;
    config.multiprocess = Some(multiprocess);
    config.store(root)?;
    if multiprocess && places.libexec != places.looked_in() {
        let (there, here) = (places.looked_in(), places.libexec);
        eprintln!("warning: bitcoin -m looks for bitcoin-node in {}, not in {}", there.display(), here.display());
    }
    summary(&config, &why, &engine);
    Ok(())
}

/// Whether the split programs are built, and the reason in words.
fn decide(config: &Config, manifest: Option<&Manifest>, asked: Option<bool>) -> Result<(bool, String)> {
    let capnp = find::capnp_for(config);
    let missing = || format!("install it with {}", system::install_hint(&find::CAPNP_PACKAGES));
    match (asked, manifest) {
        (Some(false), _) => Ok((false, "--disable-multiprocess".to_owned())),
        (Some(true), Some(_)) if capnp.is_none() => bail!(
            "--enable-multiprocess needs Cap'n Proto, and the prefix was made without: run make -C depends \
             MULTIPROCESS=1"
        ),
        (Some(true), None) if capnp.is_none() => bail!("--enable-multiprocess needs Cap'n Proto; {}", missing()),
        (Some(true), _) => Ok((true, "--enable-multiprocess".to_owned())),
        (None, Some(manifest)) if manifest.multiprocess => {
            Ok((true, "the prefix was made with MULTIPROCESS=1".to_owned()))
        }
        (None, Some(_)) => Ok((false, "the prefix was made without MULTIPROCESS=1".to_owned())),
        (None, None) => match (capnp, version("capnp")) {
            (Some(_), Some(version)) => Ok((true, format!("the system has Cap'n Proto {version}"))),
            _ => Ok((false, format!("the system has no Cap'n Proto; {}", missing()))),
        },
    }
}

/// Where the consensus library comes from, in words.
fn engine(config: &Config) -> Result<String> {
    if let Some(found) = find::kernel_for(config)? {
        return Ok(format!(
            "{} in {}",
            found.version,
            found.lib_dirs.first().map_or("".into(), |dir| dir.display().to_string())
        ));
    }
    // The build will make it, and needs these for it.
    require_tools(&["make", "cmake"])?;
    Ok("not installed; the build makes it through depends".to_owned())
}

fn require_tools(tools: &[&str]) -> Result<()> {
    setup::provide(&tools.iter().map(|tool| (*tool).to_owned()).collect(), system::is_root())
}

/// The version of a system library, by pkg-config.
fn version(module: &str) -> Option<String> {
    let output = std::process::Command::new("pkg-config").args(["--modversion", module]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn summary(config: &Config, why: &str, engine: &str) {
    let split = config.multiprocess == Some(true);
    let yes = |built: bool| if built { "yes" } else { "no" };
    let row = |what: &str, built: &str, why: &str| println!("  {what:<28} {built:<5} {why}");
    println!("What will be built:");
    row("bitcoind", "yes", "always: node and wallets in one process");
    row("bitcoin-cli, bitcoin", "yes", "always");
    row("bitcoin-node, bitcoin-wallet", yes(split), why);
    row("libmultiprocess", yes(split), "with them: their socket for programs in C");
    println!("With:");
    row("consensus library", "", engine);
    if split && let Some(capnp) = find::capnp_for(config) {
        row("Cap'n Proto compiler", "", &capnp.compiler.display().to_string());
    }
    let source = match &config.depends {
        Some(prefix) => format!("{}, made by depends", prefix.display()),
        None => "the system".to_owned(),
    };
    row("libraries from", "", &source);
    for (name, value) in &config.variables {
        row(name, "", value);
    }
    if let Some(prefix) = &config.prefix {
        row("make install puts into", "", &prefix.display().to_string());
    }
    if system::which("python3").is_none() {
        row("functional tests", "no", &format!("no python3; install it with {}", system::install_hint(&["python3"])));
    }
    println!("Now type make.");
}
