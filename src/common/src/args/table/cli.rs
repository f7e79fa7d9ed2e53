//! Rows: the command line client and the wallet tool.

use super::Category::{CliCommands, CommandOptions, Commands, Hidden, Ipc, Options};
use super::{CLI, Kind, Opt, WALLET_TOOL, flag, opt};

pub(super) static ROWS: &[Opt] = &[
    flag("generate", CLI, CliCommands, "Mine blocks to a new address: -generate [<blocks>] [<max tries>]"),
    flag("addrinfo", CLI, CliCommands, "Count the addresses the node knows, by network"),
    flag("getinfo", CLI, CliCommands, "Show the general state of the node"),
    flag("netinfo", CLI, CliCommands, "Show the node's connections; takes a level of detail, or help").bool(false),
    opt("color", "=<when>", CLI, Options, "Colour the output of -getinfo: always, auto, never")
        .str("auto")
        .no_negation(),
    flag("named", CLI, Options, "Pass named instead of positional arguments").bool(false),
    opt("rpcid", "=<id>", CLI, Options, "Id of the JSON-RPC requests").str("1").no_negation().no_elision(),
    opt("rpcclienttimeout", "=<n>", CLI, Options, "Seconds to wait for an answer (0 = for ever)").int(900),
    opt("rpcconnect", "=<ip>", CLI, Options, "Node to send commands to").str("127.0.0.1"),
    opt("rpccookiefile", "=<loc>", CLI, Options, "Cookie file; relative to the data directory of the chain")
        .path(".cookie"),
    opt("rpcpassword", "=<pw>", CLI, Options, "Password for RPC").sensitive(),
    opt(
        "rpcport",
        "=<port>",
        CLI,
        Options,
        "Port of the node (8332, testnet3: 18332, testnet4: 48332, signet: 38332, regtest: 18443)",
    )
    .network_only(),
    opt("rpcuser", "=<user>", CLI, Options, "User name for RPC").sensitive(),
    flag("rpcwait", CLI, Options, "Wait for the node to start"),
    opt("rpcwaittimeout", "=<n>", CLI, Options, "Seconds to wait for the node to start (0 = for ever)")
        .int(0)
        .no_negation(),
    opt("rpcwallet", "=<walletname>", CLI, Options, "Wallet to send commands to"),
    flag(
        "stdin",
        CLI,
        Options,
        "Read further arguments from standard input, one a line, until end of file; -stdinrpcpass and -stdinwalletpassphrase come first",
    ),
    flag("stdinrpcpass", CLI, Options, "Read the RPC password from standard input"),
    flag(
        "stdinwalletpassphrase",
        CLI,
        Options,
        "Read the wallet passphrase from standard input; the first argument must be walletpassphrase",
    ),
    opt(
        "ipcconnect",
        "=<address>",
        CLI,
        Ipc,
        "Reach the node through its socket (-ipcbind) instead of HTTP: unix is node.sock in the data directory of the chain, unix:<path> another, fd:<n> a connected one that the parent process left open, tls:<host>:<port>,fingerprint=<hex> one of another machine with the fingerprint of its key (without it, a node of the same data directory), auto the first of them and HTTP where it is not there; -noipcconnect for HTTP only (auto unless given)",
    ),
    flag(
        "ipcfingerprint",
        CLI,
        Ipc,
        "Print the fingerprint of the key in the data directory of the chain, made if there is none, and exit: by it the node of that data directory is known to its clients, and bitcoin-cli to the nodes it connects to with -ipcconnect=tls:<host>:<port>",
    ),
];

pub(super) static WALLET_TOOL_ROWS: &[Opt] = &[
    opt("wallet", "=<wallet-name>", WALLET_TOOL, Options, "Name of the wallet").network_only(),
    opt(
        "dumpfile",
        "=<file name>",
        WALLET_TOOL,
        CommandOptions,
        "File to write to (dump) or read from (createfromdump)",
    )
    .no_negation(),
    opt("walletdir", "=<dir>", WALLET_TOOL, Hidden, "").network_only(),
    command("info", "Show what is known of the wallet"),
    command("create", "Make a new wallet"),
    command("dump", "Write all records of the wallet to a file"),
    command("createfromdump", "Make a wallet from a file of records"),
];

const fn command(name: &'static str, help: &'static str) -> Opt {
    let mut row = opt(name, "", WALLET_TOOL, Commands, help);
    row.kind = Kind::Command;
    row
}
