//! The command line of `./configure`: GNU's, because packaging tools pass all that is usual there, whatever is built.
//!
//! What has no meaning here is taken and ignored, with one line where GNU's has one. **Invariant:** anything else that is
//! not known is an error.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::super::directories::CHOICES;

/// Options with a value that say nothing about what we install.
const IGNORED: [&str; 18] = [
    "cache-file",
    "docdir",
    "dvidir",
    "htmldir",
    "infodir",
    "localedir",
    "localstatedir",
    "oldincludedir",
    "pdfdir",
    "program-prefix",
    "program-suffix",
    "program-transform-name",
    "psdir",
    "runstatedir",
    "sbindir",
    "sharedstatedir",
    "srcdir",
    "sysconfdir",
];

/// The same without.
const IGNORED_FLAGS: [&str; 6] = ["--config-cache", "-C", "--quiet", "--silent", "-q", "--verbose"];

/// Variables of compilers and their flags that count for the build.
const VARIABLES: [&str; 8] = ["AR", "CC", "CFLAGS", "CPPFLAGS", "CXX", "CXXFLAGS", "LDFLAGS", "RANLIB"];

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Where to install to.
    pub prefix: Option<PathBuf>,
    /// Directories below or beside it, by their names.
    pub directories: BTreeMap<String, PathBuf>,
    /// Whether the split programs are built.
    pub multiprocess: Option<bool>,
    /// Compilers and their flags, by the names of their variables.
    pub variables: BTreeMap<String, String>,
    /// Features and packages that do not exist.
    pub unknown: Vec<String>,
}

impl Options {
    /// Reads the words.
    pub fn parse(words: &[String]) -> Result<Options> {
        let mut options = Options::default();
        let (mut build, mut host, mut checked) = (None, None, true);
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word.as_str(), None),
            };
            let option = name.strip_prefix("--").unwrap_or_default();
            // A word after the option is its value, too.
            let mut value_of = || {
                let value = value.or_else(|| words.next().map(String::as_str));
                value.map(str::to_owned).with_context(|| format!("{name} needs a value"))
            };
            match option {
                "prefix" => options.prefix = Some(value_of()?.into()),
                "build" => build = Some(value_of()?),
                "host" => host = Some(value_of()?),
                "target" => drop(value_of()?),
                "enable-multiprocess" | "disable-multiprocess" => {
                    let on = (option == "enable-multiprocess") == (value != Some("no"));
                    if options.multiprocess.is_some_and(|before| before != on) {
                        bail!("--enable-multiprocess and --disable-multiprocess exclude each other");
                    }
                    options.multiprocess = Some(on);
                }
                "disable-option-checking" => checked = false,
                _ if CHOICES.iter().any(|(choice, _)| *choice == option) => {
                    options.directories.insert(option.to_owned(), value_of()?.into());
                }
                "program-prefix" | "program-suffix" | "program-transform-name" => {
                    // rpm passes empty ones.
                    if !value_of()?.is_empty() {
                        bail!("{word}: programs find each other by their names, so these cannot be changed");
                    }
                }
                _ if IGNORED.contains(&option) => drop(value_of()?),
                _ if IGNORED_FLAGS.contains(&name) => {}
                _ if ["enable-", "disable-", "with-", "without-"].iter().any(|kind| option.starts_with(kind)) => {
                    options.unknown.push(name.to_owned());
                }
                _ if VARIABLES.contains(&name) && value.is_some() => {
                    let value = value_of()?;
                    if shlex::split(&value).is_none() {
                        bail!("{word}: a quote is not closed");
                    }
                    options.variables.insert(name.to_owned(), value);
                }
                _ => bail!("unexpected option: {word}; ./configure --help lists what there is"),
            }
        }
        if !checked {
            options.unknown.clear();
        }
        if let Some(host) = host
            && crosses(&host, build.as_deref())
        {
            bail!("--host={host} is not this machine, and programs are built for it only");
        }
        Ok(options)
    }
}

/// Whether a build would be for another machine.
fn crosses(host: &str, build: Option<&str>) -> bool {
    match build {
        Some(build) => host != build,
        None => host.split('-').next() != Some(std::env::consts::ARCH),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        Options::parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn what_packaging_tools_pass_is_taken() {
        let names = |options: &Options| -> Vec<String> {
            options.directories.iter().map(|(name, dir)| format!("{name} {}", dir.display())).collect()
        };
        // debhelper
        let options = parse(
            "--build=x86_64-linux-gnu --prefix=/usr --includedir=${prefix}/include --mandir=${prefix}/share/man \
             --infodir=${prefix}/share/info --sysconfdir=/etc --localstatedir=/var --disable-option-checking \
             --disable-silent-rules --libdir=${prefix}/lib/x86_64-linux-gnu --runstatedir=/run \
             --disable-maintainer-mode --disable-dependency-tracking",
        )
        .expect("it is taken");
        let expected =
            ["includedir ${prefix}/include", "libdir ${prefix}/lib/x86_64-linux-gnu", "mandir ${prefix}/share/man"];
        assert_eq!((names(&options), &options.unknown[..]), (expected.map(str::to_owned).to_vec(), &[][..]));
        // rpm
        let options = parse(
            "--build=x86_64-redhat-linux-gnu --host=x86_64-redhat-linux-gnu --program-prefix= \
             --disable-dependency-tracking --prefix=/usr --exec-prefix=/usr --bindir=/usr/bin --sbindir=/usr/sbin \
             --sysconfdir=/etc --datadir=/usr/share --includedir=/usr/include --libdir=/usr/lib64 \
             --libexecdir=/usr/libexec --localstatedir=/var --sharedstatedir=/var/lib --mandir=/usr/share/man \
             --infodir=/usr/share/info --enable-multiprocess --with-teapot=blue --quiet",
        )
        .expect("it is taken");
        assert_eq!(options.unknown, ["--disable-dependency-tracking", "--with-teapot"]);
        assert_eq!((options.directories.len(), options.multiprocess), (7, Some(true)));
    }

    #[test]
    fn values_may_be_words_of_their_own() {
        let options = parse("--prefix /x --mandir /m --sysconfdir /etc --enable-multiprocess=no").expect("it is taken");
        assert_eq!((options.prefix, options.multiprocess), (Some("/x".into()), Some(false)));
        assert_eq!(options.directories, BTreeMap::from([("mandir".to_owned(), PathBuf::from("/m"))]));
    }

    #[test]
    fn compilers_and_flags_are_recorded() {
        let words = ["CC=gcc", "CXXFLAGS=-O2 -g", "LDFLAGS=", "CC=clang"].map(str::to_owned);
        let options = Options::parse(&words).expect("it is taken");
        let expected = [("CC", "clang"), ("CXXFLAGS", "-O2 -g"), ("LDFLAGS", "")];
        assert_eq!(options.variables, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        let check = |line: &str, expected: &str| {
            let error = parse(line).expect_err(line).to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("--teapot", "unexpected option: --teapot;");
        check("teapot", "unexpected option: teapot;");
        check("CC", "unexpected option: CC;");
        check("LDFLAGS='-L/x", "LDFLAGS='-L/x: a quote is not closed");
        check("TEAPOT=blue", "unexpected option: TEAPOT=blue;");
        check("--prefix", "--prefix needs a value");
        check("--program-prefix=x-", "--program-prefix=x-: programs find each other");
        check("--build=x86_64-linux-gnu --host=riscv64-linux-gnu", "--host=riscv64-linux-gnu is not this machine");
        check("--host=pdp11-dec-unix", "--host=pdp11-dec-unix is not this machine");
        check("--enable-multiprocess --disable-multiprocess", "exclude each other");
    }
}
