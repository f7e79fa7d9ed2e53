//! `-netinfo`: the node's connections as a screen of text.
//!
//! Separate because it lays out its own table. Invariant: the columns are Bitcoin Core's; people read this screen and
//! `watch` repeats it, but its layout is no stable interface.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::error::CliError;
use crate::output::scalar_text;

/// The commands of the batch; the position is the request's id.
pub const METHODS: [&str; 2] = ["getpeerinfo", "getnetworkinfo"];

const MAX_LEVEL: u8 = 4;

/// Networks by the name the server uses, with the short one of the table; the first and last cannot be reached.
const NETWORKS: [(&str, &str); 7] = [
    ("not_publicly_routable", "npr"),
    ("ipv4", "ipv4"),
    ("ipv6", "ipv6"),
    ("onion", "onion"),
    ("i2p", "i2p"),
    ("cjdns", "cjdns"),
    ("internal", "int"),
];
const UNREACHABLE: [usize; 2] = [0, 6];

/// What the words after `-netinfo` ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    level: u8,
    outbound_only: bool,
}

impl View {
    /// Reads `[level [outonly]]`; further words are ignored.
    pub fn parse(words: &[String]) -> Result<View, CliError> {
        let Some(first) = words.first() else { return Ok(View::default()) };
        let more = "For more information, run: bitcoin-cli -netinfo help";
        let level: u8 = Some(first)
            .filter(|word| word.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|word| word.parse().ok())
            .ok_or_else(|| CliError::Usage(format!("invalid -netinfo level argument: {first}\n{more}")))?;
        let outbound_only = match words.get(1).map(String::as_str) {
            None => false,
            Some("o" | "outonly") if level > 0 => true,
            Some(word) => {
                let why = if level > 0 {
                    ""
                } else {
                    "The outonly argument is only valid for a level greater than 0 (the first argument). "
                };
                return Err(CliError::Usage(format!("invalid -netinfo outonly argument: {word}\n{why}{more}")));
            }
        };
        Ok(View { level: level.min(MAX_LEVEL), outbound_only })
    }

    fn details(self) -> bool {
        self.level > 0
    }

    fn addresses(self) -> bool {
        self.level == 2 || self.level == 4
    }

    fn versions(self) -> bool {
        self.level == 3 || self.level == 4
    }
}

/// The text of `-netinfo help`.
pub const HELP: &str = "\
-netinfo (level [outonly]) | help

Shows the node's connections, as getpeerinfo and getnetworkinfo report them. Made for people: the layout may change.

Arguments:
1. level (0-4, default 0)  How much is shown of each peer:
                           0 - nothing: only counts by network, and the local addresses
                           1 - a line, without address and version
                           2 - the same with the address
                           3 - the same with the version
                           4 - the same with both
2. outonly, or o           Only outbound peers, with level 1 to 4

Columns of a peer's line:
  <->      direction: in or out
  type     full, block (relay only), manual, feeler, addr (fetch) or priv (private broadcast)
  net      ipv4, ipv6, onion, i2p, cjdns, npr (not publicly routable) or int (internal)
  serv     services: n network, b bloom, w witness, c compact filters, l network limited, 2 P2P v2, u unknown
  v        version of the transport protocol
  mping    lowest ping time, milliseconds
  ping     last ping time, milliseconds
  send     seconds since something was sent
  recv     seconds since something was received
  txn      minutes since a new transaction came; * if none are relayed
  blk      minutes since a new block came
  hb       high-bandwidth compact block relay: . to the peer, * from the peer
  addrp    addresses processed; . if none are relayed
  addrl    addresses dropped by the rate limit
  age      minutes connected
  asmap    mapped AS number, only with -asmap
  id       number of the peer
  address  its address and port
  version  its protocol version and software

Examples:
> bitcoin-cli -netinfo
> bitcoin-cli -netinfo 4 outonly
> watch --interval 1 --no-title bitcoin-cli -netinfo 4";

/// Text of a time in milliseconds, from seconds; empty where it is not known.
fn ping(seconds: &Value) -> String {
    match seconds.as_f64().map(|seconds| (1000.0 * seconds).round()) {
        None => String::new(),
        Some(milliseconds) if milliseconds > 999_999.0 => "-".to_owned(),
        Some(milliseconds) => format!("{milliseconds}"),
    }
}

fn connection_type(long: &str) -> &str {
    match long {
        "outbound-full-relay" => "full",
        "block-relay-only" => "block",
        "manual" | "feeler" => long,
        "addr-fetch" => "addr",
        "private-broadcast" => "priv",
        _ => "",
    }
}

fn names(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// One letter a service.
fn service_letters(list: &Value) -> String {
    let letter = |name: &str| match name {
        "NETWORK_LIMITED" => Some('l'),
        "P2P_V2" => Some('2'),
        other => other.chars().next().map(|first| first.to_ascii_lowercase()),
    };
    names(list).filter_map(letter).collect()
}

fn network_of(value: &Value) -> Option<usize> {
    NETWORKS.iter().position(|(name, _)| value.as_str() == Some(name))
}

/// Number of peers: inbound, outbound and all; by network, with the sum in the last place.
#[derive(Default)]
struct Counts {
    by_network: [[u32; NETWORKS.len() + 1]; 3],
    block_relay: u32,
    manual: u32,
}

impl Counts {
    fn of(peers: &[&Value]) -> Counts {
        let mut counts = Counts::default();
        for peer in peers {
            let Some(network) = network_of(&peer["network"]) else { continue };
            for row in [usize::from(peer["inbound"] == Value::Bool(false)), 2] {
                counts.by_network[row][network] += 1;
                counts.by_network[row][NETWORKS.len()] += 1;
            }
            counts.block_relay += u32::from(peer["connection_type"] == "block-relay-only");
            counts.manual += u32::from(peer["connection_type"] == "manual");
        }
        counts
    }
}

/// The cells of one peer's line, in the order of the columns.
struct Line {
    order: (bool, f64),
    cells: Vec<String>,
}

/// `(title, least width)`: aligned to the right where the width is positive; a column grows with its widest cell.
const COLUMNS: [(&str, i32); 15] = [
    ("<->", 3),
    ("type", 7),
    ("net", 6),
    ("serv", 7),
    ("v", 3),
    ("mping", 7),
    ("ping", 7),
    ("send", 5),
    ("recv", 5),
    ("txn", 5),
    ("blk", 5),
    ("hb", 4),
    ("addrp", 6),
    ("addrl", 7),
    ("age", 6),
];

fn line(peer: &Value, now: i64, view: View, asmap: bool) -> Option<Line> {
    let network = NETWORKS[network_of(&peer["network"])?].1;
    let outbound = peer["inbound"] == Value::Bool(false);
    let text = |name: &str| scalar_text(&peer[name]);
    let count = |name: &str| peer[name].as_i64().unwrap_or(0);
    let since = |name: &str, unit: i64, never: &str| match count(name) {
        0 => never.to_owned(),
        time => ((now - time) / unit).to_string(),
    };
    let number = |name: &str, zero: &str| match count(name) {
        0 => zero.to_owned(),
        some => some.to_string(),
    };
    let flag = |name: &str| peer[name] == Value::Bool(true);
    let mark = |name: &str, mark: char| if flag(name) { mark } else { ' ' };
    let transport = text("transport_protocol_type");
    let mut cells = vec![
        if outbound { "out" } else { "in" }.to_owned(),
        connection_type(&text("connection_type")).to_owned(),
        network.to_owned(),
        service_letters(&peer["servicesnames"]),
        transport.strip_prefix('v').filter(|version| version.len() == 1).unwrap_or("").to_owned(),
        ping(&peer["minping"]),
        ping(&peer["pingtime"]),
        since("lastsend", 1, ""),
        since("lastrecv", 1, ""),
        since("last_transaction", 60, if peer["relaytxes"] == Value::Bool(false) { "*" } else { "" }),
        since("last_block", 60, ""),
        format!("{}{}", mark("bip152_hb_to", '.'), mark("bip152_hb_from", '*')),
        number("addr_processed", if flag("addr_relay_enabled") { "" } else { "." }),
        number("addr_rate_limited", ""),
        since("conntime", 60, ""),
    ];
    if asmap {
        cells.push(number("mapped_as", ""));
    }
    cells.push(text("id"));
    if view.addresses() {
        cells.push(text("addr"));
    }
    if view.versions() {
        let version = text("version") + &text("subver");
        cells.push(if version == "0" { String::new() } else { version });
    }
    Some(Line { order: (outbound, peer["minping"].as_f64().unwrap_or(-1.0)), cells })
}

fn peer_table(peers: &[&Value], now: i64, view: View) -> String {
    let asmap = peers.iter().any(|peer| peer["mapped_as"].as_i64().unwrap_or(0) != 0);
    let shown = peers.iter().filter(|peer| !view.outbound_only || peer["inbound"] == Value::Bool(false));
    let mut lines: Vec<Line> = shown.filter_map(|peer| line(peer, now, view, asmap)).collect();
    if lines.is_empty() {
        return String::new();
    }
    lines.sort_by(|a, b| a.order.0.cmp(&b.order.0).then(a.order.1.total_cmp(&b.order.1)));
    let mut columns: Vec<(&str, i32)> = COLUMNS.to_vec();
    if asmap {
        columns.push(("asmap", 7));
    }
    columns.push(("id", 3));
    if view.addresses() {
        columns.push(("address", -8));
    }
    if view.versions() {
        columns.push(("version", -8));
    }
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| {
            lines
                .iter()
                .map(|line| line.cells[at].chars().count() + 1)
                .fold(columns[at].1.unsigned_abs() as usize, usize::max)
        })
        .collect();
    let row = |cells: Vec<&str>| {
        let mut text = String::new();
        for ((cell, (_, alignment)), width) in cells.iter().zip(&columns).zip(&widths) {
            // Writing into a string cannot fail.
            let _ = if *alignment < 0 { write!(text, " {cell:<width$}") } else { write!(text, "{cell:>width$}") };
        }
        text.truncate(text.trim_end().len());
        text + "\n"
    };
    let mut table = row(columns.iter().map(|(title, _)| *title).collect());
    for line in &lines {
        table += &row(line.cells.iter().map(String::as_str).collect());
    }
    let units = ["", "", "", "", "", "ms", "ms", "sec", "sec", "min", "min", "", "", "", "min"];
    table += &row(units.to_vec());
    table + "\n"
}

fn count_table(peers: &[&Value], network_info: &Value) -> String {
    let counts = Counts::of(peers);
    let listed = network_info["networks"].as_array().into_iter().flatten();
    let mut columns: Vec<(usize, &str)> = listed
        .filter(|network| network["reachable"] == Value::Bool(true))
        .filter_map(|network| network_of(&network["name"]))
        .map(|network| (network, NETWORKS[network].0))
        .collect();
    columns.extend(UNREACHABLE.iter().filter(|n| counts.by_network[2][**n] > 0).map(|n| (*n, NETWORKS[*n].1)));
    let mut text = " ".repeat(5);
    for (_, title) in &columns {
        text += &format!("{title:>8}");
    }
    text += "   total   block";
    if counts.manual > 0 {
        text += "  manual";
    }
    for (row, title) in ["in", "out", "total"].into_iter().enumerate() {
        text += &format!("\n{title:<5}");
        for (network, _) in &columns {
            text += &format!("{:>8}", counts.by_network[row][*network]);
        }
        text += &format!("   {:>5}", counts.by_network[row][NETWORKS.len()]);
        if title == "out" {
            text += &format!("   {:>5}", counts.block_relay);
            if counts.manual > 0 {
                text += &format!("   {:>5}", counts.manual);
            }
        }
    }
    text
}

fn local_addresses(network_info: &Value) -> String {
    let addresses: Vec<&Value> = network_info["localaddresses"].as_array().into_iter().flatten().collect();
    if addresses.is_empty() {
        return "\n\nLocal addresses: n/a\n".to_owned();
    }
    let text = |address: &Value, name: &str| scalar_text(&address[name]);
    let width = addresses.iter().map(|address| text(address, "address").len() + 1).max().unwrap_or(0);
    let line = |address: &&Value| {
        format!(
            "\n{:<width$}    port {:>6}    score {:>6}",
            text(address, "address"),
            text(address, "port"),
            text(address, "score")
        )
    };
    "\n\nLocal addresses".to_owned() + &addresses.iter().map(line).collect::<String>()
}

/// The screen, from the results of both commands. `client` is name and version of this program, `chain` that of the
/// options; the main chain is not named.
pub fn screen(view: View, peers: &Value, network_info: &Value, client: &str, chain: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64);
    let peers: Vec<&Value> = peers.as_array().into_iter().flatten().collect();
    let services = &network_info["localservicesnames"];
    let chain = match chain {
        "main" => String::new(),
        "test" => " testnet".to_owned(),
        other => format!(" {other}"),
    };
    let mut text = format!(
        "{client}{chain} - server {}{}",
        scalar_text(&network_info["protocolversion"]),
        scalar_text(&network_info["subversion"])
    );
    if view.details() {
        text += &format!(" - services {}", service_letters(services));
    }
    text += "\n\n";
    if view.details() {
        text += &peer_table(&peers, now, view);
    }
    text += &count_table(&peers, network_info);
    if !view.details() {
        let list: Vec<String> = names(services).map(|name| name.replace('_', " ").to_lowercase()).collect();
        text += &format!("\n\nLocal services: {}", list.join(", "));
    }
    text + &local_addresses(network_info)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn view(words: &[&str]) -> Result<View, String> {
        View::parse(&words.iter().map(|w| w.to_string()).collect::<Vec<_>>()).map_err(|e| e.to_string())
    }

    #[test]
    fn views() {
        let more = "For more information, run: bitcoin-cli -netinfo help";
        assert_eq!(view(&[]), Ok(View::default()));
        assert_eq!(view(&["9", "o", "x"]), Ok(View { level: 4, outbound_only: true }));
        assert_eq!(view(&["x"]), Err(format!("invalid -netinfo level argument: x\n{more}")));
        assert_eq!(view(&["256"]), Err(format!("invalid -netinfo level argument: 256\n{more}")));
        assert_eq!(view(&["1", "in"]), Err(format!("invalid -netinfo outonly argument: in\n{more}")));
        let only = "The outonly argument is only valid for a level greater than 0 (the first argument). ";
        assert_eq!(view(&["0", "o"]), Err(format!("invalid -netinfo outonly argument: o\n{only}{more}")));
    }

    fn network_info() -> Value {
        json!({"protocolversion": 70016, "subversion": "/Satoshi:31.99.0/",
            "localservicesnames": ["NETWORK", "WITNESS", "NETWORK_LIMITED"],
            "networks": [{"name": "ipv4", "reachable": true}, {"name": "onion", "reachable": false}],
            "localaddresses": [{"address": "1.2.3.4", "port": 8333, "score": 4}]})
    }

    #[test]
    fn no_peers() {
        let mut info = network_info();
        let text = screen(View::default(), &json!([]), &info, "Core client v1", "regtest");
        let expected = "Core client v1 regtest - server 70016/Satoshi:31.99.0/\n\n         ipv4   total   block\n\
            in          0       0\nout         0       0       0\ntotal       0       0\n\n\
            Local services: network, witness, network limited\n\n\
            Local addresses\n1.2.3.4     port   8333    score      4";
        assert_eq!(text, expected);
        info["localaddresses"] = json!([]);
        let text = screen(View { level: 1, outbound_only: false }, &json!([]), &info, "c", "main");
        assert!(text.starts_with("c - server 70016/Satoshi:31.99.0/ - services nwl\n\n     "), "{text}");
        assert!(text.ends_with("\n\nLocal addresses: n/a\n") && !text.contains("Local services"), "{text}");
    }

    #[test]
    fn peers() {
        let peer = |id: u32, inbound: bool, kind: &str, minping: f64| {
            json!({"id": id, "network": "ipv4", "inbound": inbound, "connection_type": kind, "minping": minping,
                "pingtime": 0.0204, "servicesnames": ["NETWORK", "P2P_V2"], "transport_protocol_type": "v2", "relaytxes": false,
                "version": 70016, "subver": "/x/", "addr": "9.9.9.9:1", "bip152_hb_to": true, "bip152_hb_from": true})
        };
        let list = json!([
            peer(7, false, "manual", 0.5),
            peer(8, true, "inbound", 2000.0),
            peer(9, false, "block-relay-only", 0.01)
        ]);
        let text = screen(View { level: 4, outbound_only: false }, &list, &network_info(), "c", "main");
        let lines: Vec<&str> = text.lines().skip(2).collect();
        let words = |at: usize| lines[at].split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(0), "<-> type net serv v mping ping send recv txn blk hb addrp addrl age id address version");
        assert_eq!(words(1), "in ipv4 n2 2 - 20 * .* . 8 9.9.9.9:1 70016/x/");
        assert_eq!(words(2), "out block ipv4 n2 2 10 20 * .* . 9 9.9.9.9:1 70016/x/");
        assert_eq!(words(3), "out manual ipv4 n2 2 500 20 * .* . 7 9.9.9.9:1 70016/x/");
        assert!(
            text.contains("\nin          1       1\nout         2       2       1       1\ntotal       3       3"),
            "{text}"
        );
        let only = screen(View { level: 1, outbound_only: true }, &list, &network_info(), "c", "main");
        assert!(!only.contains("9.9.9.9") && only.matches(" ipv4 ").count() == 3, "{only}");
    }
}
