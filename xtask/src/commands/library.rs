//! What `cargo xtask install` puts beside the split programs for other people's: the library for C with its header, the
//! schemas, and how pkg-config finds them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use xtask::depends::{self, Options};
use xtask::library::{ARCHIVE, LINK, file_name, soname};

use super::build::Workspace;
use super::directories::Directories;
use super::install::{Item, What};

/// The package that the library is built from.
pub const PACKAGE: &str = "capi";

/// The package of `depends` that lists the schemas.
const SCHEMAS: &str = "bitcoin_ipc";

/// Where the schemas are in the clone.
const SCHEMA_DIR: &str = "schemas";

/// The directory of the schemas, below that of data.
pub const SHARED: &str = "bitcoin-ipc";

/// The list.
pub fn items(root: &Path, workspace: &Workspace, directories: &Directories) -> Result<Vec<Item>> {
    let Directories { lib, include, data, .. } = directories;
    let version = workspace.version(PACKAGE)?;
    let built = workspace.target_dir.join("release").join(format!("lib{PACKAGE}"));
    let file = file_name(version);
    let mut items = vec![
        Item { to: lib.join(&file), what: What::Library(built.with_extension("so")) },
        Item { to: lib.join(soname()), what: What::Link(file) },
        Item { to: lib.join(LINK), what: What::Link(soname()) },
        Item { to: lib.join(ARCHIVE), what: What::Library(built.with_extension("a")) },
        Item { to: include.join("multiprocess.h"), what: What::File(root.join("src/capi/include/multiprocess.h")) },
    ];
    for file in schemas(root)? {
        let to = data.join(SHARED).join(&file);
        items.push(Item { to, what: What::File(root.join(SCHEMA_DIR).join(file)) });
    }
    for (name, dir) in [("libmultiprocess", lib.join("pkgconfig")), ("bitcoin-ipc", data.join("pkgconfig"))] {
        let template = root.join("pkgconfig").join(format!("{name}.pc.in"));
        let text = fs::read_to_string(&template).with_context(|| format!("cannot read {}", template.display()))?;
        items.push(Item { to: dir.join(format!("{name}.pc")), what: What::Text(fill_in(&text, directories, version)) });
    }
    Ok(items)
}

/// The schemas that other people's programs need, relative to where schemas are.
fn schemas(root: &Path) -> Result<Vec<String>> {
    let files = depends::local_files(&Options::new(root)?, SCHEMAS)?;
    Ok(files.iter().filter_map(|file| file.strip_prefix(SCHEMA_DIR)?.strip_prefix('/')).map(str::to_owned).collect())
}

/// Fills in a template of pkg-config. What is below the prefix is said so, so that both can be moved.
fn fill_in(template: &str, directories: &Directories, version: &str) -> String {
    let Directories { prefix, lib, include, data, .. } = directories;
    let in_terms_of = |variable: &str, dir: &Path| match dir.strip_prefix(prefix) {
        Ok(below) => format!("${{{variable}}}/{}", below.display()),
        Err(_) => dir.display().to_string(),
    };
    template
        .replace("@prefix@", &prefix.display().to_string())
        .replace("@libdir@", &in_terms_of("exec_prefix", lib))
        .replace("@includedir@", &in_terms_of("prefix", include))
        .replace("@datadir@", &in_terms_of("prefix", data))
        .replace("@version@", version)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn directories(given: &[(&str, &str)]) -> Directories {
        let given = given.iter().map(|(name, dir)| ((*name).to_owned(), dir.into())).collect();
        Directories::new(Path::new("/usr"), &given).expect("they resolve")
    }

    #[test]
    fn what_is_installed_goes_where_it_was_told() {
        let root = xtask::paths::root().expect("tests run in a clone");
        let workspace = Workspace::load(&root).expect("it is one");
        let given = [("libdir", "/L"), ("includedir", "/I"), ("datadir", "/D")];
        for item in items(&root, &workspace, &directories(&given)).expect("templates are there") {
            let place = match &item.what {
                What::Library(_) | What::Link(_) => "/L",
                What::Text(text) if text.contains("Libs:") => "/L/pkgconfig",
                What::Text(_) => "/D/pkgconfig",
                What::File(from) if from.extension().is_some_and(|end| end == "h") => "/I",
                _ => "/D/bitcoin-ipc",
            };
            assert!(item.to.starts_with(place), "{} is not below {place}", item.to.display());
        }
    }

    #[test]
    fn templates_are_filled_in() {
        let check = |given: &[(&str, &str)], expected: &str| {
            let template = "@prefix@ @libdir@ @includedir@ @datadir@ @version@";
            assert_eq!(fill_in(template, &directories(given), "31.99.0"), expected);
        };
        check(&[], "/usr ${exec_prefix}/lib ${prefix}/include ${prefix}/share 31.99.0");
        check(
            &[("libdir", "lib/x86_64-linux-gnu"), ("datadir", "/usr/data"), ("includedir", "${prefix}/include/x")],
            "/usr ${exec_prefix}/lib/x86_64-linux-gnu ${prefix}/include/x ${prefix}/data 31.99.0",
        );
        check(&[("libdir", "/opt/lib"), ("includedir", "/i"), ("datadir", "/d")], "/usr /opt/lib /i /d 31.99.0");
    }

    #[test]
    fn flags_hold_together_where_the_prefix_has_a_space() {
        let root = xtask::paths::root().expect("tests run in a clone");
        let template = fs::read_to_string(root.join("pkgconfig/libmultiprocess.pc.in")).expect("it is there");
        let place = tempfile::tempdir().expect("temporary directory");
        let spaced = Directories::new(Path::new("/opt/my node"), &Default::default()).expect("they resolve");
        fs::write(place.path().join("libmultiprocess.pc"), fill_in(&template, &spaced, "1")).expect("written");
        let output = std::process::Command::new("pkg-config")
            .args(["--cflags", "--libs", "libmultiprocess"])
            .env("PKG_CONFIG_LIBDIR", place.path())
            .env_remove("PKG_CONFIG_PATH")
            .output()
            .expect("configure asks for pkg-config");
        // What a shell or a makefile takes for one word.
        let expected = "-I/opt/my\\ node/include -L/opt/my\\ node/lib -lmultiprocess";
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected);
    }

    #[test]
    fn the_schemas_are_what_the_bootstrap_interface_needs_and_no_more() {
        let root = xtask::paths::root().expect("tests run in a clone");
        let mut needed = BTreeSet::new();
        let mut open = vec!["client/introduction.capnp".to_owned()];
        while let Some(file) = open.pop() {
            let text = fs::read_to_string(root.join(SCHEMA_DIR).join(&file)).expect("it is imported");
            let imports = text.lines().filter_map(|line| line.split_once("import \"")?.1.split_once('"'));
            open.extend(imports.map(|(name, _)| name.trim_start_matches('/').to_owned()));
            // Those of Cap'n Proto itself come with it.
            open.retain(|file| !file.starts_with("capnp/"));
            needed.insert(file);
            open.retain(|file| !needed.contains(file));
        }
        assert_eq!(schemas(&root).expect("the recipe is right").into_iter().collect::<BTreeSet<_>>(), needed);
        // And the packages of depends have the version of the rest.
        let options = Options::new(&root).expect("this machine has a name");
        for name in ["bitcoin_ipc_version", "libmultiprocess_version"] {
            assert_eq!(depends::variable(&options, name).expect("it is there"), env!("CARGO_PKG_VERSION"));
        }
    }
}
