//! `cargo xtask compatibility`: writes `doc/compatibility.md`, which says of each RPC command and option of Bitcoin Core
//! whether the node has it and which of the functional tests drive it.
//!
//! What is there is asked of the built programs, so that the document cannot claim more than they do; only the names of
//! the commands that Core has, and of its tests that pass, come from lists, because a program does not know what it lacks.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::running::Node;

/// Category and name of each RPC command of Core 31.99, one a line.
const CORE_COMMANDS: &str = include_str!("compatibility/core_commands.txt");
/// Which of Core's own tests pass: a list that is kept by hand, since they are not here to be run.
const CORE_TESTS: &str = include_str!("compatibility/core_tests.md");
/// What the help text says of an option without effect.
const WITHOUT_EFFECT: &str = "(no effect in this version)";
/// Where the document is.
const DOCUMENT: &str = "doc/compatibility.md";
/// Tests named for one entry.
const MOST_TESTS: usize = 3;

/// A functional test: its name and its text.
struct Test {
    name: String,
    text: String,
}

/// Asks the built programs and writes the document.
pub fn run(root: &Path) -> Result<()> {
    let bin = root.join("src");
    let tests = tests(&root.join("test/functional"))?;
    let mut text = String::from(
        "# What there is of Bitcoin Core\n\nWritten by `cargo xtask compatibility` from the built programs; do not edit. \
         The tests named are those of `test/functional` that use the entry.\n\n",
    );
    text.push_str(CORE_TESTS);
    commands(&bin, &tests, &mut text)?;
    options(&bin, &tests, &mut text)?;
    let file = root.join(DOCUMENT);
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    println!("wrote {DOCUMENT}");
    Ok(())
}

/// Adds the table of RPC commands.
fn commands(bin: &Path, tests: &[Test], text: &mut String) -> Result<()> {
    let node = Node::start(bin, "bitcoind", "compatibility")?;
    let (mut there, mut all) = (0, 0);
    let mut table = String::from("\n| command | category | there | tests |\n|---|---|---|---|\n");
    for line in CORE_COMMANDS.lines() {
        let (category, name) = line.split_once(' ').context("the list of commands has a line without a name")?;
        let reply = node.call("/", &format!(r#"{{"method":"help","params":["{name}"]}}"#))?;
        let known = !reply.contains("help: unknown command");
        all += 1;
        there += usize::from(known);
        let needles = [format!(".{name}("), format!("\"{name}\""), format!("rpc.{name},")];
        row(&mut table, &format!("`{name}` | {category}"), if known { "yes" } else { "no" }, tests, &needles);
    }
    node.stop()?;
    let _ = writeln!(text, "\n## RPC commands\n\n{there} of {all}.");
    text.push_str(&table);
    Ok(())
}

/// Adds the table of options, as the help text lists them.
fn options(bin: &Path, tests: &[Test], text: &mut String) -> Result<()> {
    let program = bin.join("bitcoind");
    let output = Command::new(&program)
        .arg("-help-debug")
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    if !output.status.success() {
        bail!("{} -help-debug ended with {}", program.display(), output.status);
    }
    let help = String::from_utf8(output.stdout).context("the help text is not UTF-8")?;
    let entries = help_entries(&help);
    let there = entries.iter().filter(|entry| entry.effective).count();
    let _ = writeln!(text, "\n## Options\n\n{there} of {} have an effect; the others are accepted.", entries.len());
    text.push_str("\n| option | there | tests |\n|---|---|---|\n");
    for entry in &entries {
        let name = &entry.name;
        let needles = [format!("-{name}="), format!("-{name}\""), format!("-no{name}"), format!("\n{name}=")];
        row(text, &format!("`-{name}`"), if entry.effective { "yes" } else { "accepted" }, tests, &needles);
    }
    Ok(())
}

/// Adds a line with the tests that hold one of `needles`.
fn row(table: &mut String, head: &str, state: &str, tests: &[Test], needles: &[String]) {
    let users: Vec<&str> = tests
        .iter()
        .filter(|test| needles.iter().any(|needle| test.text.contains(needle)))
        .map(|test| &*test.name)
        .collect();
    let mut named = users.iter().take(MOST_TESTS).copied().collect::<Vec<_>>().join(", ");
    if users.len() > MOST_TESTS {
        let _ = write!(named, " and {} more", users.len() - MOST_TESTS);
    }
    let _ = writeln!(table, "| {head} | {state} | {named} |");
}

/// An option in the help text.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    name: String,
    effective: bool,
}

/// Reads the options off a help text: a line begins with two spaces and a dash, its description follows.
fn help_entries(help: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for paragraph in help.split("\n\n") {
        let Some((_, option)) = paragraph.split_once("  -").filter(|(before, _)| before.is_empty()) else { continue };
        let (form, description) = option.split_once('\n').unwrap_or((option, ""));
        let name = form.split('=').next().unwrap_or(form);
        let words: Vec<&str> = description.split_whitespace().collect();
        entries.push(Entry { name: name.to_owned(), effective: !words.join(" ").contains(WITHOUT_EFFECT) });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

/// Reads the functional tests.
fn tests(dir: &Path) -> Result<Vec<Test>> {
    let mut tests = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = entry?.path();
        let Some(name) = path.file_stem().and_then(|stem| stem.to_str()).filter(|name| *name != "test_runner") else {
            continue;
        };
        if path.extension().is_some_and(|extension| extension == "py") {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            tests.push(Test { name: name.to_owned(), text });
        }
    }
    tests.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_off_the_help_text() {
        let help = "Options:\n\n  -alertnotify=<cmd>\n       Run <cmd>\n\n  -txindex\n       Keep an index (default: 0) (no\n       \
                    effect in this version)\n\nUsage: -x\n";
        let entry = |name: &str, effective| Entry { name: name.to_owned(), effective };
        assert_eq!(help_entries(help), [entry("alertnotify", true), entry("txindex", false)]);
    }

    #[test]
    fn a_row_names_the_first_tests() {
        let tests: Vec<Test> =
            ["a", "b", "c", "d", "e"].map(|name| Test { name: name.into(), text: "rpc.stop()".into() }).into();
        let mut table = String::new();
        row(&mut table, "`stop`", "yes", &tests, &[".stop(".to_owned()]);
        row(&mut table, "`ping`", "no", &tests, &[".ping(".to_owned()]);
        assert_eq!(table, "| `stop` | yes | a, b, c and 2 more |\n| `ping` | no |  |\n");
    }
}
