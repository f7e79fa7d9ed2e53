//! A help text, taken apart. The form is the programs' own: sections whose title ends in a colon, and below, indented by
//! two, an option or a command, with its description behind it or in the lines after it.

/// What a help text says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Help {
    /// Lines before the first section that say how the program is called.
    pub usage: Vec<String>,
    /// The other paragraphs there; the first is name and version.
    pub about: Vec<String>,
    /// The sections, in order.
    pub sections: Vec<Section>,
}

/// A section.
#[derive(Debug, PartialEq, Eq)]
pub struct Section {
    /// Its title, without the colon.
    pub title: String,
    /// What it lists.
    pub entries: Vec<Entry>,
}

/// An option or a command.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its names, with their dashes.
    pub names: Vec<String>,
    /// What follows the name: a `=` and a value, or parameters.
    pub form: String,
    /// What it is for, on one line.
    pub text: String,
}

/// What a value is, as far as a shell can help with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// There is none, or none is needed.
    None,
    /// A file.
    File,
    /// A directory.
    Directory,
    /// Anything else.
    Other,
}

impl Help {
    /// Takes a text apart.
    pub fn read(text: &str) -> Help {
        let mut help = Help::default();
        for line in text.lines() {
            let indent = line.len() - line.trim_start().len();
            match help.sections.last_mut() {
                _ if indent == 0 && is_title(line) => {
                    help.sections.push(Section { title: line.trim_end_matches(':').to_owned(), entries: Vec::new() });
                }
                None if line.starts_with("Usage: ") || line.starts_with("or: ") => {
                    let (_, usage) = line.split_once(": ").unwrap_or_default();
                    help.usage.push(usage.trim().to_owned());
                }
                None if !line.is_empty() => help.about.push(line.to_owned()),
                Some(section) if indent == 2 => section.entries.push(Entry::read(line.trim())),
                Some(Section { entries, .. }) => {
                    if let Some(entry) = entries.last_mut() {
                        entry.extend(line.trim());
                    }
                }
                None => {}
            }
        }
        help
    }

    /// Returns the options of all sections.
    pub fn options(&self) -> impl Iterator<Item = &Entry> {
        self.sections.iter().flat_map(|section| &section.entries).filter(|entry| entry.is_option())
    }

    /// Returns the commands that the program has itself.
    pub fn commands(&self) -> impl Iterator<Item = &Entry> {
        self.sections.iter().flat_map(|section| &section.entries).filter(|entry| !entry.is_option())
    }
}

/// Says whether a line at the margin is the title of a section.
fn is_title(line: &str) -> bool {
    line.ends_with(':') && !line.contains("  ")
}

impl Entry {
    /// Reads the first line of one.
    fn read(line: &str) -> Entry {
        // The description comes after two spaces, or after parameters so long that there is room for one only.
        let end = line.find("  ").or_else(|| line.find("] ").map(|at| at + 1)).unwrap_or(line.len());
        let (head, text) = line.split_at(end);
        let mut entry = Entry { text: text.trim().to_owned(), ..Entry::default() };
        for part in head.split(", ") {
            let end = part.find(['=', ' ']).unwrap_or(part.len());
            let (name, form) = part.split_at(end);
            entry.names.push(name.to_owned());
            entry.form = form.trim_start().to_owned();
        }
        entry
    }

    /// Adds a line of the description.
    fn extend(&mut self, line: &str) {
        if !self.text.is_empty() && !line.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(line);
    }

    /// Says whether it is an option and not a command.
    pub fn is_option(&self) -> bool {
        self.names.iter().any(|name| name.starts_with('-'))
    }

    /// Returns what its value is.
    pub fn value(&self) -> Value {
        match self.form.strip_prefix('=') {
            None => Value::None,
            Some("<dir>") => Value::Directory,
            Some("<file>" | "<loc>") => Value::File,
            Some(_) => Value::Other,
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A help text with everything that occurs in one.
    pub const TEXT: &str = "Bitcoin Core daemon version v31.99.0\n\nIt's good.\n\nUsage: bitcoind [options]\nor:    bitcoind \
                            -x\n\nOptions:\n\n  -conf=<file>\n       Read this [file]; relative\n       to: the directory\n\n  \
                            -daemon\n       Go to the background (default: 0)\n\nChain selection options:\n\n  \
                            -chain=<chain>\n       Use it\n\n  -datadir=<dir>\n       Data directory\n";

    #[test]
    fn daemons() {
        let help = Help::read(TEXT);
        assert_eq!(help.usage, ["bitcoind [options]", "bitcoind -x"]);
        assert_eq!(help.about, ["Bitcoin Core daemon version v31.99.0", "It's good."]);
        assert_eq!(
            help.sections.iter().map(|section| &section.title[..]).collect::<Vec<_>>(),
            ["Options", "Chain selection options"]
        );
        let conf = &help.sections[0].entries[0];
        assert_eq!((&conf.names[0][..], &conf.form[..]), ("-conf", "=<file>"));
        assert_eq!(conf.text, "Read this [file]; relative to: the directory");
        let values: Vec<Value> = help.options().map(Entry::value).collect();
        assert_eq!(values, [Value::File, Value::None, Value::Other, Value::Directory]);
        assert_eq!(help.commands().count(), 0);
    }

    #[test]
    fn the_wrapper() {
        let help = Help::read(
            "Usage: bitcoin [OPTIONS] COMMAND...\n\nOptions:\n  -m, --multiprocess  Run the split\n\nCommands:\n  node [ARGS] \
             \x20     Start the node: 'x'.\n  help              Show it.\n\nAdditional less commonly used commands:\n  util \
             [ARGS]       Call.\n  chainstate [ARGS] Work.\n",
        );
        let option = help.options().next().expect("there is one");
        assert_eq!(option.names, ["-m", "--multiprocess"]);
        assert_eq!(option.text, "Run the split");
        let commands: Vec<_> = help.commands().map(|entry| (&entry.names[0][..], &entry.text[..])).collect();
        assert_eq!(
            commands,
            [("node", "Start the node: 'x'."), ("help", "Show it."), ("util", "Call."), ("chainstate", "Work.")]
        );
    }
}
