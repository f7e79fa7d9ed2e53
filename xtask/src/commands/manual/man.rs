//! Man pages.

use roff::{Roff, bold, italic, roman};

use super::super::PROGRAMS;
use super::help::{Entry, Help};

/// Makes the page of a program.
pub fn page(program: &str, help: &Help) -> String {
    let version = help.about.first().and_then(|line| line.split_whitespace().last()).unwrap_or_default();
    let mut page = Roff::new();
    page.control("TH", [&program.to_uppercase()[..], "1", " ", version, "User Commands"]);
    let about = help.about.first().map_or("", |line| line.split(" version ").next().unwrap_or(line));
    let about = if about.is_empty() { "starts the other programs" } else { about };
    page.control("SH", ["NAME"]).text([roman(format!("{program} - {about}"))]);
    page.control("SH", ["SYNOPSIS"]);
    for usage in &help.usage {
        let (name, rest) = usage.split_once(' ').unwrap_or((usage, ""));
        page.text([bold(name), roman(format!(" {rest}"))]).control("br", []);
    }
    if help.about.len() > 1 {
        page.control("SH", ["DESCRIPTION"]);
        for paragraph in &help.about[1..] {
            page.control("PP", []).text([roman(paragraph)]);
        }
    }
    for section in help.sections.iter().filter(|section| !section.entries.is_empty()) {
        page.control("SH", [&section.title.to_uppercase()[..]]);
        section.entries.iter().for_each(|entry| self::entry(&mut page, entry));
    }
    page.control("SH", ["SEE ALSO"]);
    let others: Vec<String> =
        PROGRAMS.iter().filter(|(other, _)| *other != program).map(|(other, _)| format!("{other}(1)")).collect();
    page.text([roman(others.join(", "))]);
    page.to_roff()
}

fn entry(page: &mut Roff, entry: &Entry) {
    let mut head = Vec::new();
    for (at, name) in entry.names.iter().enumerate() {
        if at > 0 {
            head.push(roman(", "));
        }
        head.push(bold(name));
    }
    if !entry.form.is_empty() {
        head.push(roman(if entry.form.starts_with('=') { "=" } else { " " }));
        head.push(italic(entry.form.trim_start_matches('=')));
    }
    page.control("TP", []).text(head).text([roman(&entry.text)]);
}

#[cfg(test)]
mod tests {
    use super::super::help::tests::TEXT;
    use super::*;

    #[test]
    fn a_page_has_all_of_the_help() {
        let page = page("bitcoind", &Help::read(TEXT));
        for part in [
            ".TH BITCOIND 1 \" \" v31.99.0 \"User Commands\"",
            ".SH NAME\nbitcoind \\- Bitcoin Core daemon\n",
            ".SH \"CHAIN SELECTION OPTIONS\"",
            ".TP\n\\fB\\-conf\\fR=\\fI<file>\\fR\nRead this [file]; relative to: the directory\n",
            "bitcoin\\-cli(1)",
        ] {
            assert!(page.contains(part), "{part:?} is not in\n{page}");
        }
    }
}
