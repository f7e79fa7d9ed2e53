//! Rows: general options of the daemons, and the choice of chain for all programs.

use super::Category::{Chain, DebugTest, Options};
use super::{ALL, DAEMONS, Opt, flag, hidden, opt};

pub(super) static ROWS: &[Opt] = &[
    flag("help", ALL, Options, "Print this help and exit (also -h or -?)"),
    hidden("h", ALL),
    hidden("?", ALL),
    flag("help-debug", DAEMONS, DebugTest, "Print help that includes the debugging options, and exit"),
    flag("version", ALL, Options, "Print version and exit"),
    // Options of the GUI, tolerated in a shared configuration file.
    hidden("choosedatadir", DAEMONS),
    hidden("lang", DAEMONS),
    hidden("min", DAEMONS),
    hidden("resetguisettings", DAEMONS),
    hidden("splash", DAEMONS),
    hidden("uiplatform", DAEMONS),
    hidden("dbcrashratio", DAEMONS),
    hidden("forcecompactdb", DAEMONS),
    opt(
        "alertnotify",
        "=<cmd>",
        DAEMONS,
        Options,
        "Run <cmd> when there is a warning for the user; %s in it stands for the message",
    ),
    opt(
        "assumevalid",
        "=<hex>",
        DAEMONS,
        Options,
        "Take the scripts of this block and its ancestors as valid if it is in the chain (0 = verify all; each chain has a built-in default)",
    ),
    opt(
        "blocksdir",
        "=<dir>",
        DAEMONS,
        Options,
        "Keep the blocks directory with the *.dat files below <dir> instead of the data directory",
    ),
    flag("blocksxor", DAEMONS, Options, "Obfuscate the *.dat files of a new blocks directory with a random key")
        .bool(true),
    opt(
        "blocknotify",
        "=<cmd>",
        DAEMONS,
        Options,
        "Run <cmd> when the best block changes; %s in it stands for the block hash",
    ),
    opt(
        "blockreconstructionextratxn",
        "=<n>",
        DAEMONS,
        Options,
        "Transactions to keep beside the mempool for compact blocks",
    )
    .int(100)
    .ignored("there are no compact blocks yet"),
    flag("blocksonly", DAEMONS, Options, "Take no transactions from peers without the relay permission").bool(false),
    flag("coinstatsindex", DAEMONS, Options, "Keep an index of UTXO set statistics for gettxoutsetinfo")
        .bool(false)
        .refused("gettxoutsetinfo would know the present block only"),
    opt(
        "conf",
        "=<file>",
        ALL,
        Options,
        "Read this configuration file; relative to the data directory (command line only)",
    )
    .path("bitcoin.conf"),
    opt("datadir", "=<dir>", ALL, Options, "Data directory").path("").no_negation(),
    opt("dbbatchsize", "", DAEMONS, Options, "Largest batch written to the database, in bytes").int(33_554_432).debug(),
    opt(
        "dbcache",
        "=<n>",
        DAEMONS,
        Options,
        "Database cache in MiB (at least 4; 1024 unless given, or 450 with less than 4 GiB of memory); memory the mempool does not use is added to it",
    ),
    opt(
        "includeconf",
        "=<file>",
        DAEMONS,
        Options,
        "Read this configuration file too; relative to the data directory (configuration file only)",
    )
    .multi(),
    flag(
        "allowignoredconf",
        DAEMONS,
        Options,
        "Only warn when the data directory holds a bitcoin.conf that is not used",
    )
    .bool(false),
    opt("loadblock", "=<file>", DAEMONS, Options, "Import blocks from this file at start; may be given several times")
        .multi(),
    opt("maxmempool", "=<n>", DAEMONS, Options, "Keep the mempool below <n> megabytes").int(300),
    opt("mempoolexpiry", "=<n>", DAEMONS, Options, "Drop transactions from the mempool after <n> hours").int(336),
    opt(
        "minimumchainwork",
        "=<hex>",
        DAEMONS,
        Options,
        "Least work, in hex, a chain must have to be considered (each chain has a built-in default)",
    )
    .debug(),
    opt(
        "par",
        "=<n>",
        DAEMONS,
        Options,
        "Threads for script verification (0 = automatic, below 0 = leave that many cores free)",
    )
    .int(0),
    opt(
        "prevoutfetchthreads",
        "=<n>",
        DAEMONS,
        Options,
        "Threads that fetch spent outputs ahead of verification (0 = none)",
    )
    .int(8),
    flag("persistmempool", DAEMONS, Options, "Save the mempool at shutdown and load it at start").bool(true),
    flag("persistmempoolv1", DAEMONS, Options, "Save the mempool in the older format").bool(false),
    opt(
        "pid",
        "=<file>",
        DAEMONS,
        Options,
        "File that holds the process id while running; relative to the data directory of the chain",
    )
    .path("bitcoind.pid"),
    opt(
        "prune",
        "=<n>",
        DAEMONS,
        Options,
        "Delete old blocks: 0 = keep all, 1 = delete by RPC only, from 550 on = stay below <n> MiB",
    )
    .int(0),
    flag("reindex", DAEMONS, Options, "Rebuild block index, chain state and indexes from the block files"),
    flag("reindex-chainstate", DAEMONS, Options, "Rebuild the chain state from the block files"),
    opt(
        "settings",
        "=<file>",
        DAEMONS,
        Options,
        "File for settings changed at run time (-nosettings for none); relative to the data directory of the chain",
    )
    .path("settings.json"),
    opt("startupnotify", "=<cmd>", DAEMONS, Options, "Run <cmd> once started"),
    opt("shutdownnotify", "=<cmd>", DAEMONS, Options, "Run <cmd> before shutting down; may be given several times")
        .multi(),
    flag("txindex", DAEMONS, Options, "Keep an index of all transactions for getrawtransaction")
        .bool(false)
        .refused("getrawtransaction would not find confirmed transactions"),
    flag("txospenderindex", DAEMONS, Options, "Keep an index of the spender of each output")
        .bool(false)
        .refused("gettxspendingprevout would know the mempool only"),
    opt(
        "blockfilterindex",
        "=<type>",
        DAEMONS,
        Options,
        "Keep an index of block filters (basic; 1 or no value = all types)",
    )
    .multi()
    .str("0")
    .refused("programs that ask for block filters would get no answer"),
    flag("daemon", DAEMONS, Options, "Go to the background and take commands").bool(false),
    flag("daemonwait", DAEMONS, Options, "Go to the background once initialisation is done; implies -daemon")
        .bool(false),
    opt(
        "debuglogfile",
        "=<file>",
        DAEMONS,
        Options,
        "Log file (-nodebuglogfile for none); relative to the data directory of the chain",
    )
    .path("debug.log"),
    // The chain.
    opt("chain", "=<chain>", ALL, Chain, "Use this chain: main, test, testnet4, signet, regtest").str("main"),
    flag("regtest", ALL, Chain, "Use a private chain for tests, whose blocks take no work; same as -chain=regtest")
        .debug(),
    flag("testnet", ALL, Chain, "Use testnet3 (deprecated); same as -chain=test"),
    flag("testnet4", ALL, Chain, "Use testnet4; same as -chain=testnet4"),
    flag("signet", ALL, Chain, "Use signet; same as -chain=signet"),
    opt(
        "signetchallenge",
        "",
        ALL,
        Chain,
        "Script that signet blocks must satisfy, in hex (the public signet's unless given)",
    )
    .no_negation()
    .multi(),
    opt("signetseednode", "", ALL, Chain, "Seed node of the signet, host[:port]; may be given several times")
        .no_negation()
        .multi()
        .ignored("a node finds no peers by itself yet"),
    opt(
        "testactivationheight",
        "=name@height.",
        ALL,
        DebugTest,
        "Height at which segwit, bip34, dersig, cltv or csv activates (tests only)",
    )
    .debug()
    .multi(),
    opt(
        "vbparams",
        "=deployment:start:end[:min_activation_height]",
        ALL,
        Chain,
        "Start, end and earliest height of a version bits deployment (tests only)",
    )
    .debug()
    .multi(),
];
