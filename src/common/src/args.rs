//! Options: the table of all of them, the command line, `bitcoin.conf`, `settings.json`, and their precedence.
//!
//! [`Args`] is made from a command line ([`Args::parse`]), completed by [`Args::init_config`] (or, for tools,
//! [`Args::read_config_files`]), and from then on read from any thread. Names are given with or without their dash.
//! Values are text that keeps bytes that are not UTF-8 ([`crate::lossless`]); paths are given out as they were typed.
//! A process spawned by another gets its options as a list ([`Args::from_settings`]) and reads no file.
//!
//! **Invariant:** an option is accepted if and only if the table has a row for it and the program.

mod config;
mod error;
mod get;
mod help;
mod init;
mod key;
mod list;
mod paths;
mod sources;
mod table;
mod units;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use error::ArgsError;
pub use help::format_paragraph;
pub use paths::{CONFIG_FILE, SETTINGS_FILE, default_datadir};
use sources::Sources;
pub use table::{Category, Kind, Missing, OPTIONS, Opt, OptDefault, Program};
pub use units::parse_bytes;

use crate::chain::Chain;

/// The options of one process.
#[derive(Debug)]
pub struct Args {
    program: Program,
    state: RwLock<State>,
}

/// What changes while configuration is read.
#[derive(Debug, Default)]
struct State {
    sources: Sources,
    /// Selected chain; before it is, network-only rules do not apply.
    chain: Option<Chain>,
    /// Words after the options: a tool's command.
    words: Vec<String>,
    config_file: Option<PathBuf>,
    /// Sections seen in configuration files, with file and line.
    sections: Vec<SectionSeen>,
    /// Fixed directories of a spawned process.
    net_datadir: Option<PathBuf>,
    /// Data directory before the configuration file could change it.
    original_datadir: Option<PathBuf>,
}

/// A section header, or a key's section, and where it stands.
#[derive(Debug, Clone)]
struct SectionSeen {
    name: String,
    file: String,
    line: usize,
}

impl Args {
    fn new(program: Program) -> Self {
        Args { program, state: RwLock::default() }
    }

    /// Parses a command line whose first word is the program's own name.
    pub fn parse<I>(program: Program, argv: I) -> Result<Args, ArgsError>
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        if program.takes_no_words() {
            // Warnings about options belong in the log, which opens only once options are known.
            crate::logging::install();
        }
        let args = Args::new(program);
        let words = argv.into_iter().skip(1).map(|word| crate::lossless::from_os(word.into())).collect();
        args.write().parse_command_line(program, words).map_err(ArgsError::CommandLine)?;
        Ok(args)
    }

    /// Returns the program whose rows of the table apply.
    pub fn program(&self) -> Program {
        self.program
    }

    /// Returns the words after the options: a tool's command and its parameters.
    pub fn words(&self) -> Vec<String> {
        self.read().words.clone()
    }

    /// Says whether help was asked for in any of its spellings.
    pub fn help_requested(&self) -> bool {
        ["?", "h", "help", "help-debug"].iter().any(|name| self.is_set(name))
    }

    // No code between lock and unlock can panic halfway through a change, so a poisoned state is still whole.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn parse_command_line(&mut self, program: Program, words: Vec<String>) -> Result<(), String> {
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            // A lone dash tells some tools to read standard input; everything after it is theirs.
            if word == "-" {
                break;
            }
            if !word.starts_with('-') {
                if !program.takes_any_word() && table::find(program, &word).is_none_or(|opt| !opt.is_command()) {
                    return Err(format!("Invalid command '{word}'"));
                }
                self.words.push(word);
                self.words.extend(words);
                break;
            }
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word.as_str(), None),
            };
            let name = name.strip_prefix("--").or_else(|| name.strip_prefix('-')).unwrap_or(name);
            let key = key::Key::parse(name);
            let opt = table::find(program, &key.name).filter(|opt| key.section.is_empty() && !opt.is_command());
            let Some(opt) = opt else { return Err(format!("Invalid parameter {word}")) };
            let value = key.value(value, opt)?;
            self.sources.command_line.entry(key.name).or_default().push(value);
        }
        if let Some(values) = self.sources.command_line.get("includeconf")
            && let Some(value) = sources::Span::new(values).live().first()
        {
            return Err(format!("-includeconf cannot be used from commandline; -includeconf={value}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
