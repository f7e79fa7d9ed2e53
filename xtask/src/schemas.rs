//! Schema ordinals are append-only: other people's programs speak the ones that were published.
//!
//! A golden file lists every id, field, enumerant and method. What it lists must stay; what is new must be added to it by
//! `cargo xtask tidy --bless`, which refuses to change or drop a line. A method may get further parameters and results at
//! the end, since those are fields of an implicit struct.
//!
//! It is in the library for the build script of `ipc`, in which what is recorded and was changed is an error.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Where they are recorded, in the clone.
pub const GOLDEN: &str = "xtask/golden/schemas.txt";

/// A member's place (file, scope, ordinal) and its declaration.
type Members = BTreeMap<String, String>;

/// Returns what was recorded and is no longer so: the build fails with it.
///
/// # Errors
/// When a file cannot be read.
pub fn changed(root: &Path) -> Result<Vec<String>> {
    Ok(broken(&load_golden(root)?, &load_schemas(root)?))
}

/// Compares the schemas with the golden file: what changed, and what is not recorded yet.
///
/// # Errors
/// When a file cannot be read.
pub fn ordinals(root: &Path) -> Result<Vec<String>> {
    let (golden, now) = (load_golden(root)?, load_schemas(root)?);
    let mut problems = broken(&golden, &now);
    let mut fresh: BTreeMap<&str, usize> = BTreeMap::new();
    for place in now.keys().filter(|place| !golden.contains_key(*place)) {
        *fresh.entry(place.split(' ').next().unwrap_or(place)).or_default() += 1;
    }
    problems.extend(
        fresh.iter().map(|(file, count)| format!("{file} has {count} new ordinals; run cargo xtask tidy --bless")),
    );
    Ok(problems)
}

/// Adds what is new to the golden file.
///
/// # Errors
/// When something published was changed or dropped.
pub fn bless(root: &Path) -> Result<()> {
    let now = load_schemas(root)?;
    let problems = broken(&load_golden(root)?, &now);
    if !problems.is_empty() {
        bail!("published ordinals were changed: {}", problems.join("; "));
    }
    let text: String = now.iter().map(|(place, text)| format!("{place}\t{text}\n")).collect();
    let file = root.join(GOLDEN);
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir)?;
    }
    fs::write(&file, text).with_context(|| format!("cannot write {GOLDEN}"))
}

fn load_golden(root: &Path) -> Result<Members> {
    match fs::read_to_string(root.join(GOLDEN)) {
        Ok(text) => Ok(text
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .map(|(place, text)| (place.to_owned(), text.to_owned()))
            .collect()),
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(Members::new()),
        Err(err) => Err(err).with_context(|| format!("cannot read {GOLDEN}")),
    }
}

fn load_schemas(root: &Path) -> Result<Members> {
    let mut members = Members::new();
    // Schemas of tests are nobody else's.
    for dir in ["schemas", "schemas/client", "schemas/mp"] {
        for entry in fs::read_dir(root.join(dir)).with_context(|| format!("cannot read {dir}"))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.ends_with(".capnp") {
                let file = format!("{dir}/{name}");
                let text = fs::read_to_string(root.join(&file)).with_context(|| format!("cannot read {file}"))?;
                members.extend(parse(&file, &text));
            }
        }
    }
    Ok(members)
}

fn broken(golden: &Members, now: &Members) -> Vec<String> {
    golden
        .iter()
        .filter_map(|(place, old)| {
            let new = now.get(place);
            if new.is_some_and(|new| extends(old, new)) {
                return None;
            }
            Some(match (moved(place, old, now), new) {
                (Some(text), _) => text,
                (None, None) => format!("{place} ({old}) is gone"),
                (None, Some(new)) => format!("{place} was {old} and is now {new}"),
            })
        })
        .collect()
}

/// Says where a method, field or enumerant is now that has got another ordinal.
fn moved(place: &str, old: &str, now: &Members) -> Option<String> {
    let (scope, ordinal) = place.rsplit_once(' ')?;
    let name = |declaration: &str| declaration.split(' ').next().map(str::to_owned);
    let found = now.iter().find_map(|(place, text)| {
        let (other, ordinal) = place.rsplit_once(' ')?;
        (other == scope && name(text) == name(old)).then_some(ordinal)
    });
    // The names of structs are in the scope of the file, which has ids.
    let found = found.filter(|_| !ordinal.starts_with("@0x"))?;
    let (file, scope) = scope.split_once(' ')?;
    (found != ordinal).then(|| {
        format!("{file}: {scope}.{} is recorded as {ordinal} and is now {found}", name(old).unwrap_or_default())
    })
}

/// Whether a declaration is the old one, or the old method with more parameters or results.
fn extends(old: &str, new: &str) -> bool {
    let lists = |text: &str| -> Vec<String> { text.split("->").map(|list| list.trim().to_owned()).collect() };
    let (old, new) = (lists(old), lists(new));
    let longer = |(old, new): (&String, &String)| {
        old == new
            || old.strip_suffix(')').is_some_and(|open| {
                new.strip_prefix(open).is_some_and(|rest| open.ends_with('(') || rest.starts_with(','))
            })
    };
    old.len() == new.len() && old.iter().zip(&new).all(longer)
}

/// Every declaration with an ordinal or id, by scope. Annotations do not count.
fn parse(file: &str, text: &str) -> Members {
    let mut members = Members::new();
    let mut scopes: Vec<String> = Vec::new();
    let mut statement = String::new();
    let mut quoted = false;
    for line in text.lines() {
        for character in strip_comment(line).chars() {
            match character {
                '"' => quoted = !quoted,
                '{' if !quoted => {
                    record(&mut members, file, &scopes, &statement);
                    scopes.push(name_of_scope(&statement));
                    statement.clear();
                    continue;
                }
                '}' if !quoted => {
                    scopes.pop();
                    statement.clear();
                    continue;
                }
                ';' if !quoted => {
                    record(&mut members, file, &scopes, &statement);
                    statement.clear();
                    continue;
                }
                _ => {}
            }
            statement.push(character);
        }
        statement.push(' ');
    }
    members
}

fn strip_comment(line: &str) -> &str {
    let mut quoted = false;
    for (at, character) in line.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '#' if !quoted => return &line[..at],
            _ => {}
        }
    }
    line
}

/// `struct Name @0x… $annotation` → `Name`; `name :group` and `union` → themselves.
fn name_of_scope(header: &str) -> String {
    let mut words = header.split_whitespace();
    match (words.next(), words.next()) {
        (Some("struct" | "interface" | "enum"), Some(name)) => name.split(['(', '@']).next().unwrap_or(name).to_owned(),
        (Some(word), _) => word.trim_start_matches(':').to_owned(),
        (None, _) => String::new(),
    }
}

fn record(members: &mut Members, file: &str, scopes: &[String], statement: &str) {
    let plain = strip_annotations(statement);
    let words: Vec<&str> = plain.split_whitespace().collect();
    let text = words.join(" ").replace("( ", "(").replace(" )", ")").replace(" ,", ",").replace(": ", ":");
    let Some(at) = text.find('@') else { return };
    let ordinal: String = text[at + 1..].chars().take_while(char::is_ascii_alphanumeric).collect();
    if !ordinal.starts_with(|first: char| first.is_ascii_digit()) {
        return;
    }
    // An unnamed union does not change the place of its fields in the struct.
    let scope: Vec<&str> = scopes.iter().map(String::as_str).filter(|scope| *scope != "union").collect();
    let scope = if scope.is_empty() { "file".to_owned() } else { scope.join(".") };
    members.insert(format!("{file} {scope} @{ordinal}"), text);
}

/// Cuts `$Annotation` and `$Annotation(…)`.
fn strip_annotations(statement: &str) -> String {
    let mut text = String::new();
    let mut rest = statement;
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        rest = rest[at + 1..].trim_start_matches(|c: char| c.is_alphanumeric() || c == '.' || c == '_');
        if rest.starts_with('(') {
            rest = &rest[closing(rest)..];
        }
    }
    text.push_str(rest);
    text
}

/// The offset after the parenthesis that closes the one the text starts with.
fn closing(text: &str) -> usize {
    let (mut depth, mut quoted) = (0, false);
    for (at, character) in text.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"
        @0x888b4f7f51e691f7; # the file
        using Proxy = import "/mp/proxy.capnp";
        $Cxx.namespace("a;b");
        interface Chain $Proxy.wrap("x::Chain") {
            height @0 (context :Proxy.Context) -> (result :Int32, hasResult :Bool);
            stop @1 () -> ();
        }
        struct Block @0x1234 {
            union { hash @0 :Data $Proxy.name("h"); none @1 :Void; }
        }
    "#;

    #[test]
    fn members_are_found() {
        let members = parse("x.capnp", SCHEMA);
        let expected = [
            ("x.capnp Block @0", "hash @0 :Data"),
            ("x.capnp Block @1", "none @1 :Void"),
            ("x.capnp Chain @0", "height @0 (context :Proxy.Context) -> (result :Int32, hasResult :Bool)"),
            ("x.capnp Chain @1", "stop @1 () -> ()"),
            ("x.capnp file @0x1234", "struct Block @0x1234"),
            ("x.capnp file @0x888b4f7f51e691f7", "@0x888b4f7f51e691f7"),
        ];
        let found: Vec<_> = members.iter().map(|(place, text)| (place.as_str(), text.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn only_additions_are_allowed() {
        let golden = parse("x.capnp", SCHEMA);
        let check = |from: &str, to: &str, allowed: bool| {
            let now = parse("x.capnp", &SCHEMA.replace(from, to));
            assert_eq!(broken(&golden, &now).is_empty(), allowed, "{from} -> {to}: {:?}", broken(&golden, &now));
        };
        check("stop @1 () -> ();", "stop @1 () -> (); start @2 () -> ();", true);
        check("stop @1 () -> ();", "stop @1 (now :Bool) -> ();", true);
        check("hasResult :Bool)", "hasResult :Bool, more :Text)", true);
        check("$Proxy.name(\"h\")", "", true);
        check("stop @1 () -> ();", "", false);
        check("stop @1", "start @1", false);
        check("context :Proxy.Context", "first :Bool, context :Proxy.Context", false);
        check("hasResult :Bool", "hasResult :Bools", false);
        check("hash @0 :Data", "hash @0 :Text", false);
        check("0x1234", "0x1235", false);
    }

    #[test]
    fn a_changed_ordinal_is_named_with_both() {
        let golden = parse("x.capnp", SCHEMA);
        let now = SCHEMA.replace("stop @1", "stop @2").replace("height @0", "first @0 () -> (); height @1");
        let expected = [
            "x.capnp: Chain.height is recorded as @0 and is now @1",
            "x.capnp: Chain.stop is recorded as @1 and is now @2",
        ];
        assert_eq!(broken(&golden, &parse("x.capnp", &now)), expected);
    }
}
