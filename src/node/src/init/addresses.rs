//! Options that name networks, proxies and addresses of this host. Most are not available yet; values that Bitcoin Core
//! would refuse get its message all the same, before the options themselves are refused.
//!
//! Apart from the other checks because Core looks at these late: some before the RPC server starts, the rest after it.

use std::collections::BTreeSet;
use std::path::Path;

use common::args::Args;
use common::chain::Chain;

/// Networks `-onlynet` knows.
const NETWORKS: [&str; 5] = ["ipv4", "ipv6", "onion", "i2p", "cjdns"];
/// Ports that are not written: of a SOCKS proxy of Tor's, and of an I2P router.
const SOCKS_PORT: u16 = 9050;
const SAM_PORT: u16 = 7656;

/// Networks that automatic connections may be made to.
struct Reachable {
    /// Those of `-onlynet`; none if it is not given.
    only: Option<BTreeSet<String>>,
}

impl Reachable {
    fn read(args: &Args) -> Result<Self, String> {
        let names = args.get_all("onlynet");
        if names.is_empty() {
            return Ok(Reachable { only: None });
        }
        let mut only = BTreeSet::new();
        for name in names {
            let network = name.to_ascii_lowercase();
            if !NETWORKS.contains(&network.as_str()) {
                return Err(format!("Unknown network specified in -onlynet: '{name}'"));
            }
            only.insert(network);
        }
        Ok(Reachable { only: Some(only) })
    }

    /// Says whether connections are restricted to some networks, of which this is one.
    fn asks_for(&self, network: &str) -> bool {
        self.only.as_ref().is_some_and(|only| only.contains(network))
    }

    fn has(&self, network: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(network))
    }
}

/// Checks what must be known before the RPC server starts.
pub(super) fn check_networks(args: &Args) -> Result<(), String> {
    let reachable = Reachable::read(args)?;
    if reachable.asks_for("cjdns") && !args.is_set("cjdnsreachable") {
        return Err(
            "Outbound connections restricted to CJDNS (-onlynet=cjdns) but -cjdnsreachable is not provided".into()
        );
    }
    Ok(())
}

/// Checks the rest.
pub(super) fn check(args: &Args, chain: Chain, net_datadir: &Path) -> Result<(), String> {
    let reachable = Reachable::read(args)?;
    asmap(args, net_datadir)?;
    if args.opt_bool("dnsseed") == Some(true) && !reachable.has("ipv4") && !reachable.has("ipv6") {
        return Err("Incompatible options: -dnsseed=1 was explicitly specified, but -onlynet forbids connections to \
                    IPv4/IPv6"
            .to_owned());
    }
    let dns = args.get_bool("dns");
    let proxied = proxies(args, dns)?;
    onion(args, dns, &reachable, proxied)?;
    let port = u16::try_from(args.get_int("port")).ok().filter(|port| *port != 0).unwrap_or(chain.p2p_port());
    for address in args.get_all("externalip") {
        if !is_hidden_service(&address) && p2p::lookup(&address, port, dns).is_none() {
            return Err(format!("Cannot resolve -externalip address: '{address}'"));
        }
    }
    // Bitcoin Core takes a negation for an address and refuses it; whoever turns I2P off is right here.
    let sam = args.get("i2psam").filter(|sam| sam != "0").unwrap_or_default();
    if sam.is_empty() && reachable.asks_for("i2p") {
        return Err("Outbound connections restricted to i2p (-onlynet=i2p) but -i2psam is not provided".to_owned());
    }
    if !sam.is_empty() && p2p::lookup(&sam, SAM_PORT, dns).is_none() {
        return Err(format!("Invalid -i2psam address or hostname: '{sam}'"));
    }
    Ok(())
}

fn asmap(args: &Args, net_datadir: &Path) -> Result<(), String> {
    // Without a name the map that Core has built in is meant.
    let Some(name) = args.get("asmap").filter(|_| !args.is_negated("asmap") && !args.get_bool("asmap")) else {
        return Ok(());
    };
    let path = net_datadir.join(common::lossless::to_path(&name));
    let (exists, size) = (path.exists(), path.metadata().map_or(0, |file| file.len()));
    match (exists, size) {
        (false, _) => Err(format!("Could not find asmap file \"{}\"", path.display())),
        (true, 0) => Err(format!("Could not parse asmap file \"{}\"", path.display())),
        _ => Ok(()),
    }
}

/// Checks the proxies; says whether there is one for onion addresses.
fn proxies(args: &Args, dns: bool) -> Result<bool, String> {
    let mut onion = false;
    for value in args.get_all("proxy") {
        let (proxy, network) = match value.rsplit_once('=') {
            Some((_, "")) => return Err(format!("Invalid -proxy address or hostname, ends with '=': '{value}'")),
            Some((proxy, network)) => (proxy, network.to_ascii_lowercase()),
            None => (value.as_str(), String::new()),
        };
        let none = proxy.is_empty() || proxy == "0";
        if !none && !is_proxy(proxy, dns) {
            return Err(format!("Invalid -proxy address or hostname: '{proxy}'"));
        }
        match network.as_str() {
            "" | "onion" => onion = !none,
            "ipv4" | "ipv6" | "cjdns" => {}
            _ => return Err(format!("Unrecognized network in -proxy='{value}': '{network}'")),
        }
    }
    Ok(onion)
}

/// Checks the proxy for onion addresses, and whether there is one where only those may be connected to.
fn onion(args: &Args, dns: bool, reachable: &Reachable, mut proxied: bool) -> Result<(), String> {
    let restricted =
        "Outbound connections restricted to Tor (-onlynet=onion) but the proxy for reaching the Tor network is";
    let value = args.get("onion").unwrap_or_default();
    match value.as_str() {
        "" => {}
        "0" if reachable.asks_for("onion") => return Err(format!("{restricted} explicitly forbidden: -onion=0")),
        "0" => proxied = false,
        proxy if is_proxy(proxy, dns) => proxied = true,
        _ => return Err(format!("Invalid -onion address or hostname: '{value}'")),
    }
    if reachable.asks_for("onion") && !proxied && !args.get_bool("listenonion") {
        return Err(format!("{restricted} not provided: none of -proxy, -onion or -listenonion is given"));
    }
    Ok(())
}

fn is_proxy(text: &str, dns: bool) -> bool {
    text.starts_with("unix:") || p2p::lookup(text, SOCKS_PORT, dns).is_some()
}

/// Says whether it looks like a service of Tor or I2P: so many base32 digits and an ending.
fn is_hidden_service(text: &str) -> bool {
    let host = text.rsplit_once(':').map_or(text, |(host, _)| host);
    let is_named = |digits: usize, ending: &str| {
        host.strip_suffix(ending).is_some_and(|name| {
            name.len() == digits && name.bytes().all(|byte| byte.is_ascii_alphabetic() || (b'2'..=b'7').contains(&byte))
        })
    };
    is_named(56, ".onion") || is_named(52, ".b32.i2p")
}

#[cfg(test)]
mod tests {
    use common::args::Program;

    use super::*;

    #[test]
    fn refusals() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let check = |options: &[&str], expected: Option<&str>| {
            let argv = ["bitcoind", "-dns=0"].iter().chain(options).copied();
            let args = Args::parse(Program::Bitcoind, argv).expect("known options");
            let found = check_networks(&args).and_then(|()| check(&args, Chain::Regtest, dir.path())).err();
            assert_eq!(found.as_deref(), expected, "{options:?}");
        };
        check(&[], None);
        check(&["-externalip=x"], Some("Cannot resolve -externalip address: 'x'"));
        check(&["-externalip=1.2.3.4:99999"], Some("Cannot resolve -externalip address: '1.2.3.4:99999'"));
        check(&["-externalip=1.2.3.4", "-externalip=[2a00::1]:9"], None);
        check(&["-externalip=pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion"], None);
        check(&["-onlynet=x"], Some("Unknown network specified in -onlynet: 'x'"));
        check(&["-onlynet=IPv4", "-onlynet=onion"], None);
        check(
            &["-onlynet=i2p"],
            Some("Outbound connections restricted to i2p (-onlynet=i2p) but -i2psam is not provided"),
        );
        check(&["-onlynet=i2p", "-i2psam=127.0.0.1"], None);
        check(
            &["-onlynet=cjdns"],
            Some("Outbound connections restricted to CJDNS (-onlynet=cjdns) but -cjdnsreachable is not provided"),
        );
        check(&["-onlynet=cjdns", "-cjdnsreachable"], None);
        check(
            &["-onlynet=onion", "-dnsseed"],
            Some(
                "Incompatible options: -dnsseed=1 was explicitly specified, but -onlynet forbids connections to IPv4/IPv6",
            ),
        );
        for proxy in ["1.2.3.4", "1.2.3.4:5=ipv6", "unix:/x=onion", "0", ""] {
            check(&[&format!("-proxy={proxy}")], None);
        }
        check(&["-proxy=x"], Some("Invalid -proxy address or hostname: 'x'"));
        check(&["-proxy=1.2.3.4="], Some("Invalid -proxy address or hostname, ends with '=': '1.2.3.4='"));
        check(&["-proxy=1.2.3.4:5=foo"], Some("Unrecognized network in -proxy='1.2.3.4:5=foo': 'foo'"));
        check(&["-onion=x"], Some("Invalid -onion address or hostname: 'x'"));
        check(&["-onion=unix:/x"], None);
        let tor =
            "Outbound connections restricted to Tor (-onlynet=onion) but the proxy for reaching the Tor network is";
        check(&["-onlynet=onion", "-noonion"], Some(&format!("{tor} explicitly forbidden: -onion=0")));
        check(
            &["-onlynet=onion", "-listenonion=0"],
            Some(&format!("{tor} not provided: none of -proxy, -onion or -listenonion is given")),
        );
        check(&["-onlynet=onion", "-listenonion=0", "-proxy=1.2.3.4"], None);
        check(&["-noi2psam"], None);
        check(&["-i2psam=x"], Some("Invalid -i2psam address or hostname: 'x'"));
        check(&["-asmap"], None);
        check(&["-noasmap"], None);
        let missing = dir.path().join("map");
        check(&["-asmap=map"], Some(&format!("Could not find asmap file \"{}\"", missing.display())));
        std::fs::write(&missing, "").expect("written");
        check(&["-asmap=map"], Some(&format!("Could not parse asmap file \"{}\"", missing.display())));
        std::fs::write(&missing, "x").expect("written");
        check(&["-asmap=map"], None);
    }
}
