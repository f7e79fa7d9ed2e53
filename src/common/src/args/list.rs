//! Options as a flat list: how a process hands its own to one it spawns.

use std::path::PathBuf;

use serde_json::Value;

use super::get::value_text;
use super::table::{self, Kind};
use super::{Args, Program};
use crate::chain::Chain;

impl Args {
    /// Returns every option that was given, with its effective values, the most significant last; a negated one has
    /// none. Passwords and the like are left out: no other process needs them.
    pub fn effective_settings(&self) -> Vec<(String, Vec<String>)> {
        let state = self.read();
        let mut settings = Vec::new();
        for opt in table::of(self.program).filter(|opt| !opt.sensitive && !opt.is_command()) {
            let lookup = state.lookup(self, opt.name);
            let value = state.sources.value(opt.name, lookup);
            let values = match opt.kind {
                _ if value.is_null() => continue,
                Kind::Multi => state.sources.list(opt.name, lookup).iter().filter_map(value_text).collect(),
                _ if value == Value::Bool(false) => Vec::new(),
                _ => value_text(&value).into_iter().collect(),
            };
            settings.push((opt.name.to_owned(), values));
        }
        settings
    }

    /// Makes the options of a spawned process from those of its parent; no file is read and the directories are as
    /// given.
    pub fn from_settings(
        program: Program,
        chain: Chain,
        net_datadir: PathBuf,
        settings: impl IntoIterator<Item = (String, Vec<String>)>,
    ) -> Args {
        let args = Args::new(program);
        {
            let mut state = args.write();
            state.chain = Some(chain);
            state.net_datadir = Some(net_datadir);
            for (name, values) in settings {
                let values = match values.is_empty() {
                    true => vec![Value::Bool(false)],
                    false => values.into_iter().map(Value::String).collect(),
                };
                state.sources.command_line.insert(name, values);
            }
        }
        args
    }
}
