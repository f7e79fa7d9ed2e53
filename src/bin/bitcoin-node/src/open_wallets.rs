//! Which wallets the next wallet process has to open.
//!
//! Separate from what starts the processes because it follows from requests and their answers alone: a process that is
//! asked which wallets it has open may die before it has said so.
//!
//! **Invariant:** a name leaves the list when a request to unload that wallet was carried out, and by nothing else.

use std::sync::Arc;

use interfaces::{Result, RpcRequest, WalletLoader};

/// Members of a result that are names of wallets opened by the command.
const RESULT_NAMES: [&str; 4] = ["name", "wallet_name", "watchonly_name", "solvables_name"];

/// What an RPC command does to the list of open wallets if it succeeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Opens wallets; the result names them.
    Opens,
    /// Unloads this wallet.
    Closes(String),
}

impl Effect {
    /// Returns the effect of a request; `None` if it opens and closes nothing.
    pub fn of(request: &RpcRequest) -> Option<Effect> {
        match request.method.as_str() {
            "createwallet" | "loadwallet" | "restorewallet" | "migratewallet" => Some(Effect::Opens),
            // Without a name the command is refused.
            "unloadwallet" => Some(Effect::Closes(unloaded(request)?)),
            _ => None,
        }
    }
}

/// Names of the wallets that are open, or have to be opened again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenWallets {
    /// Those configured for start-up were opened, but the process died before it could be asked for their names.
    pub configured: bool,
    /// Without repetitions, in the order in which they were opened.
    pub names: Vec<String>,
}

impl OpenWallets {
    /// Asks for the names of the wallets that are open. Any failure, even of one wallet, is a failure of all: it does not
    /// say that a wallet is closed.
    pub fn list(loader: &Arc<dyn WalletLoader>) -> Result<Vec<String>> {
        loader.wallets()?.into_iter().map(|wallet| wallet.info().map(|info| info.name)).collect()
    }

    /// Notes that a wallet was opened.
    pub fn opened(&mut self, name: &str) {
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
        }
    }

    /// Notes what an RPC command did that succeeded with `result`.
    pub fn apply(&mut self, effect: &Effect, result: &str) {
        match effect {
            Effect::Closes(name) => self.names.retain(|known| known != name),
            Effect::Opens => {
                let Ok(result) = common::json::parse(result.as_bytes()) else { return };
                for name in RESULT_NAMES.iter().filter_map(|member| result.get(member)?.as_str()) {
                    self.opened(name);
                }
            }
        }
    }
}

/// Returns the name of the wallet that a request is to unload.
fn unloaded(request: &RpcRequest) -> Option<String> {
    let request = rpc::Request::try_from(request.clone()).ok()?;
    let params = &request.params;
    // By position, by name, or by position among named ones.
    let name = || params.get(0).or_else(|| params.get("wallet_name")).or_else(|| params.get("args")?.get(0));
    request.wallet().or_else(|| Some(name()?.as_str()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, params: &str, uri: &str) -> RpcRequest {
        RpcRequest {
            method: method.to_owned(),
            params: params.to_owned(),
            uri: uri.to_owned(),
            user: String::new(),
            tip: None,
        }
    }

    #[test]
    fn names_follow_from_requests_and_answers() {
        let mut open = OpenWallets::default();
        let mut check = |method, params, uri, result, expected: &[&str]| {
            if let Some(effect) = Effect::of(&request(method, params, uri)) {
                open.apply(&effect, result);
            }
            assert_eq!(open.names, expected, "{method} {params} {uri}");
        };
        check("createwallet", r#"["a"]"#, "/", r#"{"name":"a"}"#, &["a"]);
        check("loadwallet", r#"["b c"]"#, "/", r#"{"name":"b c","warnings":["x"]}"#, &["a", "b c"]);
        check("loadwallet", r#"["a"]"#, "/", r#"{"name":"a"}"#, &["a", "b c"]);
        check("restorewallet", r#"["","file"]"#, "/", r#"{"name":""}"#, &["a", "b c", ""]);
        check("getbalance", "[]", "/wallet/a", r#"{"name":"z"}"#, &["a", "b c", ""]);
        check("unloadwallet", "[]", "/wallet/b%20c", "{}", &["a", ""]);
        check("unloadwallet", r#"[""]"#, "/", "{}", &["a"]);
        check("createwallet", r#"["d"]"#, "/", r#"{"name":"d"}"#, &["a", "d"]);
        check("createwallet", r#"["e"]"#, "/", r#"{"name":"e"}"#, &["a", "d", "e"]);
        check("unloadwallet", r#"{"wallet_name":"d"}"#, "/", "{}", &["a", "e"]);
        check("unloadwallet", r#"{"args":["e"]}"#, "/", "{}", &["a"]);
        check("unloadwallet", "nonsense", "/", "{}", &["a"]);
    }
}
