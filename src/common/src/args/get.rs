//! Reading options, with the table's defaults.

use serde_json::Value;

use super::key::{text_to_bool, text_to_int, text_to_uint};
use super::sources::Lookup;
use super::table::{self, Kind, Missing, OptDefault};
use super::{Args, State};
use crate::chain::Chain;

/// Strips the dash a name may be given with.
pub(super) fn plain(name: &str) -> &str {
    name.strip_prefix('-').unwrap_or(name)
}

impl State {
    pub(super) fn lookup(&self, args: &Args, name: &str) -> Lookup<'static> {
        let network_only = table::find(args.program, name).is_some_and(|opt| opt.network_only);
        Lookup {
            section: self.chain.map_or("", Chain::name),
            skip_top: network_only && self.chain != Some(Chain::Main),
            ..Lookup::default()
        }
    }

    pub(super) fn value(&self, args: &Args, name: &str) -> Value {
        self.sources.value(name, self.lookup(args, name))
    }
}

pub(super) fn value_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Bool(value) => Some(if *value { "1" } else { "0" }.to_owned()),
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

impl Args {
    fn value(&self, name: &str) -> Value {
        self.read().value(self, plain(name))
    }

    fn default_of(&self, name: &str) -> OptDefault {
        let opt = table::find(self.program, plain(name));
        debug_assert!(opt.is_some(), "option {name} is not in the table");
        opt.map_or(OptDefault::None, |opt| opt.default)
    }

    /// Returns the value as text, `0` if negated, `None` if it is not set; the table's default plays no part.
    pub fn get(&self, name: &str) -> Option<String> {
        value_text(&self.value(name))
    }

    /// Returns the value as text, or the table's default.
    pub fn get_str(&self, name: &str) -> String {
        self.get(name).unwrap_or_else(|| match self.default_of(name) {
            OptDefault::None => String::new(),
            OptDefault::Bool(value) => u8::from(value).to_string(),
            OptDefault::Int(value) => value.to_string(),
            OptDefault::Str(text) => text.to_owned(),
        })
    }

    /// Returns the value as a boolean, or `None` if it is not set.
    pub fn opt_bool(&self, name: &str) -> Option<bool> {
        match self.value(name) {
            Value::Null => None,
            Value::Bool(value) => Some(value),
            other => value_text(&other).map(|text| text_to_bool(&text)),
        }
    }

    /// Returns the value as a boolean, or the table's default.
    pub fn get_bool(&self, name: &str) -> bool {
        self.opt_bool(name).unwrap_or_else(|| match self.default_of(name) {
            OptDefault::None => false,
            OptDefault::Bool(value) => value,
            OptDefault::Int(value) => value != 0,
            OptDefault::Str(text) => text_to_bool(text),
        })
    }

    /// Returns the value as an integer, or `None` if it is not set; text that is no number is zero.
    pub fn opt_int(&self, name: &str) -> Option<i64> {
        match self.value(name) {
            Value::Null => None,
            Value::Bool(value) => Some(i64::from(value)),
            other => value_text(&other).map(|text| text_to_int(&text)),
        }
    }

    /// Returns the value as an integer, or the table's default.
    pub fn get_int(&self, name: &str) -> i64 {
        self.opt_int(name).unwrap_or_else(|| match self.default_of(name) {
            OptDefault::None => 0,
            OptDefault::Bool(value) => i64::from(value),
            OptDefault::Int(value) => value,
            OptDefault::Str(text) => text_to_int(text),
        })
    }

    /// Returns the value as a number from zero on, or `None` if it is not set; what is less is zero.
    pub fn opt_uint(&self, name: &str) -> Option<u64> {
        self.get(name).map(|text| text_to_uint(&text))
    }

    /// Returns all values of an option that may be given several times, command line first.
    pub fn get_all(&self, name: &str) -> Vec<String> {
        let name = plain(name);
        let state = self.read();
        state.sources.list(name, state.lookup(self, name)).iter().filter_map(value_text).collect()
    }

    /// Says whether the option was given anywhere, negated or not.
    pub fn is_set(&self, name: &str) -> bool {
        !self.value(name).is_null()
    }

    /// Says whether the option was negated (`-noname`).
    pub fn is_negated(&self, name: &str) -> bool {
        self.value(name) == Value::Bool(false)
    }

    /// Sets an option unless it was given; says whether it did.
    pub fn soft_set(&self, name: &str, value: &str) -> bool {
        let name = plain(name);
        let mut state = self.write();
        let unset = state.value(self, name).is_null();
        if unset {
            state.sources.forced.insert(name.to_owned(), Value::String(value.to_owned()));
        }
        unset
    }

    /// Sets a boolean option unless it was given; says whether it did.
    pub fn soft_set_bool(&self, name: &str, value: bool) -> bool {
        self.soft_set(name, if value { "1" } else { "0" })
    }

    /// Sets an option over whatever was given.
    pub fn force_set(&self, name: &str, value: &str) {
        self.write().sources.forced.insert(plain(name).to_owned(), Value::String(value.to_owned()));
    }

    /// Returns the chain: the selected one, or the one options ask for; the main chain if they contradict each other.
    pub fn chain(&self) -> Chain {
        let selected = self.read().chain;
        selected.or_else(|| self.requested_chain().ok()).unwrap_or_default()
    }

    /// Returns the options given, with a dash, that tune something this version does not have, and why they do
    /// nothing. Values that ask for nothing (`-natpmp=0`, `-nodnsseed`) are left out.
    pub fn ignored(&self) -> Vec<(String, &'static str)> {
        self.given_but_missing(|missing| match missing {
            Missing::Ignored(reason) => Some((reason, ["0"].as_slice())),
            Missing::Refused { .. } => None,
        })
    }

    /// Returns the options given, with a dash, that promise something this version does not have, and what would
    /// happen if they were ignored. Values that ask for nothing (`-proxy=0`, `-noonion`) are left out.
    pub fn refused(&self) -> Vec<(String, &'static str)> {
        self.given_but_missing(|missing| match missing {
            Missing::Ignored(_) => None,
            Missing::Refused { reason, off } => Some((reason, off)),
        })
    }

    /// Returns the options whose values are not all among those that `select` gives along with the reason.
    fn given_but_missing(
        &self,
        select: impl Fn(Missing) -> Option<(&'static str, &'static [&'static str])>,
    ) -> Vec<(String, &'static str)> {
        let state = self.read();
        let rows = table::of(self.program).filter_map(|opt| {
            let (reason, off) = opt.missing.and_then(&select)?;
            let values = match opt.kind {
                Kind::Multi => state.sources.list(opt.name, state.lookup(self, opt.name)),
                _ => vec![state.value(self, opt.name)],
            };
            let asks = |value: &Value| match value {
                Value::Null | Value::Bool(false) => false,
                Value::Bool(true) => true,
                other => value_text(other).is_some_and(|text| match opt.kind {
                    Kind::Bool => text_to_bool(&text),
                    // What follows the sign is the network of a proxy.
                    Kind::Multi => !off.contains(&text.split_once('=').map_or(&*text, |(proxy, _)| proxy)),
                    _ => !off.contains(&&*text),
                }),
            };
            values.iter().any(asks).then(|| (format!("-{}", opt.name), reason))
        });
        rows.collect()
    }

    /// Returns what network-only options stand only in the top section of a file, where they have no effect on the
    /// selected chain: one line each, for the error that stops the program.
    pub fn section_errors(&self) -> Vec<String> {
        let state = self.read();
        let Some(chain) = state.chain.filter(|chain| *chain != Chain::Main) else { return Vec::new() };
        let mut names: Vec<&str> = table::of(self.program).filter(|opt| opt.network_only).map(|opt| opt.name).collect();
        names.sort_unstable();
        names
            .into_iter()
            .filter(|name| state.sources.only_in_top_section(name, chain.name()))
            .map(|name| {
                format!("Config setting for -{name} only applied on {chain} network when in [{chain}] section.")
            })
            .collect()
    }

    /// Returns one warning for each section of a configuration file that names no chain.
    pub fn section_warnings(&self) -> Vec<String> {
        let known = |name: &str| name.parse::<Chain>().is_ok();
        self.read()
            .sections
            .iter()
            .filter(|section| !known(&section.name))
            .map(|section| format!("{}:{} Section [{}] is not recognized.", section.file, section.line, section.name))
            .collect()
    }
}
