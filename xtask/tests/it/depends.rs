//! The `depends` engine on tiny packages made for the purpose: no network, one C file.
//!
//! Recipes append a line to a log outside their build when they run, which is how a test sees what was built.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use xtask::depends::{self, Manifest, Options};

/// A directory that looks like a clone to the engine.
struct Clone {
    dir: TempDir,
    options: Options,
}

impl Clone {
    fn new() -> Clone {
        // A clone may be anywhere.
        let dir = tempfile::Builder::new().prefix("a clone ").tempdir().expect("a temporary directory");
        let root = dir.path().canonicalize().expect("it exists");
        fs::create_dir_all(root.join("xtask")).unwrap();
        fs::create_dir_all(root.join("depends/packages")).unwrap();
        fs::create_dir_all(root.join("depends/hosts")).unwrap();
        fs::write(root.join("xtask/Cargo.toml"), "").unwrap();
        let mut options = Options::new(&root).expect("this machine has a name");
        options.quiet = true;
        let clone = Clone { dir, options };
        clone.host("cc", "c++");
        clone
    }

    fn root(&self) -> &Path {
        &self.options.root
    }

    fn host(&self, cc: &str, cxx: &str) {
        let text = format!(
            "system = \"Linux\"\nprocessor = \"any\"\ncc = \"{cc}\"\ncxx = \"{cxx}\"\nar = \"ar\"\nranlib = \"ranlib\"\n\
             flags = \"-O1 -g\"\ndebug_flags = \"-O0 -g\"\n"
        );
        fs::write(self.root().join(format!("depends/hosts/{}.toml", self.options.host)), text).unwrap();
    }

    /// Makes a source file and returns its hash.
    fn source(&self, name: &str) -> String {
        let dir = self.dir.path().join("tmp").join(name);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("main.c"), "const char *where(void) { return __FILE__; }\n").unwrap();
        let file = self.root().join(format!("{name}.tar"));
        let made = Command::new("tar")
            .args(["--create", "--mtime=@1", "--owner=0", "--group=0", "--file"])
            .args([&file, Path::new("--directory"), dir.parent().unwrap(), Path::new(name)])
            .status();
        assert!(made.expect("tar is there").success());
        hash(&file)
    }

    /// Writes a recipe with one local origin of the right hash. `rest` is TOML.
    fn recipe(&self, name: &str, rest: &str) {
        let sha256 = self.source(name);
        self.recipe_from(name, rest, &[(&format!("{name}.tar"), &sha256)]);
    }

    fn recipe_from(&self, name: &str, rest: &str, origins: &[(&str, &str)]) {
        let origins: String = origins
            .iter()
            .map(|(path, sha256)| format!("[[origin]]\npath = \"{path}\"\nsha256 = \"{sha256}\"\n"))
            .collect();
        let text = format!("version = \"1\"\n{rest}\n{origins}");
        fs::write(self.root().join(format!("depends/packages/{name}.toml")), text).unwrap();
    }

    /// A recipe that only leaves a file with its name, and logs.
    fn simple(&self, name: &str, depends: &[&str], content: &str) {
        let install = format!(
            "echo {name} >> \"{log}\"; mkdir -p \"$STAGE\"/share; echo {content} > \"$STAGE\"/share/{name}",
            log = self.log().display()
        );
        self.recipe(name, &format!("depends = {depends:?}\ninstall = '{install}'"));
    }

    fn log(&self) -> PathBuf {
        self.root().join("log")
    }

    /// What ran since the last look.
    fn ran(&self) -> Vec<String> {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let _ = fs::remove_file(self.log());
        text.lines().map(str::to_owned).collect()
    }

    fn install(&self) -> PathBuf {
        depends::install(&self.options).expect("it builds")
    }

    fn error(&self) -> String {
        let error = depends::install(&self.options).expect_err("it must not build");
        let text = format!("{error:#}");
        assert!(!text.contains('\n'), "more than one line: {text}");
        text
    }

    /// The real program, in this directory.
    fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.env("CARGO_MANIFEST_DIR", self.root()).current_dir(self.root());
        for variable in CACHES {
            command.env_remove(variable);
        }
        command.args(["depends", "install"]).stderr(std::process::Stdio::null()).stdout(std::process::Stdio::null());
        command
    }
}

/// What the environment may say of where things are kept.
const CACHES: [&str; 3] = ["SOURCES_PATH", "BASE_CACHE", "FALLBACK_DOWNLOAD_PATH"];

/// Runs a test in a process of its own, without that, if it says something.
fn runs_apart(test: &str) -> bool {
    let apart = CACHES.iter().any(|variable| std::env::var_os(variable).is_some());
    if apart {
        let mut command = Command::new(std::env::current_exe().unwrap());
        for variable in CACHES {
            command.env_remove(variable);
        }
        assert!(command.args(["--exact", test]).status().unwrap().success(), "{test}");
    }
    apart
}

fn hash(file: &Path) -> String {
    Sha256::digest(fs::read(file).expect("the file is there")).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_second_run_does_nothing() {
    let clone = Clone::new();
    clone.simple("base", &[], "x");
    let prefix = clone.install();
    assert_eq!(clone.ran(), ["base"]);
    assert!(prefix.join("share/base").is_file());
    clone.install();
    assert_eq!(clone.ran(), [""; 0]);
    // Without the prefix the cache has it; without both it is built again.
    fs::remove_dir_all(&prefix).unwrap();
    clone.install();
    assert_eq!(clone.ran(), [""; 0]);
    assert!(prefix.join("share/base").is_file());
    depends::clean(&clone.options, false).unwrap();
    clone.install();
    assert_eq!(clone.ran(), ["base"]);
}

#[test]
fn a_changed_recipe_rebuilds_it_and_its_dependents() {
    let clone = Clone::new();
    let check = |what: &str, expected: &[&str]| {
        clone.install();
        assert_eq!(clone.ran(), expected, "{what}");
    };
    clone.simple("base", &[], "x");
    clone.simple("middle", &["base"], "x");
    clone.simple("other", &[], "x");
    clone.simple("top", &["middle"], "x");
    check("at first", &["base", "middle", "other", "top"]);
    clone.simple("middle", &["base"], "y");
    check("middle", &["middle", "top"]);
    clone.simple("base", &[], "y");
    check("base", &["base", "middle", "top"]);
    let patches = clone.root().join("depends/patches/other");
    fs::create_dir_all(&patches).unwrap();
    fs::write(
        patches.join("1.patch"),
        "--- a/main.c\n+++ b/main.c\n@@ -1 +1 @@\n-const char *where(void) { return __FILE__; }\n+int patched;\n",
    )
    .unwrap();
    check("a patch", &["other"]);
    clone.simple("base", &[], "x");
    check("back to what the cache has", &[]);
    assert_eq!(fs::read_to_string(clone.options.prefix().join("share/base")).unwrap(), "x\n");
    let recipe = clone.root().join("depends/packages/top.toml");
    fs::write(&recipe, format!("# A remark.\n{}", fs::read_to_string(&recipe).unwrap())).unwrap();
    check("a comment", &[]);
}

#[test]
fn a_wrong_hash_is_refused_and_named() {
    let clone = Clone::new();
    let good = clone.source("base");
    let bad = "0".repeat(64);
    let install = format!("install = 'echo base >> \"{}\"; mkdir -p \"$STAGE\"'", clone.log().display());
    clone.recipe_from("base", &install, &[("base.tar", &bad)]);
    let error = clone.error();
    for part in ["base.tar", &good, &bad, "wrong hash"] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    assert_eq!(clone.ran(), [""; 0]);
    assert!(!clone.options.sources.join("base.tar").exists());

    // The next origin may have it.
    fs::copy(clone.root().join("base.tar"), clone.root().join("base-copy.tar")).unwrap();
    clone.recipe_from("base", &install, &[("base.tar", &bad), ("base-copy.tar", &good)]);
    clone.install();
    assert_eq!(clone.ran(), ["base"]);

    // What is in SOURCES_PATH is not trusted either.
    depends::clean(&clone.options, false).unwrap();
    fs::write(clone.options.sources.join("base-copy.tar"), "something else").unwrap();
    let error = clone.error();
    assert!(error.contains("wrong hash") && error.contains("SOURCES_PATH"), "{error}");
    assert_eq!(clone.ran(), [""; 0]);
}

#[test]
fn a_fetched_tree_builds_without_its_origins() {
    let clone = Clone::new();
    clone.simple("base", &[], "x");
    depends::download(&clone.options, None).unwrap();
    fs::remove_file(clone.root().join("base.tar")).unwrap();
    clone.install();
    assert_eq!(clone.ran(), ["base"]);
}

#[test]
fn the_fallback_is_asked_last() {
    let mut clone = Clone::new();
    clone.simple("base", &[], "x");
    let elsewhere = clone.root().join("mirror");
    fs::create_dir_all(&elsewhere).unwrap();
    fs::rename(clone.root().join("base.tar"), elsewhere.join("base.tar")).unwrap();
    assert!(clone.error().contains("cannot get the source of base"));
    clone.options.set("FALLBACK_DOWNLOAD_PATH", &elsewhere.display().to_string()).unwrap();
    clone.install();
    assert_eq!(clone.ran(), ["base"]);
}

#[test]
fn a_failed_run_resumes_where_it_failed() {
    let clone = Clone::new();
    clone.simple("base", &[], "x");
    let (log, flag) = (clone.log(), clone.root().join("flag"));
    let (log, flag_path) = (log.display(), flag.display());
    let steps = format!(
        "depends = [\"base\"]\nconfigure = 'echo configure >> \"{log}\"'\nbuild = 'echo build >> \"{log}\"; test -e \"{flag_path}\"'\n\
         install = 'echo install >> \"{log}\"; mkdir -p \"$STAGE\"'"
    );
    clone.recipe("late", &steps);
    let error = clone.error();
    assert!(error.contains("cannot build late 1"), "{error}");
    assert_eq!(clone.ran(), ["base", "configure", "build"]);
    fs::write(&flag, "").unwrap();
    clone.install();
    assert_eq!(clone.ran(), ["build", "install"]);
}

#[test]
fn a_killed_run_resumes_and_its_orphans_are_waited_for() {
    let clone = Clone::new();
    clone.simple("base", &[], "x");
    let path = |name: &str| clone.root().join(name);
    for pipe in ["started", "go"] {
        assert!(Command::new("mkfifo").arg(path(pipe)).status().unwrap().success());
    }
    // The first build stands still in the middle until it is told to go on.
    let steps = format!(
        "depends = [\"base\"]\nbuild = 'if mkdir \"{flag}\" 2>/dev/null; then echo x > \"{started}\"; cat \"{go}\" > /dev/null; echo orphan >> \
         \"{log}\"; exit 1; fi; echo build >> \"{log}\"'\ninstall = 'mkdir -p \"$STAGE\"/share; echo x > \"$STAGE\"/share/late'",
        flag = path("flag").display(),
        started = path("started").display(),
        go = path("go").display(),
        log = clone.log().display(),
    );
    clone.recipe("late", &steps);
    let mut first = clone.program().spawn().expect("the program starts");
    let mut started = String::new();
    fs::File::open(path("started")).unwrap().read_to_string(&mut started).unwrap();
    first.kill().unwrap();
    first.wait().unwrap();
    let prefix = std::thread::scope(|scope| {
        let second = scope.spawn(|| clone.install());
        // The killed run's shell still holds the lock; only after its end may the next one build.
        fs::write(path("go"), "x").unwrap();
        second.join().expect("the second run succeeds")
    });
    assert_eq!(clone.ran(), ["base", "orphan", "build"]);
    assert!(prefix.join("share/late").is_file());
}

#[test]
fn two_runs_at_once_build_once() {
    let clone = Clone::new();
    clone.simple("base", &[], "x");
    clone.simple("top", &["base"], "x");
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| clone.install())).collect();
        runs.into_iter().for_each(|run| assert!(run.join().expect("it succeeds").join("share/top").is_file()));
    });
    assert_eq!(clone.ran(), ["base", "top"]);
}

#[test]
fn two_clones_share_a_cache() {
    let (one, mut two) = (Clone::new(), Clone::new());
    for clone in [&one, &two] {
        let install = format!(
            "echo base >> \"{}\"; mkdir -p \"$STAGE\"/share; echo x > \"$STAGE\"/share/base",
            one.log().display()
        );
        clone.recipe("base", &format!("install = '{install}'"));
    }
    two.options.cache = one.options.cache.clone();
    std::thread::scope(|scope| {
        for clone in [&one, &two] {
            scope.spawn(|| assert!(clone.install().join("share/base").is_file()));
        }
    });
    assert_eq!(one.ran(), ["base"]);
}

#[test]
fn a_missing_compiler_or_tool_is_named() {
    let clone = Clone::new();
    clone.recipe("base", "tools = [\"cc\"]\ninstall = 'mkdir -p \"$STAGE\"'");
    clone.host("no-such-cc", "no-such-c++");
    let error = clone.error();
    assert!(error.contains("no-such-cc is missing") && error.contains("install gcc"), "{error}");
    clone.host("cc", "c++");
    clone.recipe("base", "tools = [\"no-such-tool\"]\ninstall = 'mkdir -p \"$STAGE\"'");
    let error = clone.error();
    assert!(error.contains("no-such-tool is missing; install with"), "{error}");
}

#[test]
fn a_package_of_our_own_follows_its_files() {
    let clone = Clone::new();
    let install = format!("echo own >> \"{}\"; cp -R \"$SRC\"/a \"$STAGE\"", clone.log().display());
    clone.recipe_from("own", &format!("local = [\"a/b/file\", \"a/other\"]\ninstall = '{install}'"), &[]);
    fs::create_dir_all(clone.root().join("a/b")).unwrap();
    fs::write(clone.root().join("a/b/file"), "one").unwrap();
    fs::write(clone.root().join("a/unlisted"), "").unwrap();
    let error = clone.error();
    assert!(error.contains("a/other"), "{error}");
    fs::write(clone.root().join("a/other"), "").unwrap();
    let read = || fs::read_to_string(clone.install().join("b/file")).unwrap();
    assert_eq!((read(), read()), ("one".to_owned(), "one".to_owned()));
    assert!(!clone.options.prefix().join("unlisted").exists());
    fs::write(clone.root().join("a/b/file"), "two").unwrap();
    assert_eq!(read(), "two");
    assert_eq!(clone.ran(), ["own", "own"]);
    depends::download(&clone.options, None).unwrap();
    assert_eq!(depends::variable(&clone.options, "own_file").unwrap(), "");

    let second = TempDir::new().unwrap();
    for result in depends::reproduce(&clone.options, second.path()).unwrap() {
        assert!(result.is_identical());
    }
}

#[test]
fn a_wrong_recipe_is_named() {
    let clone = Clone::new();
    let check = |rest: &str, expected: &str| {
        clone.recipe("base", rest);
        let error = clone.error();
        assert!(error.contains("base") && error.contains(expected), "{expected} is not in: {error}");
    };
    check("install = 'true'\nbuidl = 'true'", "buidl");
    check("install = 'true'\nwhen = [\"sunny\"]", "there is no condition sunny");
    check("install = 'true'\ndepends = [\"nobody\"]", "which has no recipe");
    check("install = 'true'\ndepends = [\"base\"]", "depend on each other");
    check(&format!("install = '''\n{}'''", "true\n".repeat(40)), "at most 40");
    check("install = 'true'", "installed nothing");
}

#[test]
fn a_build_sees_a_clean_environment_and_its_dependencies_only() {
    let clone = Clone::new();
    clone.simple("base", &[], "x");
    clone.simple("other", &[], "x");
    clone.recipe(
        "look",
        "depends = [\"base\"]\ninstall = 'mkdir -p \"$STAGE\"/share; env > \"$STAGE\"/../../env; ls \"$DEPS\"/share > \
         \"$STAGE\"/share/seen; env | cut -d= -f1 | sort | tr \"\\n\" \" \" > \"$STAGE\"/share/names'",
    );
    let status = clone.program().env("CFLAGS", "-O9").env("SECRET", "1").env("DESTDIR", "/nowhere").status().unwrap();
    assert!(status.success());
    let share = clone.options.prefix().join("share");
    assert_eq!(fs::read_to_string(share.join("seen")).unwrap(), "base\n");
    let names = fs::read_to_string(share.join("names")).unwrap();
    assert!(!names.contains("SECRET") && !names.contains("CARGO"), "{names}");
}

#[test]
fn two_directories_give_identical_files() {
    let build = |clone: &Clone| {
        clone.recipe(
            "lib",
            "tools = [\"cc\"]\nbuild = 'eval \"set -- $CFLAGS\"; $CC \"$@\" -c \"$SRC\"/main.c -o main.o && $AR qcD liblib.a main.o'\n\
             install = 'mkdir -p \"$STAGE\"/lib/pkgconfig; cp liblib.a \"$STAGE\"/lib/; printf \"prefix=%s\\nlibdir=%s/lib\\n\" \
             $PREFIX $PREFIX > \"$STAGE\"/lib/pkgconfig/lib.pc'",
        );
        let prefix = clone.install();
        let id = Manifest::load(&prefix).unwrap().expect("a manifest").packages["lib"].clone();
        (
            id,
            fs::read(prefix.join("lib/liblib.a")).unwrap(),
            fs::read_to_string(prefix.join("lib/pkgconfig/lib.pc")).unwrap(),
        )
    };
    let (one, two) = (Clone::new(), Clone::new());
    assert_ne!(one.root(), two.root());
    let (first, second) = (build(&one), build(&two));
    assert!(first == second, "the files differ");
    assert_eq!(first.2, "prefix=${pcfiledir}/../..\nlibdir=${prefix}/lib\n");

    // Flags and compilers are part of the id, and a result with its path in it is refused.
    one.host("cc -pipe", "c++");
    one.recipe("lib", "install = 'mkdir -p \"$STAGE\"; echo \"$SRC\" > \"$STAGE\"/path'");
    assert!(one.error().contains("contains the path it was built at"));
}

#[test]
fn a_package_of_our_own_crates_is_built_by_the_machines_cargo() {
    let about = Command::new("rustc").arg("-vV").output().expect("cargo comes with rustc");
    let about = String::from_utf8(about.stdout).unwrap();
    let rust = about.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let write = |clone: &Clone, answer: u32| {
        fs::create_dir_all(clone.root().join("krate/src")).unwrap();
        let manifest =
            "[package]\nname = \"own\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n";
        fs::write(clone.root().join("krate/Cargo.toml"), manifest).unwrap();
        fs::write(clone.root().join("Cargo.toml"), "[workspace]\nmembers = [\"krate\"]\nresolver = \"3\"\n").unwrap();
        fs::write(clone.root().join("Cargo.lock"), "version = 4\n\n[[package]]\nname = \"own\"\nversion = \"1.0.0\"\n")
            .unwrap();
        let source = format!(
            "#[unsafe(no_mangle)]\npub extern \"C\" fn answer(by: u32) -> u32 {{ assert!(by > 1); {answer} / by }}\n"
        );
        fs::write(clone.root().join("krate/src/lib.rs"), source).unwrap();
        clone.recipe_from(
            "own",
            "tools = [\"cc\", \"cargo\"]\nlocal = [\"Cargo.toml\", \"Cargo.lock\", \"krate\"]\n\
             build = 'cargo build --release --manifest-path \"$SRC\"/Cargo.toml --target $RUST_TARGET --target-dir .'\n\
             install = 'mkdir -p \"$STAGE\"/lib; cp $RUST_TARGET/release/libown.so \"$STAGE\"/lib/'",
            &[],
        );
        fs::read(clone.install().join("lib/libown.so")).unwrap()
    };
    let (one, two) = (Clone::new(), Clone::new());
    for clone in [&one, &two] {
        let host = clone.root().join(format!("depends/hosts/{}.toml", clone.options.host));
        let text = fs::read_to_string(&host).unwrap();
        fs::write(&host, format!("rust = \"{rust}\"\n{text}")).unwrap();
    }
    let first = write(&one, 42);
    assert!(first == write(&two, 42), "the files differ");
    assert!(first != write(&one, 43), "a directory's files are part of the source");
}

#[test]
fn a_build_script_gets_its_package_and_leaves_the_others() {
    if runs_apart("depends::a_build_script_gets_its_package_and_leaves_the_others") {
        return;
    }
    let mut clone = Clone::new();
    clone.simple("base", &[], "x");
    clone.simple("engine", &["base"], "x");
    clone.simple("other", &[], "x");
    clone.options.set("MULTIPROCESS", "1").unwrap();
    let ensure = |package| depends::ensure(clone.root(), package).unwrap();
    let prefix = ensure("engine");
    assert_eq!(clone.ran(), ["base", "engine"]);
    assert!(prefix.join("share/engine").is_file() && !prefix.join("share/other").exists());
    clone.install();
    assert_eq!(clone.ran(), ["other"]);
    // What it does not need may be out of date.
    clone.simple("other", &[], "y");
    clone.simple("engine", &["base"], "y");
    ensure("engine");
    assert_eq!(clone.ran(), ["engine"]);
    assert_eq!(fs::read_to_string(prefix.join("share/other")).unwrap(), "x\n");
    ensure("engine");
    assert_eq!(clone.ran(), [""; 0]);
}

#[test]
fn a_prefix_follows_its_options_and_leaves_other_files_alone() {
    let mut clone = Clone::new();
    clone.simple("base", &[], "x");
    clone.recipe(
        "split",
        "when = [\"multiprocess\"]\ninstall = 'mkdir -p \"$STAGE\"/bin; echo x > \"$STAGE\"/bin/split'",
    );
    clone.options.set("MULTIPROCESS", "1").unwrap();
    let prefix = clone.install();
    assert!(Manifest::load(&prefix).unwrap().expect("a manifest").multiprocess);
    assert!(prefix.join("bin/split").is_file());
    fs::write(prefix.join("share/mine"), "").unwrap();
    clone.options.set("MULTIPROCESS", "0").unwrap();
    clone.install();
    assert!(!Manifest::load(&prefix).unwrap().expect("a manifest").multiprocess);
    assert!(!prefix.join("bin").exists() && prefix.join("share/mine").is_file() && prefix.join("share/base").is_file());
}

#[test]
fn a_damaged_archive_is_built_again() {
    let clone = Clone::new();
    clone.simple("base", &[], "x");
    let prefix = clone.install();
    assert_eq!(clone.ran(), ["base"]);
    fs::remove_dir_all(&prefix).unwrap();
    let dir = clone.options.cache.join(&clone.options.host);
    for entry in fs::read_dir(&dir).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "gz") {
            fs::write(&file, "half of it").unwrap();
        }
    }
    clone.install();
    assert_eq!(clone.ran(), ["base"]);
    assert!(prefix.join("share/base").is_file());
}
