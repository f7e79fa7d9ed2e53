//! The options of the network, read once at the start.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use common::args::Args;
use common::chain::Chain;

use crate::address;
use crate::permissions::{PermissionError, Permissions, Whitelist, parse_grant};

/// The node serves the whole chain.
pub(crate) const NODE_NETWORK: u64 = 1;
/// The node serves bloom filters (BIP37).
pub(crate) const NODE_BLOOM: u64 = 1 << 2;
/// The node serves witnesses (BIP144).
pub(crate) const NODE_WITNESS: u64 = 1 << 3;
/// The node serves the last blocks (BIP159).
pub(crate) const NODE_NETWORK_LIMITED: u64 = 1 << 10;

/// Outbound connections that relay transactions.
const MAX_FULL_RELAY: usize = 8;
/// Outbound connections that relay blocks only.
const MAX_BLOCK_RELAY: usize = 2;
/// Connections that only try an address.
const MAX_FEELER: usize = 1;

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bind {
    /// The address.
    pub address: SocketAddr,
    /// What its peers may do.
    pub permissions: Permissions,
    /// It is enough if another one works.
    pub optional: bool,
    /// Its peers come through Tor, so that their address says nothing.
    pub onion: bool,
}

/// How many connections there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub inbound: usize,
    pub full_relay: usize,
    pub block_relay: usize,
}

/// The options of the network.
#[derive(Debug, Clone)]
pub struct Config {
    pub(crate) binds: Vec<Bind>,
    pub(crate) connect: Vec<String>,
    pub(crate) add_nodes: Vec<String>,
    pub(crate) limits: Limits,
    pub(crate) default_port: u16,
    pub(crate) name_lookup: bool,
    pub(crate) connect_timeout: Duration,
    pub(crate) peer_timeout: Duration,
    pub(crate) max_send: usize,
    pub(crate) max_receive: usize,
    pub(crate) upload_target: u64,
    pub(crate) services: u64,
    pub(crate) user_agent: String,
    pub(crate) active: bool,
    pub(crate) blocks_only: bool,
    pub(crate) incoming: Whitelist,
    pub(crate) outgoing: Whitelist,
}

/// Why the options cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The address is none.
    #[error("Cannot resolve -{option} address: '{value}'")]
    Address {
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
    },
    /// An address is there twice.
    #[error(
        "Duplicate binding configuration for address {0}. Please check your -bind, -bind=...=onion and -whitebind \
         settings."
    )]
    Duplicate(SocketAddr),
    /// The limit on what is sent is no number of bytes.
    #[error("Unable to parse -maxuploadtarget: '{0}'")]
    UploadTarget(String),
    /// Permissions cannot be read.
    #[error(transparent)]
    Permission(#[from] PermissionError),
}

impl Config {
    /// Reads the options; `automatic` is how many connections the system allows besides those asked for by hand.
    pub fn from_args(args: &Args, chain: Chain, automatic: usize) -> Result<Config, ConfigError> {
        let relay = args.get_bool("whitelistrelay");
        let force_relay = args.get_bool("whitelistforcerelay");
        let mut incoming = Whitelist { relay, force_relay, ..Whitelist::default() };
        let mut outgoing = incoming.clone();
        for text in args.get_all("whitelist") {
            let grant = parse_grant(&text)?;
            if grant.incoming {
                incoming.add(&grant)?;
            }
            if grant.outgoing {
                outgoing.add(&grant)?;
            }
        }
        let listen = args.opt_bool("listen").unwrap_or(true);
        let connect = args.get_all("connect");
        let units = |name: &str| usize::try_from(args.get_int(name)).unwrap_or(0).saturating_mul(1000);
        let seconds = |name: &str| Duration::from_secs(args.get_int(name).max(0).unsigned_abs());
        let mut services = NODE_NETWORK_LIMITED | NODE_WITNESS;
        if args.get_int("prune") == 0 {
            services |= NODE_NETWORK;
        }
        Ok(Config {
            binds: if listen { binds(args, chain)? } else { Vec::new() },
            connect: if connect == ["0"] { Vec::new() } else { connect },
            add_nodes: args.get_all("addnode"),
            limits: limits(automatic),
            default_port: chain.p2p_port(),
            name_lookup: args.get_bool("dns"),
            connect_timeout: match args.get_int("timeout") {
                milliseconds @ 1.. => Duration::from_millis(milliseconds.unsigned_abs()),
                _ => Duration::from_secs(5),
            },
            peer_timeout: seconds("peertimeout"),
            max_send: units("maxsendbuffer"),
            max_receive: units("maxreceivebuffer"),
            upload_target: upload_target(args)?,
            services,
            user_agent: common::version::subversion(&args.get_all("uacomment")),
            active: args.get_bool("networkactive"),
            blocks_only: args.get_bool("blocksonly"),
            incoming,
            outgoing,
        })
    }
}

/// Reads how many bytes may be sent in a day (`-maxuploadtarget`); 0 for any number.
pub fn upload_target(args: &Args) -> Result<u64, ConfigError> {
    let text = args.get_str("maxuploadtarget");
    common::args::parse_bytes(&text, 'M').ok_or(ConfigError::UploadTarget(text))
}

/// Shares the connections out.
fn limits(automatic: usize) -> Limits {
    let full_relay = MAX_FULL_RELAY.min(automatic);
    let block_relay = MAX_BLOCK_RELAY.min(automatic - full_relay);
    let outbound = full_relay + block_relay + MAX_FEELER;
    Limits { inbound: automatic.saturating_sub(outbound), full_relay, block_relay }
}

fn binds(args: &Args, chain: Chain) -> Result<Vec<Bind>, ConfigError> {
    let port = match args.get_int("port") {
        0 => chain.p2p_port(),
        port => u16::try_from(port).unwrap_or(chain.p2p_port()),
    };
    let mut binds = Vec::new();
    let bind = |address, permissions, onion| Bind { address, permissions, optional: false, onion };
    for value in args.get_all("bind") {
        let (text, onion) = match value.rsplit_once('=') {
            Some((text, "onion")) => (text, true),
            _ => (&value[..], false),
        };
        let default_port = if onion { port.wrapping_add(1) } else { port };
        let address = address::parse(text, default_port)
            .ok_or_else(|| ConfigError::Address { option: "bind", value: value.clone() })?;
        binds.push(bind(address, Permissions::NONE, onion));
    }
    for value in args.get_all("whitebind") {
        let grant = parse_grant(&value)?;
        if grant.outgoing {
            return Err(PermissionError::Outgoing.into());
        }
        let text = grant.address.to_owned();
        let address = address::parse(&text, 0).ok_or_else(|| PermissionError::Address(text.clone()))?;
        if address.port() == 0 {
            return Err(PermissionError::Port(text).into());
        }
        binds.push(bind(address, grant.permissions, false));
    }
    for (at, bind) in binds.iter().enumerate() {
        if binds[..at].iter().any(|other| other.address == bind.address) {
            return Err(ConfigError::Duplicate(bind.address));
        }
    }
    if binds.is_empty() {
        // Everywhere; a host without IPv6 is fine.
        for (ip, optional) in [(IpAddr::V6(Ipv6Addr::UNSPECIFIED), true), (Ipv4Addr::UNSPECIFIED.into(), false)] {
            binds.push(Bind { optional, ..bind(SocketAddr::new(ip, port), Permissions::NONE, false) });
        }
    }
    Ok(binds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_shared_out() {
        let check = |automatic: usize, expected: (usize, usize, usize)| {
            let Limits { inbound, full_relay, block_relay } = limits(automatic);
            assert_eq!((inbound, full_relay, block_relay), expected, "{automatic}");
        };
        check(125, (114, 8, 2));
        check(8, (0, 8, 0));
        check(0, (0, 0, 0));
        check(12, (1, 8, 2));
    }
}
