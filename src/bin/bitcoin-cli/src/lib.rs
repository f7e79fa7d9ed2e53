//! `bitcoin-cli`: calls a command of a running node and prints the answer.
//!
//! A library so that everything but starting the process can be tested. Invariant: from outside it behaves as
//! Bitcoin Core's client of the same version does; options, texts, layout and exit codes are interface.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

use std::cell::RefCell;
use std::io::{self, IsTerminal};
use std::thread;
use std::time::{Duration, Instant};

use common::args::{Args, ArgsError, Program};
use common::{console, lossless, version};
use serde_json::Value;

mod client;
mod convert;
mod error;
mod getinfo;
mod netinfo;
mod options;
mod output;
mod request;
mod socket;
mod stdin;

use client::Client;
use error::CliError;
use netinfo::View;
use options::{Composite, Options};
use output::Outcome;
use request::Request;
use socket::SocketClient;

/// The code with which a program that could not do its work exits.
const FAILURE: i32 = 1;

/// Runs the client with the command line `argv`, program name included, as texts of [`lossless`], and returns its exit
/// code.
pub fn run(argv: Vec<String>) -> i32 {
    let args = match start(&argv) {
        Ok(args) => args,
        Err(code) => return code,
    };
    let outcome = command(&args, &argv).unwrap_or_else(|error| Outcome::failure(&error));
    if !outcome.text.is_empty() {
        let line = format_args!("{}\n", outcome.text);
        if outcome.code == 0 { console::stdout(line) } else { console::stderr(line) }
    }
    outcome.code
}

/// Reads options and configuration; `Err` holds the exit code of a program that is already done.
fn start(argv: &[String]) -> Result<Args, i32> {
    let fail = |text: String| {
        console::stderr(format_args!("{text}\n"));
        FAILURE
    };
    let refuse = |error: ArgsError| match error {
        ArgsError::CommandLine(_) | ArgsError::ConfigFile(_) => fail(error.to_string()),
        other => fail(format!("Error: {other}")),
    };
    let args = Args::parse(Program::BitcoinCli, argv.iter().map(|word| lossless::to_os(word))).map_err(refuse)?;
    if args.get_bool("-version") {
        console::stdout(version::version_text(TITLE));
        return Err(0);
    }
    if argv.len() < 2 || args.help_requested() {
        console::stdout(format_args!("{}{USAGE}\n{}", version::heading(TITLE), args.help_text()));
        return Err(if argv.len() < 2 { fail("Error: too few parameters".to_owned()) } else { 0 });
    }
    // Core's client shows no warnings about the file either: the node does.
    args.read_config_files().map_err(refuse)?;
    Ok(args)
}

/// What the version line calls this program.
const TITLE: &str = "RPC client";

const USAGE: &str = "
The bitcoin-cli utility calls the JSON-RPC commands of a running Bitcoin Core compatible node.

It can query the chain and the network, manage wallets, create or broadcast transactions, and control the node.

\"help\" lists all commands, \"help <command>\" describes one.
With -named, parameters are given as name=value, so that those not needed can be left out.

Usage: bitcoin-cli [options] <command> [params]
or:    bitcoin-cli [options] -named <command> [name=value]...
or:    bitcoin-cli [options] help
or:    bitcoin-cli [options] help <command>

";

/// Everything between reading the options and printing.
fn command(args: &Args, argv: &[String]) -> Result<Outcome, CliError> {
    let options = Options::from_args(args)?;
    if args.get_bool("-ipcfingerprint") {
        return Ok(Outcome { code: 0, text: SocketClient::fingerprint(&options)? });
    }
    let mut caller =
        Caller { client: Client::new(options.server.clone()), given: RefCell::default(), options: &options };
    let words = caller.words(argv)?;
    let request = match options.composite {
        None => {
            let mut words = words.into_iter();
            let need = || CliError::Usage("too few parameters (need at least command)".to_owned());
            let method = words.next().ok_or_else(need)?;
            Request::Command { method, words: words.collect(), named: options.named, id: options.id.clone() }
        }
        Some(Composite::GetInfo) => Request::GetInfo(words),
        Some(Composite::NetInfo) => {
            if matches!(words.first().map(String::as_str), Some("h" | "help")) {
                return Ok(Outcome { code: 0, text: netinfo::HELP.to_owned() });
            }
            Request::NetInfo(View::parse(&words)?, args.chain().name().to_owned())
        }
        Some(Composite::AddrInfo) => Request::AddrInfo(words),
        Some(Composite::Generate) => {
            let reply = caller.call(&Request::plain("getnewaddress"), options.wallet.as_deref())?;
            if !reply["error"].is_null() {
                return Outcome::from_reply(&reply);
            }
            let Value::String(address) = &reply["result"] else {
                return Err(CliError::wrong_type(&reply["result"], "string"));
            };
            Request::Generate(request::generate_arguments(address, words)?)
        }
    };
    let reply = caller.call(&request, options.wallet.as_deref())?;
    if options.composite != Some(Composite::GetInfo) || !reply["error"].is_null() {
        return Outcome::from_reply(&reply);
    }
    let wallets = if options.wallet.is_none() { caller.all_balances()? } else { None };
    let colored = getinfo::colored(&options.color, io::stdout().is_terminal())?;
    Ok(Outcome { code: 0, text: getinfo::screen(&reply["result"], wallets.as_deref(), colored) })
}

/// The client together with the options that decide how often and as whom it calls.
struct Caller<'a> {
    client: Client,
    /// A connection that the parent process has made.
    given: RefCell<Option<SocketClient>>,
    options: &'a Options,
}

impl Caller<'_> {
    /// The words after the options, completed from standard input as the `-stdin*` options say.
    fn words(&mut self, argv: &[String]) -> Result<Vec<String>, CliError> {
        let mut words: Vec<String> = argv.iter().skip(1).skip_while(|word| word.starts_with('-')).cloned().collect();
        if self.options.stdin_rpc_password {
            self.client.set_password(stdin::secret("RPC password", "-stdinrpcpass")?);
        }
        if self.options.stdin_wallet_passphrase {
            if !words.first().is_some_and(|method| method.starts_with("walletpassphrase")) {
                let text = "-stdinwalletpassphrase is only applicable for walletpassphrase(change)";
                return Err(CliError::Usage(text.to_owned()));
            }
            words.insert(1, stdin::secret("Wallet passphrase", "-stdinwalletpassphrase")?);
        }
        if self.options.stdin {
            words.extend(stdin::arguments());
        }
        Ok(words)
    }

    /// Makes one call, waiting for the server as `-rpcwait` says.
    fn call(&self, request: &Request, wallet: Option<&str>) -> Result<Value, CliError> {
        /// Pause between two attempts to reach a server that is starting.
        const PAUSE: Duration = Duration::from_millis(250);
        let endpoint = wallet.map_or_else(|| "/".to_owned(), |name| format!("/wallet/{}", percent_encoded(name)));
        let deadline = self.options.wait_timeout.and_then(|limit| Instant::now().checked_add(limit));
        loop {
            let reply = socket::attempt(self.options, || self.answer(&endpoint, request))
                .and_then(|answer| request.reply(answer));
            match reply.and_then(|reply| self.unless_warming_up(reply)) {
                Err(error) if self.options.wait && error.is_transient() => {
                    if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                        return Err(CliError::WaitTimeout(Box::new(error)));
                    }
                    thread::sleep(PAUSE);
                }
                done => return done,
            }
        }
    }

    /// Makes one attempt, through the socket or over HTTP.
    fn answer(&self, endpoint: &str, request: &Request) -> Result<Value, CliError> {
        if let Some(given) = &*self.given.borrow() {
            return given.call(endpoint, self.options, request.body()?);
        }
        let Some(socket) = SocketClient::connect(self.options)? else {
            return self.client.call(endpoint, || request.body());
        };
        let answer = socket.call(endpoint, self.options, request.body()?);
        if self.options.socket.is_connected_already() {
            self.given.replace(Some(socket));
        }
        answer
    }

    fn unless_warming_up(&self, reply: Value) -> Result<Value, CliError> {
        const IN_WARMUP: i64 = -28;
        let warming = reply["error"]["code"].as_i64() == Some(IN_WARMUP);
        if self.options.wait && warming { Err(CliError::Warmup) } else { Ok(reply) }
    }

    /// The trusted balance of every loaded wallet, if there are several.
    fn all_balances(&self) -> Result<Option<Vec<(String, Value)>>, CliError> {
        let loaded = self.call(&Request::plain("listwallets"), None)?;
        let names: Vec<&str> = loaded["result"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if names.len() <= 1 {
            return Ok(None);
        }
        let balance = |name: &&str| {
            let reply = self.call(&Request::plain("getbalances"), Some(name))?;
            Ok(((*name).to_owned(), reply["result"]["mine"]["trusted"].clone()))
        };
        names.iter().map(balance).collect::<Result<_, _>>().map(Some)
    }
}

/// Encodes a wallet name as one segment of a path.
fn percent_encoded(name: &str) -> String {
    let mut out = String::new();
    for &byte in &*lossless::to_bytes(name) {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use common::lossless;

    use super::percent_encoded;

    #[test]
    fn wallet_names_in_paths() {
        for (name, path) in [
            ("w-1_.~", "w-1_.~"),
            ("a b/c", "a%20b%2Fc"),
            ("é%", "%C3%A9%25"),
            (lossless::from_bytes(b"gr\xfcn").as_str(), "gr%FCn"),
            ("", ""),
        ] {
            assert_eq!(percent_encoded(name), path);
        }
    }
}
