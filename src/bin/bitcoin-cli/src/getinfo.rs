//! `-getinfo`: several answers combined into one screen of text.
//!
//! Separate because it is the only result the client lays out itself. Invariant: the lines and their order are
//! Bitcoin Core's; colour adds escape sequences and changes nothing else.

use serde_json::{Map, Value, json};

use crate::error::CliError;
use crate::output::scalar_text;

/// The commands of the batch; the position is the request's id.
pub const METHODS: [&str; 4] = ["getnetworkinfo", "getblockchaininfo", "getwalletinfo", "getbalances"];

/// Picks the fields from a batch answer; errors of the first two commands end it, the wallet's do not.
pub fn combine(answer: Value) -> Result<Value, CliError> {
    let replies = sorted_batch(answer, METHODS.len())?;
    for essential in &replies[..2] {
        if !essential["error"].is_null() {
            return Ok(essential.clone());
        }
    }
    let [network, blockchain, wallet, balances] = [0, 1, 2, 3].map(|id| &replies[id]["result"]);
    let mut info = Map::new();
    let mut take = |name: &str, value: &Value| info.insert(name.to_owned(), value.clone());
    take("version", &network["version"]);
    take("blocks", &blockchain["blocks"]);
    take("headers", &blockchain["headers"]);
    take("verificationprogress", &blockchain["verificationprogress"]);
    take("timeoffset", &network["timeoffset"]);
    let (inbound, outbound, total) = (&network["connections_in"], &network["connections_out"], &network["connections"]);
    take("connections", &json!({"in": inbound, "out": outbound, "total": total}));
    take("networks", &network["networks"]);
    take("difficulty", &blockchain["difficulty"]);
    take("chain", &blockchain["chain"]);
    if !wallet.is_null() {
        take("has_wallet", &Value::Bool(true));
        take("keypoolsize", &wallet["keypoolsize"]);
        take("walletname", &wallet["walletname"]);
        if !wallet["unlocked_until"].is_null() {
            take("unlocked_until", &wallet["unlocked_until"]);
        }
    }
    if !balances.is_null() {
        take("balance", &balances["mine"]["trusted"]);
    }
    take("relayfee", &network["relayfee"]);
    take("warnings", &network["warnings"]);
    Ok(json!({"result": info, "error": null}))
}

/// Sorts the answer to a batch of `count` requests with the ids 0, 1, ... by id.
pub fn sorted_batch(answer: Value, count: usize) -> Result<Vec<Value>, CliError> {
    let batch_error = |text: &str| CliError::UnexpectedReply(text.to_owned());
    let Value::Array(members) = answer else { return Err(batch_error("Batch must be an array")) };
    let mut replies = vec![Value::Null; count];
    for member in members {
        if !member.is_object() {
            return Err(batch_error("Batch member must be an object"));
        }
        let id = member["id"].as_u64().and_then(|id| usize::try_from(id).ok());
        let slot = id.and_then(|id| replies.get_mut(id));
        *slot.ok_or_else(|| batch_error("Batch member id is larger than batch size"))? = member;
    }
    Ok(replies)
}

/// Whether to colour, from `-color` and whether standard output is a terminal.
pub fn colored(setting: &str, terminal: bool) -> Result<bool, CliError> {
    match setting {
        "always" => Ok(true),
        "never" => Ok(false),
        "auto" => Ok(terminal),
        _ => Err(CliError::Usage("Invalid value for -color option. Valid values: always, auto, never.".to_owned())),
    }
}

const RESET: &str = "\x1b[0m";
const GREEN: &str = "\x1b[32m";
const BLUE: &str = "\x1b[34m";
const YELLOW: &str = "\x1b[33m";
const MAGENTA: &str = "\x1b[35m";
const CYAN: &str = "\x1b[36m";

/// The screen; `wallets` are the balances of all loaded wallets, given where there are several and none was chosen.
pub fn screen(info: &Value, wallets: Option<&[(String, Value)]>, colored: bool) -> String {
    let color = |code: &'static str| if colored { code } else { "" };
    let reset = color(RESET);
    let field = |name: &str| scalar_text(&info[name]);
    let mut text = format!("{}Chain: {}{reset}\n", color(BLUE), field("chain"));
    let mut line = |new: String| {
        text.push_str(&new);
        text.push('\n');
    };
    line(format!("Blocks: {}", field("blocks")));
    line(format!("Headers: {}", field("headers")));
    let progress = info["verificationprogress"].as_f64().unwrap_or(0.0);
    line(format!("Verification progress: {}{:.4}%", progress_bar(progress), progress * 100.0));
    line(format!("Difficulty: {}\n", field("difficulty")));
    let peers = |name: &str| scalar_text(&info["connections"][name]);
    line(format!("{}Network: in {}, out {}, total {}{reset}", color(GREEN), peers("in"), peers("out"), peers("total")));
    line(format!("Version: {}", field("version")));
    line(format!("Time offset (s): {}", field("timeoffset")));
    line(format!("Proxies: {}", proxies(&info["networks"])));
    line(format!("Min tx relay fee rate (BTC/kvB): {}\n", field("relayfee")));
    if !info["has_wallet"].is_null() {
        line(format!("{}Wallet: {}{reset}", color(MAGENTA), shown_name(&field("walletname"))));
        line(format!("Keypool size: {}", field("keypoolsize")));
        if !info["unlocked_until"].is_null() {
            line(format!("Unlocked until: {}", field("unlocked_until")));
        }
    }
    if !info["balance"].is_null() {
        line(format!("{}Balance:{reset} {}\n", color(CYAN), field("balance")));
    }
    if let Some(wallets) = wallets {
        line(format!("{}Balances{reset}", color(CYAN)));
        let width = wallets.iter().map(|(_, balance)| scalar_text(balance).len()).fold(10, usize::max);
        for (name, balance) in wallets {
            line(format!("{:>width$} {}", scalar_text(balance), shown_name(name)));
        }
        line(String::new());
    }
    text + &format!("{}Warnings:{reset} {}", color(YELLOW), warnings(&info["warnings"]))
}

fn shown_name(wallet: &str) -> &str {
    if wallet.is_empty() { "\"\"" } else { wallet }
}

/// The server sends a list, or a text under `-deprecatedrpc=warnings`. As in Core, only a text is shown.
fn warnings(value: &Value) -> String {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or("(none)").to_owned()
}

/// `proxy (networks that use it)`, in order of first use.
fn proxies(networks: &Value) -> String {
    let mut by_proxy: Vec<(String, Vec<String>)> = Vec::new();
    for network in networks.as_array().into_iter().flatten() {
        let (proxy, name) = (scalar_text(&network["proxy"]), scalar_text(&network["name"]));
        match by_proxy.iter_mut().find(|(known, _)| *known == proxy) {
            _ if proxy.is_empty() => {}
            Some((_, names)) => names.push(name),
            None => by_proxy.push((proxy, vec![name])),
        }
    }
    if by_proxy.is_empty() {
        return "n/a".to_owned();
    }
    let shown: Vec<String> = by_proxy.iter().map(|(proxy, names)| format!("{proxy} ({})", names.join(", "))).collect();
    shown.join(", ")
}

/// Twenty blocks and a space while the chain is being verified, nothing from 99 % on.
fn progress_bar(progress: f64) -> String {
    const STEP: f64 = 0.05;
    if progress >= 0.99 {
        return String::new();
    }
    let mut bar = String::new();
    if (0.0..=1.0).contains(&progress) {
        let blocks = |part: f64| (0..).take_while(move |i| f64::from(*i) < part / STEP);
        bar.extend(blocks(progress).map(|_| '\u{2592}'));
        bar.extend(blocks(1.0 - progress).map(|_| '\u{2591}'));
    }
    bar.push(' ');
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Value {
        json!([
            {"id": 1, "result": {"blocks": 101, "headers": 101, "verificationprogress": 1, "difficulty": 4.6e-10, "chain": "regtest"}},
            {"id": 0, "result": {"version": 319900, "timeoffset": 0, "connections_in": 1, "connections_out": 2,
                "connections": 3, "relayfee": 0.00000100, "warnings": [],
                "networks": [{"name": "ipv4", "proxy": "p:1"}, {"name": "i2p", "proxy": "q:2"}, {"name": "onion", "proxy": "p:1"}]}},
            {"id": 2, "result": {"keypoolsize": 4000, "walletname": ""}},
            {"id": 3, "result": {"mine": {"trusted": 50}}},
        ])
    }

    #[test]
    fn screen_of_one_wallet() {
        let reply = combine(answer()).unwrap();
        let expected = "Chain: regtest\nBlocks: 101\nHeaders: 101\nVerification progress: 100.0000%\n\
            Difficulty: 4.6e-10\n\nNetwork: in 1, out 2, total 3\nVersion: 319900\nTime offset (s): 0\n\
            Proxies: p:1 (ipv4, onion), q:2 (i2p)\nMin tx relay fee rate (BTC/kvB): 1e-6\n\n\
            Wallet: \"\"\nKeypool size: 4000\nBalance: 50\n\nWarnings: (none)";
        assert_eq!(screen(&reply["result"], None, false), expected);
        let colored = screen(&reply["result"], None, true);
        assert!(colored.starts_with("\x1b[34mChain: regtest\x1b[0m\n"), "{colored:?}");
        assert_eq!(colored.matches(RESET).count(), 5);
    }

    #[test]
    fn screen_of_several_wallets() {
        let reply = combine(json!([answer()[0], answer()[1]])).unwrap();
        let wallets =
            [("".to_owned(), json!(1)), ("long".to_owned(), serde_json::from_str("1234567.12345678").unwrap())];
        let text = screen(&reply["result"], Some(&wallets), false);
        assert!(text.contains("\nBalances\n               1 \"\"\n1234567.12345678 long\n\nWarnings"), "{text}");
        assert!(!text.contains("Balance:") && !text.contains("Wallet:"), "{text}");
    }

    #[test]
    fn bad_answers() {
        let error = |value| combine(value).unwrap_err().to_string();
        assert_eq!(error(json!({})), "Batch must be an array");
        assert_eq!(error(json!([1])), "Batch member must be an object");
        assert_eq!(error(json!([{"id": 4}])), "Batch member id is larger than batch size");
        let failed = json!({"id": 1, "error": {"code": -28, "message": "Loading"}});
        assert_eq!(combine(json!([failed])).unwrap(), failed);
    }

    #[test]
    fn progress() {
        assert_eq!(progress_bar(0.995), "");
        assert_eq!(progress_bar(0.0), "\u{2591}".repeat(20) + " ");
        assert_eq!(progress_bar(0.5), "\u{2592}".repeat(10) + &"\u{2591}".repeat(10) + " ");
    }
}
