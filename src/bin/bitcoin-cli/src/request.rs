//! What is asked for: one plain command, or one of those the client composes itself.
//!
//! Separate from how it is sent. Invariant: composing a request has no side effect, since `-rpcwait` may do it
//! again.

use common::version;
use serde::Serialize;
use serde_json::{Value, json};

use crate::convert::{self, Params};
use crate::error::CliError;
use crate::getinfo;
use crate::netinfo::{self, View};

/// A request that is still words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A command of the server.
    Command {
        /// Its name.
        method: String,
        /// Its parameters as typed.
        words: Vec<String>,
        /// Whether `-named` applies.
        named: bool,
        /// `-rpcid`
        id: String,
    },
    /// `-getinfo`
    GetInfo(Vec<String>),
    /// `-addrinfo`
    AddrInfo(Vec<String>),
    /// `-netinfo`, and the chain that the options select.
    NetInfo(View, String),
    /// The second half of `-generate`: `nblocks address [maxtries]`.
    Generate(Vec<String>),
}

#[derive(Serialize)]
struct Body<'a> {
    method: &'a str,
    params: &'a Params,
    id: Value,
    jsonrpc: &'static str,
}

impl<'a> Body<'a> {
    fn new(method: &'a str, params: &'a Params, id: Value) -> Body<'a> {
        Body { method, params, id, jsonrpc: "2.0" }
    }
}

fn written(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("a request serializes into memory")
}

fn batch(methods: &[&str]) -> String {
    let bodies = methods.iter().enumerate().map(|(id, method)| Body::new(method, &Params::Null, json!(id)));
    written(&bodies.collect::<Vec<_>>())
}

impl Request {
    /// A command without parameters, under the default id.
    pub fn plain(method: &str) -> Request {
        Request::Command { method: method.to_owned(), words: Vec::new(), named: false, id: "1".to_owned() }
    }

    /// The JSON to send.
    pub fn body(&self) -> Result<String, CliError> {
        match self {
            Request::Command { method, words, named, id } => {
                let convert = if *named { convert::named } else { convert::positional };
                Ok(written(&Body::new(method, &convert(method, words)?, json!(id))))
            }
            Request::GetInfo(words) => {
                refuse_arguments("-getinfo", words)?;
                Ok(batch(&getinfo::METHODS))
            }
            Request::NetInfo(..) => Ok(batch(&netinfo::METHODS)),
            Request::AddrInfo(words) => {
                refuse_arguments("-addrinfo", words)?;
                Ok(written(&Body::new("getaddrmaninfo", &Params::Null, json!(1))))
            }
            Request::Generate(words) => {
                let params = convert::positional("generatetoaddress", words)?;
                Ok(written(&Body::new("generatetoaddress", &params, json!(1))))
            }
        }
    }

    /// Turns the server's answer into the reply that is shown: an object with `result` and `error`.
    pub fn reply(&self, answer: Value) -> Result<Value, CliError> {
        let reply = match self {
            Request::GetInfo(_) => getinfo::combine(answer)?,
            Request::NetInfo(view, chain) => {
                let replies = getinfo::sorted_batch(answer, netinfo::METHODS.len())?;
                if let Some(failed) = replies.iter().find(|reply| !reply["error"].is_null()) {
                    return Ok(failed.clone());
                }
                let client = format!("{} client {}", version::CLIENT_NAME, version::full_version());
                let text = netinfo::screen(*view, &replies[0]["result"], &replies[1]["result"], &client, chain);
                json!({"result": text, "error": null})
            }
            _ if !answer.is_object() => return Err(CliError::wrong_type(&answer, "object")),
            _ if !answer["error"].is_null() => answer,
            Request::Command { .. } => answer,
            Request::AddrInfo(_) => address_counts(&answer["result"]),
            Request::Generate(words) => {
                json!({"result": {"address": words.get(1), "blocks": answer["result"]}, "error": null})
            }
        };
        if reply.as_object().is_some_and(serde_json::Map::is_empty) {
            return Err(CliError::UnexpectedReply("expected reply to have result, error and id properties".to_owned()));
        }
        Ok(reply)
    }
}

fn refuse_arguments(option: &str, words: &[String]) -> Result<(), CliError> {
    if words.is_empty() { Ok(()) } else { Err(CliError::Usage(format!("{option} takes no arguments"))) }
}

fn address_counts(networks: &Value) -> Value {
    let mut known = serde_json::Map::new();
    for (network, counts) in networks.as_object().into_iter().flatten() {
        let name = if network == "all_networks" { "total" } else { network.as_str() };
        known.insert(name.to_owned(), counts["total"].clone());
    }
    json!({"result": {"addresses_known": known}, "error": null})
}

/// The arguments of `generatetoaddress` for `-generate [nblocks [maxtries]]`.
pub fn generate_arguments(address: &str, mut words: Vec<String>) -> Result<Vec<String>, CliError> {
    if words.len() > 2 {
        return Err(CliError::Usage("too many arguments (maximum 2 for nblocks and maxtries)".to_owned()));
    }
    match words.first().map(String::as_str) {
        None => words.push("1".to_owned()),
        Some("0") => {
            return Err(CliError::Usage(
                "the first argument (number of blocks to generate, default: 1) must be an integer value greater than zero"
                    .to_owned(),
            ));
        }
        Some(_) => {}
    }
    words.insert(1, address.to_owned());
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|w| w.to_string()).collect()
    }

    #[track_caller]
    fn check_body(request: Request, expected: Result<&str, &str>) {
        let got = request.body().map_err(|e| e.to_string());
        assert_eq!(got.as_deref().map_err(String::as_str), expected, "{request:?}");
    }

    #[test]
    fn bodies() {
        let command = |method: &str, list: &[&str], named| Request::Command {
            method: method.to_owned(),
            words: words(list),
            named,
            id: "my".to_owned(),
        };
        check_body(
            command("getblockhash", &["7"], false),
            Ok(r#"{"method":"getblockhash","params":[7],"id":"my","jsonrpc":"2.0"}"#),
        );
        check_body(
            command("getblockhash", &["height=7"], true),
            Ok(r#"{"method":"getblockhash","params":{"height":7},"id":"my","jsonrpc":"2.0"}"#),
        );
        check_body(command("getblockhash", &["x"], false), Err("Error parsing JSON: x"));
        check_body(Request::GetInfo(words(&["x"])), Err("-getinfo takes no arguments"));
        check_body(
            Request::AddrInfo(vec![]),
            Ok(r#"{"method":"getaddrmaninfo","params":null,"id":1,"jsonrpc":"2.0"}"#),
        );
        check_body(
            Request::Generate(words(&["3", "addr", "10"])),
            Ok(r#"{"method":"generatetoaddress","params":[3,"addr",10],"id":1,"jsonrpc":"2.0"}"#),
        );
    }

    #[track_caller]
    fn check_reply(request: Request, answer: Value, expected: Result<Value, &str>) {
        let got = request.reply(answer).map_err(|e| e.to_string());
        assert_eq!(got.as_ref().map_err(String::as_str), expected.as_ref().map_err(|e| *e), "{request:?}");
    }

    #[test]
    fn replies() {
        let plain = || Request::plain("x");
        check_reply(plain(), json!({"result": 1}), Ok(json!({"result": 1})));
        check_reply(plain(), json!({}), Err("expected reply to have result, error and id properties"));
        check_reply(plain(), json!([1]), Err("JSON value of type array is not of expected type object"));
        let error = json!({"error": {"code": -18, "message": "m"}});
        let generate = || Request::Generate(words(&["1", "addr"]));
        check_reply(generate(), error.clone(), Ok(error));
        let blocks = json!({"result": {"address": "addr", "blocks": ["00"]}, "error": null});
        check_reply(generate(), json!({"result": ["00"]}), Ok(blocks));
        let counts = json!({"result": {"ipv4": {"new": 1, "tried": 2, "total": 3}, "all_networks": {"total": 4}}});
        let shown = json!({"result": {"addresses_known": {"ipv4": 3, "total": 4}}, "error": null});
        check_reply(Request::AddrInfo(vec![]), counts, Ok(shown));
    }

    #[track_caller]
    fn check_generate(list: &[&str], expected: Result<&[&str], &str>) {
        let got = generate_arguments("addr", words(list)).map_err(|e| e.to_string());
        assert_eq!(got.as_ref().map_err(String::as_str), expected.map(words).as_ref().map_err(|e| *e), "{list:?}");
    }

    #[test]
    fn generate() {
        check_generate(&[], Ok(&["1", "addr"]));
        check_generate(&["4"], Ok(&["4", "addr"]));
        check_generate(&["4", "9"], Ok(&["4", "addr", "9"]));
        let zero =
            "the first argument (number of blocks to generate, default: 1) must be an integer value greater than zero";
        check_generate(&["0"], Err(zero));
        check_generate(&["1", "2", "3"], Err("too many arguments (maximum 2 for nblocks and maxtries)"));
    }
}
