//! Options that decide the default of others, as long as the user did not set those. Separate from the checks because
//! it changes options and cannot fail.

use common::args::Args;

/// Mempool size in MB with `-blocksonly`.
const BLOCKSONLY_MAX_MEMPOOL: i64 = 5;

/// Sets what follows from the options given, and logs each change.
pub(crate) fn apply(args: &Args) {
    let bound = ["bind", "whitebind"];
    for option in bound {
        if !args.get_all(option).is_empty() {
            soft_set(args, &format!("-{option} set"), "listen", "1");
        }
    }
    if !args.get_all("connect").is_empty() || args.is_negated("connect") || args.get_int("maxconnections") <= 0 {
        let cause = "-connect or -maxconnections=0 set";
        soft_set(args, cause, "dnsseed", "0");
        soft_set(args, cause, "listen", "0");
    }
    if args.get("proxy").is_some_and(|proxy| !proxy.is_empty() && proxy != "0") {
        // Privacy: a proxy's user is not to be found by address, port mapping or incoming connections.
        for option in ["listen", "natpmp", "discover"] {
            soft_set(args, "-proxy set", option, "0");
        }
    }
    if !super::checks::listens(args) {
        for option in ["natpmp", "discover", "listenonion", "i2pacceptincoming"] {
            soft_set(args, "-listen=0", option, "0");
        }
    }
    if !args.get_all("externalip").is_empty() {
        soft_set(args, "-externalip set", "discover", "0");
    }
    if args.get_bool("blocksonly") {
        soft_set(args, "-blocksonly=1", "whitelistrelay", "0");
        soft_set(args, "-blocksonly=1", "maxmempool", &BLOCKSONLY_MAX_MEMPOOL.to_string());
    }
    if args.get_bool("whitelistforcerelay") {
        soft_set(args, "-whitelistforcerelay=1", "whitelistrelay", "1");
    }
    let networks = args.get_all("onlynet");
    let clearnet = |network: &String| ["ipv4", "ipv6"].contains(&network.to_ascii_lowercase().as_str());
    if !networks.is_empty() && !networks.iter().any(clearnet) {
        soft_set(args, "-onlynet excludes IPv4 and IPv6", "dnsseed", "0");
    }
    if !args.get_bool("disablewallet") && args.get_bool("blocksonly") {
        soft_set(args, "-blocksonly=1", "walletbroadcast", "0");
    }
}

fn soft_set(args: &Args, cause: &str, option: &str, value: &str) {
    if args.soft_set(option, value) {
        log::info!("parameter interaction: {cause} -> setting -{option}={value}");
    }
}
