//! `./configure`: what it records for which prefix and flags, and what it says when something is missing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;
use xtask::config::Config;
use xtask::depends::manifest_file;

/// A directory that looks like a clone, with a prefix in it.
struct Clone(TempDir);

impl Clone {
    /// `manifest`: whether `depends` made the prefix, and if so whether with `MULTIPROCESS=1`.
    fn new(manifest: Option<bool>) -> Clone {
        let dir = tempfile::Builder::new().prefix("a clone ").tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("xtask")).unwrap();
        fs::create_dir_all(root.join("depends")).unwrap();
        fs::write(root.join("xtask/Cargo.toml"), "").unwrap();
        fs::create_dir_all(root.join("prefix/lib/pkgconfig")).unwrap();
        let pc =
            "prefix=${pcfiledir}/../..\nName: k\nDescription: k\nVersion: 31\nLibs: -L${prefix}/lib -lbitcoinkernel\n";
        fs::write(root.join("prefix/lib/pkgconfig/libbitcoinkernel-internal.pc"), pc).unwrap();
        if let Some(multiprocess) = manifest {
            let file = manifest_file(&root.join("prefix"));
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            let text = format!(
                "host = \"h\"\nmultiprocess = {multiprocess}\nno_qt = true\nno_wallet = false\nno_zmq = false\n\
                 debug = false\n[packages]\n"
            );
            fs::write(file, text).unwrap();
        }
        Clone(dir)
    }

    fn add_capnp(&self) {
        let bin = self.prefix().join("bin");
        fs::create_dir_all(&bin).unwrap();
        fs::create_dir_all(self.prefix().join("include/capnp")).unwrap();
        fs::write(self.prefix().join("include/capnp/c++.capnp"), "").unwrap();
        fs::write(bin.join("capnp"), "").unwrap();
    }

    fn prefix(&self) -> std::path::PathBuf {
        self.0.path().join("prefix")
    }

    fn configure(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.arg("configure").arg(format!("--prefix={}", self.prefix().display())).args(arguments);
        command.env("CARGO_MANIFEST_DIR", self.0.path()).current_dir(self.0.path());
        // The machine's own libraries must not decide a test.
        command.env("PKG_CONFIG_PATH", self.prefix().join("lib/pkgconfig")).output().unwrap()
    }

    fn config(&self) -> Config {
        Config::load(self.0.path()).unwrap()
    }
}

#[test]
fn the_prefix_decides_unless_a_flag_does() {
    let check = |made_with: bool, flags: &[&str], expected: bool, why: &str| {
        let clone = Clone::new(Some(made_with));
        clone.add_capnp();
        let output = clone.configure(flags);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        let expected = Config {
            prefix: Some(clone.prefix()),
            depends: Some(clone.prefix()),
            multiprocess: Some(expected),
            directories: BTreeMap::new(),
            variables: BTreeMap::new(),
        };
        assert_eq!(clone.config(), expected, "{why}");
        assert!(text.contains(why), "{why} is not in: {text}");
    };
    check(true, &[], true, "the prefix was made with MULTIPROCESS=1");
    check(false, &[], false, "the prefix was made without MULTIPROCESS=1");
    check(true, &["--disable-multiprocess"], false, "--disable-multiprocess");
    check(false, &["--enable-multiprocess"], true, "--enable-multiprocess");
}

#[test]
fn compilers_and_flags_are_recorded_and_shown() {
    let clone = Clone::new(Some(false));
    let output = clone.configure(&["CC=cc", "CXXFLAGS=-O1 -g"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let given = [("CC", "cc"), ("CXXFLAGS", "-O1 -g")];
    assert_eq!(clone.config().variables, given.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert!(
        given.iter().all(|(name, value)| text.lines().any(|line| line.contains(name) && line.ends_with(value))),
        "{text}"
    );

    let output = clone.configure(&["CXX=nosuchcompiler -m64"]);
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("CXX=nosuchcompiler: there is no such program"), "{text}");
}

#[test]
fn a_plain_prefix_is_only_where_to_install() {
    let clone = Clone::new(None);
    assert!(clone.configure(&["--disable-multiprocess"]).status.success());
    let config = clone.config();
    assert_eq!((config.prefix, config.depends), (Some(clone.prefix()), None));
}

#[test]
fn directories_are_recorded_and_what_means_nothing_here_is_ignored() {
    let check = |options: &[&str], multiprocess: bool, said: &str, directories: &[(&str, &str)]| {
        let clone = Clone::new(Some(multiprocess));
        clone.add_capnp();
        let output = clone.configure(options);
        assert_eq!((output.status.success(), &*String::from_utf8_lossy(&output.stderr)), (true, said), "{options:?}");
        let expected = directories.iter().map(|(name, dir)| ((*name).to_owned(), dir.into())).collect();
        assert_eq!(clone.config().directories, expected, "{options:?}");
    };
    check(&["--libdir=lib/x86_64-linux-gnu"], true, "", &[("libdir", "lib/x86_64-linux-gnu")]);
    let debian = [
        "--build=x86_64-linux-gnu",
        "--includedir=${prefix}/include",
        "--disable-option-checking",
        "--sysconfdir=/etc",
        "--disable-silent-rules",
        "--libexecdir=${prefix}/libexec",
    ];
    check(&debian, true, "", &[("includedir", "${prefix}/include"), ("libexecdir", "${prefix}/libexec")]);
    let warning = "warning: unrecognized options: --disable-silent-rules, --with-teapot\n";
    check(&["--disable-silent-rules", "--with-teapot=x"], true, warning, &[]);
    // The wrapper would not find the node.
    let elsewhere = ["--bindir=/usr/bin", "--libexecdir=/usr/lib/bitcoin"];
    let recorded = [("bindir", "/usr/bin"), ("libexecdir", "/usr/lib/bitcoin")];
    let warning = "warning: bitcoin -m looks for bitcoin-node in /usr/libexec, not in /usr/lib/bitcoin\n";
    check(&elsewhere, true, warning, &recorded);
    check(&elsewhere, false, "", &recorded);
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    let check = |clone: &Clone, flags: &[&str], code: i32, expected: &str| {
        let output = clone.configure(flags);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(expected) && text.lines().count() == 1, "{expected} is not in: {text}");
    };
    let clone = Clone::new(Some(true));
    check(&clone, &["--enable-multiprocess", "--disable-multiprocess"], 1, "exclude each other");
    check(&clone, &["--teapot"], 1, "unexpected option: --teapot");
    check(&clone, &["--bindir=${teapot}"], 1, "there is no directory teapot");
    fs::remove_file(clone.prefix().join("lib/pkgconfig/libbitcoinkernel-internal.pc")).unwrap();
    check(&clone, &[], 1, "has no consensus library: run make -C depends");
    fs::write(manifest_file(&clone.prefix()), "host = 1").unwrap();
    check(&clone, &[], 1, "is damaged");
    assert!(!Path::exists(&clone.0.path().join("build/config.toml")), "a failure must record nothing");
}
