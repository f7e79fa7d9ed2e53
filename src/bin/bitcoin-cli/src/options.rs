//! What the options say, read once.
//!
//! Separate so that the rest of the client works on plain data and can be tested without a command line.
//! Invariant: nothing else in this program asks the options table.

use std::path::PathBuf;
use std::time::Duration;

use common::args::Args;

use crate::error::CliError;

/// One of the commands that the client composes itself from several requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Composite {
    /// `-addrinfo`
    AddrInfo,
    /// `-generate`
    Generate,
    /// `-getinfo`
    GetInfo,
    /// `-netinfo`
    NetInfo,
}

impl Composite {
    const ALL: [(Composite, &'static str); 4] = [
        (Composite::AddrInfo, "-addrinfo"),
        (Composite::Generate, "-generate"),
        (Composite::GetInfo, "-getinfo"),
        (Composite::NetInfo, "-netinfo"),
    ];
}

/// How to reach the server and who to be there.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// `-rpcconnect`, possibly with a port.
    pub connect: String,
    /// `-rpcport` as given.
    pub port: Option<String>,
    /// Port of the selected chain.
    pub default_port: u16,
    /// `-rpcuser`
    pub user: String,
    /// `-rpcpassword`; empty means the cookie.
    pub password: String,
    /// Where the cookie is, or `None` under `-norpccookiefile`.
    pub cookie_file: Option<PathBuf>,
    /// `-rpcclienttimeout`; `None` waits for ever.
    pub timeout: Option<Duration>,
    /// The configuration file, for messages.
    pub config_file: PathBuf,
}

/// Everything that the options decide.
#[derive(Clone, Debug)]
pub struct Options {
    /// `-ipcconnect`
    pub socket: Socket,
    /// Data directory of the chain, where the default socket is.
    pub net_datadir: PathBuf,
    /// Name of the chain, for messages.
    pub chain: String,
    /// The server, if it is reached over HTTP.
    pub server: ServerOptions,
    /// `-getinfo` and its like, if one was asked for.
    pub composite: Option<Composite>,
    /// `-named`
    pub named: bool,
    /// `-rpcid`
    pub id: String,
    /// `-rpcwallet`
    pub wallet: Option<String>,
    /// `-rpcwait`
    pub wait: bool,
    /// `-rpcwaittimeout`; `None` waits for ever.
    pub wait_timeout: Option<Duration>,
    /// `-stdin`
    pub stdin: bool,
    /// `-stdinrpcpass`
    pub stdin_rpc_password: bool,
    /// `-stdinwalletpassphrase`
    pub stdin_wallet_passphrase: bool,
    /// `-color`
    pub color: String,
}

impl Options {
    /// Reads them from the parsed command line and configuration file.
    pub fn from_args(args: &Args) -> Result<Options, CliError> {
        let given = |option: &str| args.get(option);
        Ok(Options {
            socket: socket(args)?,
            net_datadir: args.net_datadir(),
            chain: args.chain().name().to_owned(),
            server: ServerOptions {
                connect: given("-rpcconnect").unwrap_or_else(|| "127.0.0.1".to_owned()),
                port: given("-rpcport"),
                default_port: args.chain().rpc_port(),
                user: given("-rpcuser").unwrap_or_default(),
                password: given("-rpcpassword").unwrap_or_default(),
                cookie_file: args.net_path("-rpccookiefile", ".cookie"),
                timeout: seconds(args, "-rpcclienttimeout"),
                config_file: args.config_file_path().unwrap_or_default(),
            },
            composite: composite(args)?,
            named: args.get_bool("-named"),
            id: given("-rpcid").unwrap_or_else(|| "1".to_owned()),
            wallet: if args.is_negated("-rpcwallet") { None } else { given("-rpcwallet") },
            wait: args.get_bool("-rpcwait"),
            wait_timeout: seconds(args, "-rpcwaittimeout"),
            stdin: args.get_bool("-stdin"),
            stdin_rpc_password: args.get_bool("-stdinrpcpass"),
            stdin_wallet_passphrase: args.get_bool("-stdinwalletpassphrase"),
            color: given("-color").unwrap_or_else(|| "auto".to_owned()),
        })
    }
}

/// Whether and how to reach the server through a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Socket {
    /// HTTP only.
    Never,
    /// The default socket if somebody listens there, else HTTP.
    IfThere,
    /// This one: `unix`, `unix:<path>`, `fd:<n>` or `tls:<host>:<port>`; HTTP if empty.
    Always(String),
}

impl Socket {
    /// Says whether there is one connection and no other after it.
    pub fn is_connected_already(&self) -> bool {
        matches!(self, Socket::Always(address) if address.starts_with("fd:"))
    }
}

/// Reads a limit of time; zero and less are none.
fn seconds(args: &Args, option: &str) -> Option<Duration> {
    u64::try_from(args.get_int(option)).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

/// Reads `-ipcconnect`.
fn socket(args: &Args) -> Result<Socket, CliError> {
    let address = args.get("-ipcconnect").unwrap_or_else(|| "auto".to_owned());
    let host = args.is_set("-rpcconnect") && !args.is_negated("-rpcconnect");
    if std::str::from_utf8(&common::lossless::to_bytes(&address)).is_err() {
        return Err(CliError::Usage(format!("-ipcconnect={address}: the address is not UTF-8; choose another path")));
    }
    match address.as_str() {
        "0" => Ok(Socket::Never),
        "auto" if host => Ok(Socket::Never),
        "auto" => Ok(Socket::IfThere),
        _ if host => Err(CliError::Usage("-rpcconnect and -ipcconnect options cannot both be enabled".to_owned())),
        _ => Ok(Socket::Always(address)),
    }
}

fn composite(args: &Args) -> Result<Option<Composite>, CliError> {
    let found: Vec<&str> = Composite::ALL.iter().map(|(_, option)| *option).filter(|o| args.is_set(o)).collect();
    if found.len() > 1 {
        return Err(CliError::Usage(format!("Only one of {} may be specified.", found.join(", "))));
    }
    Ok(Composite::ALL.iter().find(|(_, option)| args.get_bool(option)).map(|(composite, _)| *composite))
}
