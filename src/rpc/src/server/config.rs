//! The server's options.

use std::path::PathBuf;
use std::time::Duration;

use common::args::Args;

use super::ServerError;
use super::endpoint::{Endpoint, parse_bind};
use common::subnet::Subnet;

/// More threads are not started, whatever was asked for.
const MOST_THREADS: usize = 4096;

/// The cookie file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    /// Where it is.
    pub path: PathBuf,
    /// Its permissions; the owner's only if `None`.
    pub mode: Option<u32>,
}

/// How the server listens and whom it lets in.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Addresses to listen on; it is enough if one works.
    pub endpoints: Vec<Endpoint>,
    /// Networks requests may come from.
    pub allowed: Vec<Subnet>,
    /// User and password given in the clear; instead of the cookie.
    pub password: Option<(String, String)>,
    /// The cookie file; none with `-norpccookiefile` or a password.
    pub cookie: Option<Cookie>,
    /// `-rpcauth` values.
    pub hashed: Vec<String>,
    /// `-rpcwhitelist` values.
    pub whitelist: Vec<String>,
    /// Users without a whitelist may run nothing.
    pub whitelist_default: bool,
    /// Worker threads.
    pub threads: usize,
    /// Most requests waiting for a worker.
    pub work_queue: usize,
    /// Time without traffic after which an idle connection or an unfinished request is dropped.
    pub timeout: Option<Duration>,
}

impl ServerConfig {
    /// Takes the options; whatever is wrong with them is logged here.
    pub fn from_args(args: &Args) -> Result<ServerConfig, ServerError> {
        let allow = args.get_all("rpcallowip");
        let mut allowed = Subnet::loopback();
        for text in &allow {
            allowed.push(text.parse().map_err(|_| ServerError::AllowIp(text.clone()))?);
        }
        let list: Vec<String> = allowed.iter().map(Subnet::to_string).collect();
        log::debug!(target: "http", "Allowing HTTP connections from: {}", list.join(" "));
        let password = args.get("rpcpassword").filter(|password| !password.is_empty());
        let cookie = match (&password, args.net_path("rpccookiefile", ".cookie")) {
            (None, Some(path)) => Some(Cookie { path, mode: cookie_mode(args)? }),
            _ => None,
        };
        let whitelist = args.get_all("rpcwhitelist");
        let positive = |name: &str| usize::try_from(args.get_int(name)).unwrap_or(1).max(1);
        Ok(ServerConfig {
            endpoints: endpoints(args, !allow.is_empty())?,
            allowed,
            password: password.map(|password| (args.get("rpcuser").unwrap_or_default(), password)),
            cookie,
            hashed: args.get_all("rpcauth"),
            whitelist_default: args.opt_bool("rpcwhitelistdefault").unwrap_or(!whitelist.is_empty()),
            whitelist,
            threads: positive("rpcthreads").min(MOST_THREADS),
            work_queue: positive("rpcworkqueue"),
            timeout: u64::try_from(args.get_int("rpcservertimeout")).ok().filter(|s| *s > 0).map(Duration::from_secs),
        })
    }
}

fn cookie_mode(args: &Args) -> Result<Option<u32>, ServerError> {
    match args.get("rpccookieperms").as_deref() {
        None => Ok(None),
        Some("owner") => Ok(Some(0o600)),
        Some("group") => Ok(Some(0o640)),
        Some("all") => Ok(Some(0o644)),
        Some(other) => {
            log::error!("Invalid -rpccookieperms={other}; must be one of 'owner', 'group', or 'all'.");
            Err(ServerError::Start)
        }
    }
}

fn endpoints(args: &Args, allows_others: bool) -> Result<Vec<Endpoint>, ServerError> {
    let port = args.opt_int("rpcport").map_or(args.chain().rpc_port(), |port| u16::try_from(port).unwrap_or(0));
    let bind = args.get_all("rpcbind");
    if allows_others && !bind.is_empty() {
        return bind.iter().map(|text| parse_bind(text, port)).collect();
    }
    if allows_others {
        log::warn!("Option -rpcallowip was specified without -rpcbind; this doesn't usually make sense");
    }
    if !bind.is_empty() {
        log::warn!(
            "Option -rpcbind was ignored because -rpcallowip was not specified, refusing to allow everyone to connect"
        );
    }
    Ok(["::1", "127.0.0.1"].map(|host| Endpoint { host: host.to_owned(), port }).into())
}

#[cfg(test)]
mod tests {
    use common::args::Program;

    use super::*;

    fn config(options: &[&str]) -> Result<ServerConfig, String> {
        let words = ["bitcoind", "-regtest", "-datadir=/tmp"].iter().chain(options).copied();
        ServerConfig::from_args(&Args::parse(Program::Bitcoind, words).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn addresses() {
        let check = |options: &[&str], expected: &[(&str, u16)]| {
            let endpoints = config(options).unwrap().endpoints;
            let got: Vec<(&str, u16)> = endpoints.iter().map(|at| (at.host.as_str(), at.port)).collect();
            assert_eq!(got, expected, "{options:?}");
        };
        check(&[], &[("::1", 18443), ("127.0.0.1", 18443)]);
        check(&["-rpcport=7"], &[("::1", 7), ("127.0.0.1", 7)]);
        check(&["-rpcallowip=10.0.0.0/8"], &[("::1", 18443), ("127.0.0.1", 18443)]);
        check(
            &["-rpcallowip=10.0.0.0/8", "-rpcbind=0.0.0.0", "-rpcbind=[::1]:5", "-rpcbind=1.2.3.4:6"],
            &[("0.0.0.0", 18443), ("::1", 5), ("1.2.3.4", 6)],
        );
    }

    #[test]
    fn wrong_options() {
        let check = |options: &[&str], expected: &str| {
            let error = config(options).expect_err("an error");
            assert!(error.starts_with(expected), "{error}");
        };
        check(&["-rpcallowip=nonsense"], "Invalid -rpcallowip subnet specification: nonsense. Valid values are");
        check(&["-rpcallowip=::1", "-rpcbind=::1:x"], "Invalid port specified in -rpcbind: '::1:x'");
        check(&["-rpccookieperms=nobody"], "Unable to start HTTP server. See debug log for details.");
    }

    #[test]
    fn values() {
        let config =
            config(&["-rpcthreads=0", "-rpcservertimeout=0", "-rpcwhitelist=a:b", "-norpccookiefile"]).unwrap();
        assert_eq!((config.threads, config.work_queue, config.timeout, config.cookie), (1, 64, None, None));
        assert!(config.whitelist_default && config.password.is_none());
        assert_eq!(self::config(&["-rpcthreads=99999999999"]).unwrap().threads, MOST_THREADS);
    }
}
