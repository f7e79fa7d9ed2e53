//! The help text, derived from the table and laid out as Bitcoin Core does it.

use super::Args;
use super::table::{self, Category, Missing, Opt, OptDefault};

const SCREEN_WIDTH: usize = 79;
const OPTION_INDENT: usize = 2;
const MESSAGE_INDENT: usize = 7;

impl Args {
    /// Returns the option lists of the help text; with `-help-debug`, the debugging options too.
    pub fn help_text(&self) -> String {
        let debug = self.get("help-debug").is_some_and(|text| super::key::text_to_bool(&text));
        let mut rows: Vec<&Opt> = table::of(self.program()).filter(|row| debug || !row.debug_only).collect();
        rows.sort_by_key(|row| (row.category, row.name));
        let mut text = String::new();
        let mut category = None;
        for row in rows.iter().filter(|row| !row.category.title().is_empty()) {
            if category.replace(row.category) != Some(row.category) {
                text += &format!("{}\n\n", row.category.title());
            }
            text += &entry(row, 0);
            if row.category == Category::Commands && row.name.contains("dump") {
                let options = rows.iter().filter(|row| row.category == Category::CommandOptions);
                text.extend(options.map(|option| entry(option, MESSAGE_INDENT - OPTION_INDENT)));
            }
        }
        text
    }
}

fn entry(row: &Opt, bump: usize) -> String {
    let (option_indent, message_indent) = (OPTION_INDENT + bump, MESSAGE_INDENT + bump);
    let dash = if row.is_command() { "" } else { "-" };
    let default = match row.default {
        OptDefault::None | OptDefault::Str("") => String::new(),
        OptDefault::Bool(value) => format!(" (default: {})", u8::from(value)),
        OptDefault::Int(value) => format!(" (default: {value})"),
        OptDefault::Str(text) => format!(" (default: {text})"),
    };
    let effect = match row.missing {
        None => "",
        Some(Missing::Ignored(_)) => " (no effect in this version)",
        Some(Missing::Refused { .. }) => " (not available in this version)",
    };
    let message = format!("{}{default}{effect}", row.help);
    format!(
        "{:option_indent$}{dash}{}{}\n{:message_indent$}{}\n\n",
        "",
        row.name,
        row.form,
        "",
        format_paragraph(&message, SCREEN_WIDTH - message_indent, message_indent)
    )
}

/// Breaks text into lines of at most `width`, each but the first indented; the indent counts towards the width.
pub fn format_paragraph(text: &str, width: usize, indent: usize) -> String {
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let mut current = String::new();
        let mut first = true;
        for word in line.split(' ') {
            let room = if first { width } else { width.saturating_sub(indent) };
            if !current.is_empty() && current.len() + 1 + word.len() > room {
                lines.push((first, std::mem::take(&mut current)));
                first = false;
            }
            if !current.is_empty() {
                current.push(' ');
            }
            current += word;
        }
        lines.push((first, current));
    }
    let pad = " ".repeat(indent);
    let lines: Vec<String> =
        lines.into_iter().map(|(first, line)| if first { line } else { format!("{pad}{line}") }).collect();
    lines.join("\n")
}
