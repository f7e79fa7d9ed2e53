//! `bitcoin.conf`: its syntax, and which files are read.

use std::fs;
use std::path::{Path, PathBuf};

use super::key::Key;
use super::paths::CONFIG_FILE;
use super::sources::Span;
use super::table;
use super::{Args, ArgsError, SectionSeen, State};
use crate::chain::Chain;
use crate::lossless;

const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];

/// Takes one file apart into keys with their section, and values.
fn parse_lines(text: &str, file: &str, sections: &mut Vec<SectionSeen>) -> Result<Vec<(String, String)>, String> {
    let mut options = Vec::new();
    let mut prefix = String::new();
    for (at, line) in text.lines().enumerate() {
        let number = at + 1;
        let (content, hash) = match line.split_once('#') {
            Some((content, _)) => (content, true),
            None => (line, false),
        };
        let content = content.trim_matches(BLANK);
        let mut seen = |name: &str| {
            sections.push(SectionSeen { name: name.to_owned(), file: file.to_owned(), line: number });
        };
        if content.is_empty() {
            continue;
        }
        if let Some(section) = content.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            seen(section);
            prefix = format!("{section}.");
            continue;
        }
        if content.starts_with('-') {
            return Err(format!(
                "parse error on line {number}: {content}, options in configuration file must be specified without \
                 leading -"
            ));
        }
        let Some((name, value)) = content.split_once('=') else {
            let hint = match content.strip_prefix("no") {
                Some(_) => {
                    format!(", if you intended to specify a negated option, use {content}=1 instead")
                }
                None => String::new(),
            };
            return Err(format!("parse error on line {number}: {content}{hint}"));
        };
        let name = format!("{prefix}{}", name.trim_matches(BLANK));
        if hash && name.contains("rpcpassword") {
            return Err(format!(
                "parse error on line {number}, using # in rpcpassword can be ambiguous and should be avoided"
            ));
        }
        if let Some(dot) = name.rfind('.').filter(|dot| prefix.len() <= *dot) {
            seen(&name[..dot]);
        }
        options.push((name, value.trim_matches(BLANK).to_owned()));
    }
    Ok(options)
}

impl State {
    fn read_config_text(&mut self, args: &Args, text: &str, file: &str) -> Result<(), String> {
        let options = parse_lines(text, file, &mut self.sections)?;
        for (name, value) in options {
            let key = Key::parse(&name);
            match key.name.as_str() {
                "conf" => {
                    return Err("conf cannot be set in the configuration file; use includeconf= if you want to \
                                include additional config files"
                        .to_owned());
                }
                "reindex" => log::warn!(
                    "reindex=1 is set in the configuration file, which will significantly slow down startup. Consider \
                     removing or commenting out this option for better performance, unless there is currently a \
                     condition which makes rebuilding the indexes necessary"
                ),
                _ => {}
            }
            let Some(opt) = table::find(args.program, &key.name) else {
                // One file serves all programs, so an option of another program is no error.
                log::warn!("Ignoring unknown configuration value {name}");
                continue;
            };
            let value = key.value(Some(&value), opt)?;
            self.sources.config.entry(key.section).or_default().entry(key.name).or_default().push(value);
        }
        Ok(())
    }

    /// Returns the files a section includes, after leaving out the first `skip` values.
    fn includes(&self, section: &str, skip: usize) -> (Vec<String>, usize) {
        let values = self.sources.config.get(section).and_then(|values| values.get("includeconf"));
        let Some(values) = values else { return (Vec::new(), 0) };
        let first = skip.max(Span::new(values).negated());
        let files = values.iter().skip(first).filter_map(|value| value.as_str().map(str::to_owned)).collect();
        (files, values.len())
    }
}

impl Args {
    /// Reads `bitcoin.conf` and what it includes, and selects the chain; returns warnings, one line each, for standard
    /// error. Tools need no more than this; daemons call [`Args::init_config`].
    pub fn read_config_files(&self) -> Result<Vec<String>, ArgsError> {
        let given = self.get_path("datadir", "").filter(|path| !path.as_os_str().is_empty());
        if given.is_some_and(|path| !path.is_dir()) {
            return Err(ArgsError::NoDatadir(self.get("datadir").unwrap_or_default()));
        }
        let warnings = self.read_config()?;
        self.select_chain(self.requested_chain()?);
        Ok(warnings)
    }

    fn read_config(&self) -> Result<Vec<String>, ArgsError> {
        let config_error = |text: String| Err(ArgsError::ConfigFile(text));
        let datadir = {
            let mut state = self.write();
            state.sources.config.clear();
            state.sections.clear();
            let datadir = state.datadir(self);
            state.config_file = state.path(self, "conf", CONFIG_FILE).map(|path| datadir.join(path));
            state.original_datadir = Some(datadir.clone());
            datadir
        };
        let mut warnings = Vec::new();
        if let Some(path) = self.config_file_path() {
            if path.is_dir() {
                return config_error(format!("Config file \"{}\" is a directory.", path.display()));
            }
            match read_text(&path) {
                Some(text) => {
                    self.write()
                        .read_config_text(self, &text, &lossless::from_os(&path))
                        .map_err(ArgsError::ConfigFile)?;
                    warnings = self.read_included(&datadir)?;
                }
                None if self.is_set("conf") => {
                    return config_error(format!("specified config file \"{}\" could not be opened.", path.display()));
                }
                None => {}
            }
        }
        let datadir = self.get_path("datadir", "").filter(|path| !path.as_os_str().is_empty());
        if datadir.is_some_and(|path| !path.is_dir()) {
            let given = self.get("datadir").unwrap_or_default();
            return config_error(format!("specified data directory \"{given}\" does not exist."));
        }
        Ok(warnings)
    }

    fn read_included(&self, datadir: &Path) -> Result<Vec<String>, ArgsError> {
        let config_error = |text: String| Err(ArgsError::ConfigFile(text));
        if self.read().sources.command_line.contains_key("includeconf") {
            return Ok(Vec::new());
        }
        let chain = self.requested_chain_name()?;
        let ((mut files, in_section), (in_top, top_count)) = {
            let state = self.read();
            (state.includes(&chain, 0), state.includes("", 0))
        };
        files.extend(in_top);
        for file in files {
            let path: PathBuf = datadir.join(lossless::to_path(&file));
            if path.is_dir() {
                return config_error(format!("Included config file \"{}\" is a directory.", path.display()));
            }
            let Some(text) = read_text(&path) else {
                return config_error(format!("Failed to include configuration file {file}"));
            };
            self.write().read_config_text(self, &text, &file).map_err(ArgsError::ConfigFile)?;
            log::info!("Included configuration file {file}");
        }
        let last_chain = self.requested_chain_name()?;
        let state = self.read();
        let mut ignored = state.includes(&chain, in_section).0;
        ignored.extend(state.includes("", top_count).0);
        if last_chain != chain {
            ignored.extend(state.includes(&last_chain, 0).0);
        }
        Ok(ignored
            .into_iter()
            .map(|file| {
                format!("warning: -includeconf cannot be used from included files; ignoring -includeconf={file}")
            })
            .collect())
    }

    /// Returns the name of the chain options ask for, known or not.
    fn requested_chain_name(&self) -> Result<String, ArgsError> {
        match self.requested_chain() {
            Ok(chain) => Ok(chain.name().to_owned()),
            Err(ArgsError::UnknownChain(unknown)) => Ok(unknown.0),
            Err(error) => Err(error),
        }
    }

    /// Returns the chain options ask for.
    pub fn requested_chain(&self) -> Result<Chain, ArgsError> {
        let state = self.read();
        let asked = |name: &str| {
            let lookup = super::sources::Lookup { selects_chain: true, ..Default::default() };
            match state.sources.value(name, lookup) {
                serde_json::Value::Null => false,
                serde_json::Value::Bool(value) => value,
                other => super::get::value_text(&other).is_some_and(|text| super::key::text_to_bool(&text)),
            }
        };
        let by_flag = [
            ("regtest", Chain::Regtest),
            ("signet", Chain::Signet),
            ("testnet", Chain::Test),
            ("testnet4", Chain::Testnet4),
        ];
        let flags: Vec<Chain> = by_flag.into_iter().filter(|(name, _)| asked(name)).map(|(_, chain)| chain).collect();
        let name = super::get::value_text(&state.value(self, "chain"));
        match (name, flags.as_slice()) {
            (Some(name), []) => Ok(name.parse()?),
            (None, []) => Ok(Chain::Main),
            (None, [chain]) => Ok(*chain),
            _ => Err(ArgsError::ManyChains),
        }
    }
}

/// Reads a file that may not be there, or not be readable.
fn read_text(path: &Path) -> Option<String> {
    fs::read(path).ok().map(|bytes| lossless::from_bytes(&bytes))
}
