//! Rows: the RPC server and listening for other processes.

use super::Category::{Ipc, Rpc};
use super::{DAEMONS, NODE_ONLY, Opt, WALLET_TOOL, flag, hidden, opt};

pub(super) static ROWS: &[Opt] = &[
    flag("rest", DAEMONS, Rpc, "Serve public REST requests").bool(false).refused("REST requests would get no answer"),
    opt("rpcallowip", "=<ip>", DAEMONS, Rpc, "Accept RPC from this address, network/netmask or CIDR; may be given several times").multi(),
    opt("rpcauth", "=<userpw>", DAEMONS, Rpc, "User and hashed password, <user>:<salt>$<hash>; may be given several times").multi().sensitive(),
    opt("rpcbind", "=<addr>[:port]", DAEMONS, Rpc, "Listen for RPC on this address (127.0.0.1 and ::1 unless given together with -rpcallowip); may be given several times").multi().network_only(),
    flag("rpcdoccheck", DAEMONS, Rpc, "Check RPC results against their documentation").bool(false).debug(),
    opt("rpccookiefile", "=<loc>", DAEMONS, Rpc, "Cookie file (-norpccookiefile for none); relative to the data directory of the chain").path(".cookie"),
    opt("rpccookieperms", "=<readable-by>", DAEMONS, Rpc, "Who may read the cookie file: owner, group or all (owner unless given)"),
    opt("rpcpassword", "=<pw>", DAEMONS, Rpc, "Password for RPC").sensitive(),
    opt("rpcport", "=<port>", DAEMONS, Rpc, "Port for RPC (8332, testnet3: 18332, testnet4: 48332, signet: 38332, regtest: 18443)").network_only(),
    opt("rpcservertimeout", "=<n>", DAEMONS, Rpc, "Seconds until an idle or unfinished request is dropped").int(30).debug(),
    opt("rpcthreads", "=<n>", DAEMONS, Rpc, "Threads that run RPC commands").int(16),
    opt("rpcuser", "=<user>", DAEMONS, Rpc, "User name for RPC").sensitive(),
    opt("rpcwhitelist", "=<whitelist>", DAEMONS, Rpc, "Commands a user may run, <user>:<command>,<command>; may be given several times").multi(),
    flag("rpcwhitelistdefault", DAEMONS, Rpc, "Users without -rpcwhitelist may run nothing (1 if any -rpcwhitelist is given, else 0)"),
    opt("rpcworkqueue", "=<n>", DAEMONS, Rpc, "Most requests waiting for a thread").int(64).debug(),
    flag("server", DAEMONS, Rpc, "Accept RPC").bool(true),
    opt("ipcbind", "=<address>", NODE_ONLY, Ipc, "Listen for other programs of the same user at <address>: unix is node.sock in the data directory of the chain, unix:<path> another socket (relative paths start there, directories are made), fd:<n> one that the parent process listens on. tls:<host>:<port> listens for programs of other machines, encrypted; their keys must be listed in ipc/authorized in the data directory of the chain, a fingerprint a line. Whoever connects needs no password and can do everything, unless options follow: ,allow=mining (or rpc, echo, several joined by +) offers no more than that; ,connections=<n> takes no more clients at a time (64 unless given); ,memory=<MB> bounds what the objects of one client may take, block templates above all (256 unless given); ,calls=<n>, ,objects=<n>, ,threads=<n>, ,nesting=<n>, ,message=<MB> and ,buffers=<MB> bound its calls in progress (1024), its objects (10000), its threads (64), the depth (64) and size (128) of a message, and what waits to be served or read (256). May be given several times").multi(),
    opt("ipcmemory", "=<MB>", NODE_ONLY, Ipc, "What the objects of all clients of -ipcbind, block templates above all, and their long messages may take together").int(1024),
    hidden("ipcfd", WALLET_TOOL),
];
