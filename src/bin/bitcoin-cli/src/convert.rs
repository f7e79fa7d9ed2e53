//! From words on the command line to JSON-RPC parameters.
//!
//! Separate from sending because the rules are pure and are Bitcoin Core's interface: a word is passed as text
//! unless the table says that the command takes JSON at that place. Invariant: a number keeps the digits the user
//! typed, and a repeated `args` stays repeated, so that the server and not the client refuses it.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use crate::error::CliError;

mod table;

/// How a word becomes a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Must parse as JSON.
    Json,
    /// Taken as it is, even if it holds a `=`.
    Text,
    /// JSON where it parses, text where it does not (a height or a hash).
    JsonOrText,
}

/// The parameters of one request.
#[derive(Clone, Debug, PartialEq)]
pub enum Params {
    /// No parameters were asked for; sent as `null`.
    Null,
    /// By position.
    Positional(Vec<Value>),
    /// By name. A list rather than a map: `args` may legally appear twice here, and only the server may object.
    Named(Vec<(String, Value)>),
}

impl Serialize for Params {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Params::Null => serializer.serialize_unit(),
            Params::Positional(values) => values.serialize(serializer),
            Params::Named(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (name, value) in entries {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

fn by_position(method: &str, position: usize) -> Option<Format> {
    table::PARAMETERS.iter().find(|(m, p, _, _)| *m == method && *p == position).map(|entry| entry.3)
}

fn by_name(method: &str, name: &str) -> Option<Format> {
    table::PARAMETERS.iter().find(|(m, _, n, _)| *m == method && *n == name).map(|entry| entry.3)
}

fn convert(format: Option<Format>, word: &str) -> Result<Value, CliError> {
    let text = || Value::String(word.to_owned());
    match format {
        None | Some(Format::Text) => Ok(text()),
        Some(Format::JsonOrText) => Ok(common::json::parse(word.as_bytes()).unwrap_or_else(|_| text())),
        Some(Format::Json) => common::json::parse(word.as_bytes()).map_err(|_| CliError::InvalidJson(word.to_owned())),
    }
}

/// Converts words without `-named`: each by its position.
pub fn positional(method: &str, words: &[String]) -> Result<Params, CliError> {
    let values = words.iter().enumerate().map(|(position, word)| convert(by_position(method, position), word));
    values.collect::<Result<_, _>>().map(Params::Positional)
}

/// Converts words with `-named`: `name=value` by name, everything else by position under `args`.
///
/// `name=value` is ambiguous with a positional word that holds a `=`. Where the name is none of the command's, the
/// word counts as positional if the next position takes text, or takes JSON and the whole word parses as JSON.
/// A later value for a name replaces an earlier one.
pub fn named(method: &str, words: &[String]) -> Result<Params, CliError> {
    let mut entries: Vec<(String, Value)> = Vec::new();
    let mut args = Vec::new();
    for word in words {
        let next = by_position(method, args.len());
        let Some((name, value)) = word.split_once('=') else {
            args.push(convert(next, word)?);
            continue;
        };
        let known = by_name(method, name);
        if known.is_none() {
            match next {
                Some(Format::Text) => {
                    args.push(Value::String(word.clone()));
                    continue;
                }
                Some(Format::Json) => {
                    if let Ok(parsed) = common::json::parse(word.as_bytes()) {
                        args.push(parsed);
                        continue;
                    }
                }
                Some(Format::JsonOrText) | None => {}
            }
        }
        let value = convert(known, value)?;
        match entries.iter_mut().find(|(existing, _)| existing == name) {
            Some((_, slot)) => *slot = value,
            None => entries.push((name.to_owned(), value)),
        }
    }
    if !args.is_empty() {
        entries.push(("args".to_owned(), Value::Array(args)));
    }
    Ok(Params::Named(entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Convert = fn(&str, &[String]) -> Result<Params, CliError>;

    #[track_caller]
    fn check(convert: Convert, words: &[&str], expected: Result<&str, &str>) {
        let rest: Vec<String> = words[1..].iter().map(|w| w.to_string()).collect();
        let got = convert(words[0], &rest).map(|params| serde_json::to_string(&params).unwrap());
        let got = got.map_err(|e| e.to_string());
        assert_eq!(got.as_deref().map_err(String::as_str), expected, "{words:?}");
    }

    #[test]
    fn words_by_position() {
        let cases: &[(&[&str], Result<&str, &str>)] = &[
            (&["getblockcount"], Ok("[]")),
            (&["getblockhash", "0"], Ok("[0]")),
            (&["getblockhash", "foo"], Err("Error parsing JSON: foo")),
            (&["getblock", "00ff", "2"], Ok(r#"["00ff",2]"#)),
            (&["getblockstats", "12"], Ok("[12]")),
            (&["getblockstats", "00af"], Ok(r#"["00af"]"#)),
            (&["echo", "0", "true"], Ok(r#"["0","true"]"#)),
            (&["echojson", "0", "true", "null", r#"{"b":1,"a":[]}"#], Ok(r#"[0,true,null,{"b":1,"a":[]}]"#)),
            (&["sendtoaddress", "addr", "0.10000000"], Ok(r#"["addr",0.10000000]"#)),
            (
                &["sendtoaddress", "addr", "12345678901234567890.123456789"],
                Ok(r#"["addr",12345678901234567890.123456789]"#),
            ),
            (&["createwallet", "w", "", ""], Err("Error parsing JSON: ")),
            (&["unknowncommand", "1"], Ok(r#"["1"]"#)),
        ];
        for (words, expected) in cases {
            check(positional, words, *expected);
        }
    }

    #[test]
    fn words_by_name() {
        let cases: &[(&[&str], Result<&str, &str>)] = &[
            (&["echo"], Ok("{}")),
            (&["getblockhash", "height=5"], Ok(r#"{"height":5}"#)),
            (&["getblockhash", "height=x"], Err("Error parsing JSON: x")),
            (&["getblockhash", "5"], Ok(r#"{"args":[5]}"#)),
            (&["echo", "arg0=0", "arg1=1", "arg2=2", "arg1=3"], Ok(r#"{"arg0":"0","arg1":"3","arg2":"2"}"#)),
            (&["echo", "a", "arg5=5"], Ok(r#"{"arg5":"5","args":["a"]}"#)),
            (&["echo", "args=[0]", "4"], Ok(r#"{"args":"[0]","args":["4"]}"#)),
            // A name that is none of the command's is part of a positional text or JSON value.
            (&["createwallet", "my=wallet"], Ok(r#"{"args":["my=wallet"]}"#)),
            (&["createwallet", "wallet_name=my=wallet"], Ok(r#"{"wallet_name":"my=wallet"}"#)),
            (&["createwallet", "w", "blank=true"], Ok(r#"{"blank":true,"args":["w"]}"#)),
            (&["echojson", r#"["key=value"]"#], Ok(r#"{"args":[["key=value"]]}"#)),
            (&["echojson", r#"arg0=["data=test"]"#, "arg1=42"], Ok(r#"{"arg0":["data=test"],"arg1":42}"#)),
            (&["echojson", "nothing=1"], Ok(r#"{"nothing":"1"}"#)),
            (&["getblock", "blockhash=00", "verbose=false"], Ok(r#"{"blockhash":"00","verbose":false}"#)),
        ];
        for (words, expected) in cases {
            check(named, words, *expected);
        }
    }

    #[test]
    fn table_is_sorted_and_has_no_duplicates() {
        for pair in table::PARAMETERS.windows(2) {
            assert!((pair[0].0, pair[0].1) <= (pair[1].0, pair[1].1), "{:?} before {:?}", pair[0], pair[1]);
        }
        for (i, entry) in table::PARAMETERS.iter().enumerate() {
            let same = |e: &&(&str, usize, &str, Format)| (e.0, e.1, e.2) == (entry.0, entry.1, entry.2);
            assert_eq!(table::PARAMETERS[..i].iter().filter(same).count(), 0, "{entry:?}");
        }
    }
}
