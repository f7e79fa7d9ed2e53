//! Combinations and values of options that the program refuses to start with, or warns about. Everything here runs
//! before a lock is taken or a file written, and the first refusal ends the start.

use common::args::Args;
use common::chain::Chain;

use crate::mining::MiningOptions;
use crate::ui;

/// Index types `-blockfilterindex` knows.
const FILTER_TYPES: [&str; 1] = ["basic"];
/// Names `-test` knows.
const TEST_OPTIONS: [&str; 3] = ["addrman", "reindex_after_failure_noninteractive_yes", "bip94"];
/// Longest user agent the network accepts.
const MAX_SUBVERSION_LENGTH: usize = 256;

/// Says whether peers may connect. The table has no default, because `-proxy` and `-connect` change it.
pub(super) fn listens(args: &Args) -> bool {
    args.opt_bool("listen").unwrap_or(true)
}

/// Checks what can be checked without opening anything.
pub(crate) fn check(args: &Args, chain: Chain) -> Result<(), String> {
    obsolete(args);
    indexes(args)?;
    network(args)?;
    MiningOptions::from_args(args).map_err(|error| error.to_string())?;
    test_options(args, chain)?;
    user_agent(args)
}

/// Checks ports and addresses. Apart from the rest because Core does so later, when the log is open.
pub(crate) fn check_ports(args: &Args) -> Result<(), String> {
    for name in ["port", "rpcport"] {
        if let Some(value) = args.get(name)
            && value.parse::<u16>().ok().filter(|port| *port != 0).is_none()
        {
            return Err(format!("Invalid port specified in -{name}: '{value}'"));
        }
    }
    // Option, may be a Unix socket, may end in =network.
    let options = [
        ("i2psam", false, false),
        ("onion", true, false),
        ("proxy", true, true),
        ("bind", false, true),
        ("rpcbind", false, false),
        ("torcontrol", false, false),
        ("whitebind", false, false),
        ("zmqpubhashblock", true, false),
        ("zmqpubhashtx", true, false),
        ("zmqpubrawblock", true, false),
        ("zmqpubrawtx", true, false),
        ("zmqpubsequence", true, false),
    ];
    for (name, unix, suffix) in options {
        for value in args.get_all(name) {
            let address = match value.rsplit_once('=') {
                Some((address, _)) if suffix => address,
                _ => &value,
            };
            let valid = port_is_valid(address) || (unix && value.starts_with("unix:"));
            if !valid {
                return Err(format!("Invalid port specified in -{name}: '{value}'"));
            }
        }
    }
    Ok(())
}

/// Says whether `address` has no port or one from 1 to 65535.
fn port_is_valid(address: &str) -> bool {
    let Some((host, port)) = address.rsplit_once(':') else { return true };
    // A bare IPv6 address is not a host and a port; in brackets it may be followed by one.
    let bracketed = host.starts_with('[') && host.ends_with(']');
    if !bracketed && (host.contains(':') || host.is_empty()) {
        return true;
    }
    port.parse::<u16>().is_ok_and(|port| port != 0)
}

fn obsolete(args: &Args) {
    if args.is_set("checkpoints") {
        ui::warning("Option '-checkpoints' is set but checkpoints were removed. This option has no effect.");
    }
    for (option, what) in [("limitancestorsize", "ancestor"), ("limitdescendantsize", "descendant")] {
        if args.is_set(option) {
            ui::warning(&format!(
                "Option '-{option}' is given but {what} size limits have been replaced with cluster size limits (see \
                 -limitclustersize). This option has no effect."
            ));
        }
    }
}

/// Refuses options that promise privacy, safety or data and whose capability is not there: whoever relies on one is
/// harmed by a node that runs without it.
pub(super) fn check_available(args: &Args) -> Result<(), String> {
    let refused = args.refused();
    let Some((first, _)) = refused.first() else { return Ok(()) };
    let listed: Vec<_> = refused.iter().map(|(option, reason)| format!("{option} ({reason})")).collect();
    Err(format!(
        "Not available in this version: {}. Remove each such option, or turn it off (e.g. -no{}), to start without it.",
        listed.join(", "),
        first.trim_start_matches('-')
    ))
}

fn indexes(args: &Args) -> Result<(), String> {
    let value = args.get("blockfilterindex").unwrap_or_else(|| "0".to_owned());
    let mut basic = value.is_empty() || value == "1";
    if !basic && value != "0" {
        for name in args.get_all("blockfilterindex") {
            if !FILTER_TYPES.contains(&name.as_str()) {
                return Err(format!("Unknown -blockfilterindex value {name}."));
            }
            basic = true;
        }
    }
    if args.get_bool("peerblockfilters") && !basic {
        return Err("Cannot set -peerblockfilters without -blockfilterindex.".to_owned());
    }
    if args.get_int("prune") != 0 {
        for index in ["txindex", "txospenderindex"] {
            if args.get_bool(index) {
                return Err(format!("Prune mode is incompatible with -{index}."));
            }
        }
        if args.get_bool("reindex-chainstate") {
            return Err("Prune mode is incompatible with -reindex-chainstate. Use full -reindex instead.".to_owned());
        }
    }
    Ok(())
}

fn network(args: &Args) -> Result<(), String> {
    let refuse = |text: &str| Err(text.to_owned());
    if args.get_bool("forcednsseed") && args.opt_bool("dnsseed") == Some(false) {
        return refuse("Cannot set -forcednsseed to true when setting -dnsseed to false.");
    }
    let listen = listens(args);
    let bound = !args.get_all("bind").is_empty() || !args.get_all("whitebind").is_empty();
    if bound && !listen {
        return refuse("Cannot set -bind or -whitebind together with -listen=0");
    }
    if !listen && args.get_bool("listenonion") {
        return refuse("Cannot set -listen=0 together with -listenonion=1");
    }
    if super::fd_limit::wanted(args) < 0 {
        return refuse("-maxconnections must be greater or equal than zero");
    }
    if args.is_set("peertimeout") && args.get_int("peertimeout") <= 0 {
        return refuse("peertimeout must be a positive integer.");
    }
    Ok(())
}

fn test_options(args: &Args, chain: Chain) -> Result<(), String> {
    let options = args.get_all("test");
    if !options.is_empty() && chain != Chain::Regtest {
        return Err("-test=<option> can only be used with regtest".to_owned());
    }
    for option in options.iter().filter(|option| !TEST_OPTIONS.contains(&option.as_str())) {
        ui::warning(&format!("Unrecognised option \"{option}\" provided in -test=<option>."));
    }
    if chain == Chain::Main {
        for option in ["testactivationheight", "vbparams"] {
            if args.is_set(option) {
                return Err(format!("The -{option} option may not be used on mainnet."));
            }
        }
    }
    Ok(())
}

fn user_agent(args: &Args) -> Result<(), String> {
    let comments = args.get_all("uacomment");
    let safe = |c: char| c.is_ascii_alphanumeric() || " .,;-_?@".contains(c);
    if let Some(comment) = comments.iter().find(|comment| !comment.chars().all(safe)) {
        return Err(format!("User Agent comment ({comment}) contains unsafe characters."));
    }
    let length = common::version::subversion(&comments).len();
    if length > MAX_SUBVERSION_LENGTH {
        return Err(format!(
            "Total length of network version string ({length}) exceeds maximum length ({MAX_SUBVERSION_LENGTH}). \
             Reduce the number or size of uacomments."
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports() {
        let check = |address: &str, expected: bool| assert_eq!(port_is_valid(address), expected, "{address}");
        check("127.0.0.1", true);
        check("127.0.0.1:8332", true);
        check("127.0.0.1:0", false);
        check("127.0.0.1:65536", false);
        check("localhost:x", false);
        check("::1", true);
        check("[::1]:8332", true);
        check("[::1]:0", false);
    }
}
