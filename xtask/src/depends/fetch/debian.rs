//! Fetching the upstream tarball in a Debian source package, under an apt configuration of its own.
//!
//! The archive's address and key come from the machine's apt sources at run time; the machine's own lists and state are
//! neither read nor written, and no rights are needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::Options;
use crate::system;

/// An archive the machine's apt knows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Archive {
    uri: String,
    signed_by: Option<String>,
}

/// Fetches the file `file` of the source package `source` as of `suite`.
pub(super) fn fetch(source: &str, suite: &str, file: &str, to: &Path, options: &Options) -> Result<()> {
    if system::which("apt-get").is_none() {
        bail!("Debian source package {source}: this machine has no apt-get");
    }
    let archive = machine_archive(Path::new("/etc/apt"), &release_codename()?)
        .with_context(|| format!("Debian source package {source}: apt's sources name no Debian archive"))?;
    let dir = options.work_dir().join("apt").join(suite);
    let downloads = dir.join("downloads");
    for sub in ["lists/partial", "cache/archives/partial", "downloads"] {
        fs::create_dir_all(dir.join(sub)).with_context(|| format!("cannot create {}", dir.display()))?;
    }
    let signed_by = archive.signed_by.map(|key| format!("[signed-by={key}] ")).unwrap_or_default();
    fs::write(dir.join("sources.list"), format!("deb-src {signed_by}{} {suite} main\n", archive.uri))?;
    fs::write(dir.join("status"), "")?;
    let apt = |args: &[&str]| -> Result<()> {
        let mut command = Command::new("apt-get");
        for setting in settings(&dir) {
            command.arg("-o").arg(setting);
        }
        let output = command.args(args).current_dir(&downloads).env("LC_ALL", "C").stdin(Stdio::null()).output()?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            let line = text.lines().rfind(|line| line.starts_with("E:")).or(text.lines().last()).unwrap_or("failed");
            bail!("Debian source package {source} of {suite}: {}", line.trim());
        }
        Ok(())
    };
    let get = ["source", "--tar-only", "--download-only", source];
    // The lists of a moment ago will do, and those of long ago are brought up to date when they no longer do.
    if apt(&get).is_err() || !downloads.join(file).is_file() {
        apt(&["update"])?;
        apt(&get)?;
    }
    let got = downloads.join(file);
    if !got.is_file() {
        bail!("Debian source package {source} of {suite} no longer has {file}");
    }
    super::copy(&got, to)?;
    let _ = fs::remove_dir_all(&downloads);
    Ok(())
}

/// Settings that keep apt inside `dir`. Proxies and the like stay as the machine has them.
fn settings(dir: &Path) -> Vec<String> {
    let dir = dir.display();
    vec![
        format!("Dir::Etc::sourcelist={dir}/sources.list"),
        "Dir::Etc::sourceparts=-".to_owned(),
        "Dir::Etc::preferences=-".to_owned(),
        "Dir::Etc::preferencesparts=-".to_owned(),
        format!("Dir::State={dir}"),
        format!("Dir::State::lists={dir}/lists"),
        format!("Dir::State::status={dir}/status"),
        format!("Dir::Cache={dir}/cache"),
        // The download user could not enter a clone in somebody's home.
        "APT::Sandbox::User=".to_owned(),
        // Otherwise an update that got nothing counts as one that worked.
        "APT::Update::Error-Mode=any".to_owned(),
        "Acquire::Languages=none".to_owned(),
        "Acquire::Retries=2".to_owned(),
        "Acquire::http::Timeout=15".to_owned(),
        "Acquire::https::Timeout=15".to_owned(),
    ]
}

fn release_codename() -> Result<String> {
    let text = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    match (value("ID").as_deref(), value("VERSION_CODENAME")) {
        (Some("debian"), Some(codename)) => Ok(codename),
        _ => bail!("this machine is not Debian"),
    }
}

/// The archive that the machine takes its release from.
fn machine_archive(etc: &Path, codename: &str) -> Option<Archive> {
    let mut files = vec![etc.join("sources.list")];
    if let Ok(entries) = fs::read_dir(etc.join("sources.list.d")) {
        let mut parts: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        parts.sort();
        files.extend(parts);
    }
    files.iter().find_map(|file| {
        let text = fs::read_to_string(file).ok()?;
        match file.extension()?.to_str()? {
            "list" => in_one_line_style(&text, codename),
            "sources" => in_deb822_style(&text, codename),
            _ => None,
        }
    })
}

/// `deb [options] URI SUITE COMPONENT...`
fn in_one_line_style(text: &str, codename: &str) -> Option<Archive> {
    text.lines().find_map(|line| {
        let rest = line.trim().strip_prefix("deb ").or_else(|| line.trim().strip_prefix("deb-src "))?.trim_start();
        let (bracket, rest) = match rest.strip_prefix('[') {
            Some(inner) => inner.split_once(']')?,
            None => ("", rest),
        };
        let mut words = rest.split_whitespace();
        let (uri, suite) = (words.next()?, words.next()?);
        let signed_by = bracket.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
        (is_release(suite, codename) && words.any(|word| word == "main"))
            .then(|| Archive { uri: uri.to_owned(), signed_by: signed_by.map(str::to_owned) })
    })
}

/// Paragraphs of `Field: value` lines.
fn in_deb822_style(text: &str, codename: &str) -> Option<Archive> {
    text.split("\n\n").find_map(|paragraph| {
        let field = |name: &str| {
            paragraph.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        if field("Enabled").is_some_and(|value| value.eq_ignore_ascii_case("no")) {
            return None;
        }
        let matches = field("Suites")?.split_whitespace().any(|suite| is_release(suite, codename))
            && field("Components")?.split_whitespace().any(|component| component == "main");
        let uri = field("URIs")?.split_whitespace().next()?.to_owned();
        // An embedded key is not a file name and cannot be passed on in a one-line source.
        let signed_by = field("Signed-By").filter(|key| key.starts_with('/'));
        matches.then_some(Archive { uri, signed_by })
    })
}

fn is_release(suite: &str, codename: &str) -> bool {
    suite == codename || matches!(suite, "stable" | "oldstable" | "testing" | "unstable")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(style: fn(&str, &str) -> Option<Archive>, text: &str, expected: Option<(&str, Option<&str>)>) {
        let expected = expected.map(|(uri, key)| Archive { uri: uri.to_owned(), signed_by: key.map(str::to_owned) });
        assert_eq!(style(text, "bookworm"), expected, "{text}");
    }

    #[test]
    fn archives_are_read_from_both_styles() {
        let line = in_one_line_style;
        check(line, "deb http://m.example/debian bookworm main", Some(("http://m.example/debian", None)));
        check(line, "# deb http://m.example/debian bookworm main", None);
        check(line, "deb http://m.example/sec bookworm-security main", None);
        check(line, "deb http://tool.example/apt cloud main", None);
        check(
            line,
            "deb [arch=amd64 signed-by=/k.gpg] http://m.example/debian stable main contrib",
            Some(("http://m.example/debian", Some("/k.gpg"))),
        );
        let fields = in_deb822_style;
        check(
            fields,
            "Types: deb\n# note\nURIs: http://m.example/d\nSuites: bookworm bookworm-updates\nComponents: main\n\
             Signed-By: /k.gpg\n",
            Some(("http://m.example/d", Some("/k.gpg"))),
        );
        check(fields, "Types: deb\nURIs: http://t.example/\nSuites: nodistro\nComponents: main\n", None);
        check(fields, "Enabled: no\nURIs: http://t.example/\nSuites: bookworm\nComponents: main\n", None);
    }
}
