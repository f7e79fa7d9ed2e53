//! `cargo xtask compatibility`: writes `doc/compatibility.md`, which says of each RPC command and option of Bitcoin Core
//! whether the node has it and which of the functional tests drive it.
//!
//! What is there is asked of the built programs, so that the document cannot claim more than they do; only the names of
//! the commands that Core has, of its tests that pass, and of what those use come from lists, because a program does not
//! know what it lacks, and Core's tests are not here.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::running::Node;
use super::test::Count;

/// Category and name of each RPC command of Core 31.99, one a line.
const CORE_COMMANDS: &str = include_str!("compatibility/core_commands.txt");
/// Which of Core's own tests pass: a list that is kept by hand, since they are not here to be run.
const CORE_TESTS: &str = include_str!("compatibility/core_tests.md");
/// Which of those tests use which command or option: its name and theirs, one a line. Written by `--core`.
const CORE_USES: &str = include_str!("compatibility/core_uses.txt");
/// Where that is.
const CORE_USES_FILE: &str = "xtask/src/commands/compatibility/core_uses.txt";
/// Commands whose names are also those of methods and messages in tests.
const COMMON_WORDS: [&str; 5] = ["generate", "ping", "send", "sendall", "stop"];
/// What the help text says of an option without effect.
const WITHOUT_EFFECT: &str = "(no effect in this version)";
/// What the help text says of an option that stops the start.
const REFUSED: &str = "(not available in this version)";
/// Where the document is.
const DOCUMENT: &str = "doc/compatibility.md";
/// Tests named for one entry.
const MOST_TESTS: usize = 3;

/// A functional test: its name and its text.
struct Test {
    name: String,
    text: String,
}

/// Asks the built programs and writes the document, or with `check` says whether it is as it would be written. `core` is a
/// checkout of Core, whose tests are read anew.
pub fn run(root: &Path, core: Option<&Path>, check: bool) -> Result<()> {
    let bin = root.join("src");
    let programs = Programs { commands: CORE_COMMANDS.lines().collect(), options: options(&bin)? };
    let mut uses = CORE_USES.to_owned();
    if let Some(core) = core {
        let dir = core.join("test/functional");
        let mut passing = tests(&dir)?;
        let names: Vec<String> = passing_tests();
        passing.retain(|test| names.contains(&test.name));
        if passing.len() != names.len() {
            bail!("{} does not have all tests of the list", dir.display());
        }
        uses = programs.uses(&passing);
        write(&root.join(CORE_USES_FILE), &uses)?;
    }
    let text = programs.document(&bin, &tests(&root.join("test/functional"))?, &uses)?;
    let file = root.join(DOCUMENT);
    if !check {
        write(&file, &text)?;
        println!("wrote {DOCUMENT}");
    } else if fs::read_to_string(&file).ok().as_ref() != Some(&text) {
        bail!("{DOCUMENT} is not true any more: run cargo xtask compatibility");
    }
    Ok(())
}

/// Counts the document as a test.
pub fn count(root: &Path) -> Count {
    match run(root, None, true) {
        Ok(()) => Count::of_one(DOCUMENT, true),
        Err(error) => {
            eprintln!("{error:#}");
            Count::of_one(DOCUMENT, false)
        }
    }
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// Names of Core's tests that pass: `| group | number | name, name |`.
fn passing_tests() -> Vec<String> {
    let rows = CORE_TESTS.lines().filter_map(|line| {
        let [group, number, names] = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect::<Vec<_>>()[..]
        else {
            return None;
        };
        number.parse::<usize>().ok()?;
        Some(names.split(", ").map(move |name| format!("{group}_{name}")))
    });
    rows.flatten().collect()
}

/// What the document is about.
struct Programs {
    /// Category and name of each command.
    commands: Vec<&'static str>,
    options: Vec<Entry>,
}

impl Programs {
    fn document(&self, bin: &Path, tests: &[Test], core_uses: &str) -> Result<String> {
        let mut text = String::from(
            "# What there is of Bitcoin Core\n\nWritten by `cargo xtask compatibility` from the built programs; do not edit. \
             Behind each entry are the tests of `test/functional` and of Core that use it.\n\n",
        );
        text.push_str(CORE_TESTS);
        let core = |name: &str| {
            let mut lines = core_uses.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            lines.next().map_or_else(Vec::new, |names| names.split(' ').collect())
        };
        let node = Node::start(bin, "bitcoind", "compatibility")?;
        let mut there = 0;
        let mut table = String::from("\n| command | category | there | tests | Core's |\n|---|---|---|---|---|\n");
        for (category, name) in self.commands()? {
            let reply = node.call("/", &format!(r#"{{"method":"help","params":["{name}"]}}"#))?;
            let known = !reply.contains("help: unknown command");
            there += usize::from(known);
            let state = if known { "yes" } else { "no" };
            let users = if known { users(tests, &command_needles(name)) } else { Vec::new() };
            row(&mut table, &format!("`{name}` | {category}"), state, &users, &core(name));
        }
        node.stop()?;
        let _ = writeln!(text, "\n## RPC commands\n\n{there} of {}.", self.commands.len());
        text.push_str(&table);
        let count = |state| self.options.iter().filter(|entry| entry.state == state).count();
        let _ = writeln!(
            text,
            "\n## Options\n\n{} of {} have an effect. {} tune something that is missing: they are accepted, and the log \
             names them at the start. {} promise privacy, safety or data that is missing: they stop the start.",
            count("yes"),
            self.options.len(),
            count("accepted"),
            count("refused")
        );
        text.push_str("\n| option | there | tests | Core's |\n|---|---|---|---|\n");
        for entry in &self.options {
            let name = &entry.name;
            let users = users(tests, &option_needles(name));
            row(&mut text, &format!("`-{name}`{}", entry.of), entry.state, &users, &core(&format!("-{name}")));
        }
        Ok(text)
    }

    fn commands(&self) -> Result<Vec<(&'static str, &'static str)>> {
        let split = self.commands.iter().map(|line| line.split_once(' '));
        split.collect::<Option<_>>().context("the list of commands has a line without a name")
    }

    /// Which of `tests` use which command or option.
    fn uses(&self, tests: &[Test]) -> String {
        let commands = self.commands.iter().filter_map(|line| line.split_once(' '));
        let commands = commands.map(|(_, name)| (name.to_owned(), command_needles(name)));
        let options = self.options.iter().map(|entry| (format!("-{}", entry.name), option_needles(&entry.name)));
        let mut text = String::new();
        for (name, needles) in commands.chain(options) {
            let users = users(tests, &needles);
            if !users.is_empty() {
                let _ = writeln!(text, "{name} {}", users.join(" "));
            }
        }
        text
    }
}

/// What a test holds that calls a command.
fn command_needles(name: &str) -> Vec<String> {
    let mut needles = vec![format!("rpc.{name}("), format!("rpc.{name},"), format!("node.{name},")];
    if COMMON_WORDS.contains(&name) {
        needles.push(format!("nodes[0].{name}("));
    } else {
        needles.extend([format!(".{name}("), format!("\"{name}\"")]);
    }
    needles
}

/// What a test holds that gives an option.
fn option_needles(name: &str) -> Vec<String> {
    let mut needles: Vec<String> = ['=', '"', '\''].iter().map(|end| format!("-{name}{end}")).collect();
    needles.extend([format!("-no{name}"), format!("\n{name}=")]);
    needles
}

/// Asks the programs for their options: those of the monolith, then what only the node of the split has.
fn options(bin: &Path) -> Result<Vec<Entry>> {
    let mut entries = help_entries(&help(bin, "bitcoind")?, "");
    let split = help_entries(&help(bin, "bitcoin-node")?, " (bitcoin-node)");
    entries.extend(
        split.into_iter().filter(|entry| !entries.iter().any(|known| known.name == entry.name)).collect::<Vec<_>>(),
    );
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// The help text of a program.
fn help(bin: &Path, program: &str) -> Result<String> {
    let program = bin.join(program);
    let output = Command::new(&program)
        .arg("-help-debug")
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    if !output.status.success() {
        bail!("{} -help-debug ended with {}", program.display(), output.status);
    }
    String::from_utf8(output.stdout).context("the help text is not UTF-8")
}

/// Names of the tests that hold one of `needles`.
fn users<'a>(tests: &'a [Test], needles: &[String]) -> Vec<&'a str> {
    let users = tests.iter().filter(|test| needles.iter().any(|needle| test.text.contains(needle)));
    users.map(|test| &*test.name).collect()
}

/// Adds a line with the tests that use an entry.
fn row(table: &mut String, head: &str, state: &str, own: &[&str], core: &[&str]) {
    let _ = writeln!(table, "| {head} | {state} | {} | {} |", some(own), some(core));
}

/// The first names of a list, and how many there are more.
fn some(names: &[&str]) -> String {
    let mut named = names.iter().take(MOST_TESTS).copied().collect::<Vec<_>>().join(", ");
    if names.len() > MOST_TESTS {
        let _ = write!(named, " and {} more", names.len() - MOST_TESTS);
    }
    named
}

/// An option in the help text.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    name: String,
    /// The program, if only one has it.
    of: &'static str,
    /// `yes` if it has its effect, `accepted` if it has none, `refused` if the node does not start with it.
    state: &'static str,
}

/// Reads the options off a help text: a line begins with two spaces and a dash, its description follows.
fn help_entries(help: &str, of: &'static str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for paragraph in help.split("\n\n") {
        let Some((_, option)) = paragraph.split_once("  -").filter(|(before, _)| before.is_empty()) else { continue };
        let (form, description) = option.split_once('\n').unwrap_or((option, ""));
        let name = form.split('=').next().unwrap_or(form);
        let words = description.split_whitespace().collect::<Vec<_>>().join(" ");
        let state = match () {
            () if words.contains(WITHOUT_EFFECT) => "accepted",
            () if words.contains(REFUSED) => "refused",
            () => "yes",
        };
        entries.push(Entry { name: name.to_owned(), of, state });
    }
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
                    effect in this version)\n\n  -proxy=<ip>\n       A proxy (not available\n       in this version)\n\nUsage: -x\n";
        let entry = |name: &str, state| Entry { name: name.to_owned(), of: "", state };
        let expected = [entry("alertnotify", "yes"), entry("txindex", "accepted"), entry("proxy", "refused")];
        assert_eq!(help_entries(help, ""), expected);
    }

    #[test]
    fn a_row_names_the_first_tests() {
        let test = |name: &str, text: &str| Test { name: name.into(), text: text.into() };
        let mut tests: Vec<Test> = ["a", "b", "c", "d", "e"].map(|name| test(name, "rpc.uptime()")).into();
        tests.push(test("f", "peer.ping() \"ping\" -uptime=1"));
        let mut table = String::new();
        row(&mut table, "`uptime`", "yes", &users(&tests, &command_needles("uptime")), &["x"]);
        row(&mut table, "`ping`", "no", &users(&tests, &command_needles("ping")), &[]);
        row(&mut table, "`-uptime`", "yes", &users(&tests, &option_needles("uptime")), &[]);
        let expected =
            "| `uptime` | yes | a, b, c and 2 more | x |\n| `ping` | no |  |  |\n| `-uptime` | yes | f |  |\n";
        assert_eq!(table, expected);
    }

    #[test]
    fn the_list_of_passing_tests_is_read() {
        let names = passing_tests();
        assert!(names.iter().any(|name| name == "feature_abortnode"), "{names:?}");
        assert!(names.iter().any(|name| name == "interface_ipc"), "{names:?}");
    }
}
