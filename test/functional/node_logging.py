"""debug.log: its line format under each option, categories at run time, where it goes."""

import re

from framework.rpc import fails
from framework.scenario import main
from framework.util import check, contains, equal, excludes, wait_until

SECONDS = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"


def lines(node):
    """The lines of the log that hold anything."""
    return [line for line in node.log_text().splitlines() if line]


def every_line(node, pattern):
    """Checks the form of all lines."""
    for line in lines(node):
        check(re.match(pattern, line), f"{line!r} does not match {pattern!r}")


def run(t):
    node = t.node()
    node.start()
    rpc = node.rpc

    t.step("plain lines: time in UTC and text")
    every_line(node, rf"{SECONDS}Z \S")
    text = node.log_text()
    contains(text, re.compile(r"Bitcoin Core version v31\.99\.0"))
    for part in (f"Using data directory {node.chaindir}", f"Config file: {node.conf}", "Done loading",
                 'Command-line arg: datadir="', 'Config file arg: chain="regtest"', '[regtest] rpcport="'):
        contains(text, part)

    t.step("categories at run time")
    equal({name for name, on in rpc.logging().items() if on}, set())
    for name in ("net", "mempool", "rpc", "http", "walletdb", "validation", "ipc"):
        check(name in rpc.logging(), f"no category {name}")
    with node.logs(r"\[rpc\] ThreadRPCServer method=getblockcount user=__cookie__"):
        equal(rpc.logging(["rpc", "mempool"])["rpc"], True)
        rpc.getblockcount()
    equal(rpc.logging([], ["rpc"])["rpc"], False)
    size = node.log.stat().st_size
    rpc.getblockcount()
    excludes(node.log_text()[size:], "ThreadRPCServer method=getblockcount")
    equal(set(rpc.logging(["all"]).values()), {True})
    equal(set(rpc.logging(["all"], ["1"]).values()) <= {True, False}, True)
    fails(-8, "unknown logging category nosuch", rpc.logging, ["nosuch"])

    t.step("names of the user who calls, and of wallets, are logged; parameters are not")
    rpc.logging(["rpc", "http"])
    rpc.echo("confidential-parameter")
    excludes(node.log_text(), "confidential-parameter")

    t.step("what the engine says is logged in the same form")
    with node.logs(rf"^{SECONDS}Z (\[\w+\] )*UpdateTip: new best=[0-9a-f]{{64}} height=1 "):
        node.mine(1)

    t.step("microseconds, threads and source locations")
    node.stop()
    node.log.unlink()
    node.start("-logtimemicros", "-logthreadnames", "-logsourcelocations", "-debug=rpc", "-debug=http",
               "-addnode=127.0.0.1:1")
    node.rpc.getblockcount()
    wait_until(lambda: "connect() to 127.0.0.1:1 " in node.log_text(), "an attempt to connect")
    node.stop()
    every_line(node, rf"{SECONDS}\.\d{{6}}Z \[[\w.:-]+\] \[(?!/)[\w./-]+:\d+\] \[[^\]]+\] ")

    t.step("lines others wait for, of the threads they expect")
    text = node.log_text()
    where = r"\[[^\]]+\] \[[^\]]+\] "
    for thread, line in (
        ("init", r"Bitcoin Core version v31\.99\.0"), ("init", r"\[http\] Initialized HTTP server"),
        ("init", r"\[rpc\] Starting RPC"), ("init", r"\[rpc\] Starting HTTP RPC server"),
        ("init", "Starting HTTP server with 16 worker threads"), (r"http\.00", r"http\.00 thread start"),
        (r"http\.15", r"http\.15 thread start"), ("init", "init message: Loading block index…"),
        ("init", "Opened LevelDB successfully"), ("init", "Setting NODE_NETWORK in non-prune mode"),
        ("init", "block tree size = 2"), ("init", "nBestHeight = 1"), ("init", "SetNetworkActive: true"),
        ("init", "init message: Done loading"),
        ("addcon", r"connect\(\) to 127\.0\.0\.1:1 failed after wait: Connection refused \(111\)"),
        ("init", "Shutdown in progress\\.\\.\\."), ("shutoff", r"\[http\] Stopped HTTP server"),
        ("shutoff", "Shutdown done"),
    ):
        check(re.search(rf"Z \[{thread}\] {where}{line}", text), f"[{thread}] {line} is missing")

    t.step("no time stamps; excluded categories")
    node.log.unlink()
    node.start("-logtimestamps=0", "-debug", "-debugexclude=rpc")
    node.rpc.getblockcount()
    node.stop()
    for line in lines(node):
        check(not re.match(SECONDS, line), f"{line!r} has a time stamp")
    excludes(node.log_text(), "[rpc]")
    contains(node.log_text(), "[http]")

    t.step("another file, relative to the chain's directory; none at all")
    node.log.unlink()
    node.start("-debuglogfile=other.log")
    node.stop()
    contains((node.chaindir / "other.log").read_text(), "Done loading")
    check(not node.log.exists(), "debug.log is written too")
    node.start("-nodebuglogfile")
    node.stop()
    check(not node.log.exists(), "debug.log is written under -nodebuglogfile")
    missing = node.directory / "missing" / "x.log"
    node.refuses_to_start(f"Error: Could not open debug log file {missing}", f"-debuglogfile={missing}")

    t.step("unknown categories are refused at the start")
    node.refuses_to_start("Error: Unsupported logging category -debug=nosuch.", "-debug=nosuch")


main(run)
