//! Where values come from and which of them count.
//!
//! The precedence is Bitcoin Core's, with its oddities, because configuration files in use depend on them: the first
//! value in a file counts but the last on the command line; a negation in the top section of a file applies to
//! network-only options too; a list continues into the file after a negation on the command line if a value follows
//! that negation there.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::settings::Settings;

/// Values by name.
pub(super) type Values = BTreeMap<String, Vec<Value>>;

/// All values, by source.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// Set by the program, over everything.
    pub forced: BTreeMap<String, Value>,
    /// From the command line.
    pub command_line: Values,
    /// From `settings.json`.
    pub dynamic: Settings,
    /// From configuration files, by section; the top section has the empty name.
    pub config: BTreeMap<String, Values>,
}

/// Source of a span, most significant first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Forced,
    CommandLine,
    Dynamic,
    Section,
    Top,
}

/// How to look up a name.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lookup<'a> {
    /// Section of the selected chain; empty if none is selected.
    pub section: &'a str,
    /// Leave out the top section of configuration files (network-only options off the main chain).
    pub skip_top: bool,
    /// Leave out command line and forced values.
    pub persistent_only: bool,
    /// The rules for options that select the chain: the last value in a file counts, negations on the command line do
    /// not.
    pub selects_chain: bool,
}

/// Values of one source; a `false` among them takes back those before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span<'a>(&'a [Value]);

impl<'a> Span<'a> {
    pub fn new(values: &'a [Value]) -> Self {
        Span(values)
    }

    fn of(value: &'a Value) -> Self {
        match value {
            Value::Array(values) => Span(values),
            other => Span(std::slice::from_ref(other)),
        }
    }

    /// Returns the number of values up to and with the last negation.
    pub fn negated(self) -> usize {
        self.0.iter().rposition(|value| *value == Value::Bool(false)).map_or(0, |last| last + 1)
    }

    /// Returns the values after the last negation.
    pub fn live(self) -> &'a [Value] {
        self.0.get(self.negated()..).unwrap_or_default()
    }

    /// Says whether the last value is a negation.
    pub fn ends_negated(self) -> bool {
        self.0.last() == Some(&Value::Bool(false))
    }
}

impl Sources {
    fn spans<'a>(&'a self, section: &str, name: &str) -> impl Iterator<Item = (Source, Span<'a>)> + use<'a> {
        let in_section = |section: &str| self.config.get(section).and_then(|values| values.get(name));
        let own_section = if section.is_empty() { None } else { in_section(section) };
        [
            self.forced.get(name).map(|value| (Source::Forced, Span::of(value))),
            self.command_line.get(name).map(|values| (Source::CommandLine, Span(values))),
            self.dynamic.get(name).map(|value| (Source::Dynamic, Span::of(value))),
            own_section.map(|values| (Source::Section, Span(values))),
            in_section("").map(|values| (Source::Top, Span(values))),
        ]
        .into_iter()
        .flatten()
    }

    /// Returns the value of a single-valued option; `false` if it is negated, null if it is not set.
    pub fn value(&self, name: &str, lookup: Lookup<'_>) -> Value {
        for (source, span) in self.spans(lookup.section, name) {
            let skipped = (lookup.skip_top && source == Source::Top && !span.ends_negated())
                || (lookup.persistent_only && matches!(source, Source::Forced | Source::CommandLine))
                || (lookup.selects_chain && span.ends_negated());
            if skipped {
                continue;
            }
            let from_file = matches!(source, Source::Section | Source::Top);
            let value = if from_file && !lookup.selects_chain { span.live().first() } else { span.live().last() };
            match value {
                Some(value) => return value.clone(),
                None if span.ends_negated() => return Value::Bool(false),
                None => {}
            }
        }
        Value::Null
    }

    /// Returns the values of a list option.
    pub fn list(&self, name: &str, lookup: Lookup<'_>) -> Vec<Value> {
        let mut values = Vec::new();
        let mut done = false;
        let mut negated_while_empty = false;
        for (source, span) in self.spans(lookup.section, name) {
            if lookup.skip_top && source == Source::Top {
                continue;
            }
            let back_from_the_file = matches!(source, Source::Section | Source::Top) && !negated_while_empty;
            if !done || back_from_the_file {
                for value in span.live() {
                    match value {
                        Value::Array(inner) => values.extend(inner.iter().cloned()),
                        other => values.push(other.clone()),
                    }
                }
            }
            done |= span.negated() > 0 || source == Source::Forced;
            negated_while_empty |= span.ends_negated() && values.is_empty();
        }
        values
    }

    /// Says whether the option is set in the top section of a file and nowhere else.
    pub fn only_in_top_section(&self, name: &str, section: &str) -> bool {
        let mut in_top = false;
        for (source, span) in self.spans(section, name) {
            match source {
                _ if span.live().is_empty() => {}
                Source::Top => in_top = true,
                _ => return false,
            }
        }
        in_top
    }
}
