"""What wallets warn of reaches the user: standard error, the log, the results of commands. Their log is where the node's is."""

import re
import signal

from framework.rpc import fails
from framework.scenario import main
from framework.util import check, contains, equal, excludes, wait_until

RBF = "-walletrbf is deprecated and will be fully removed in the next release."
FALLBACK = ("-fallbackfee is set very high! This is the transaction fee you may pay when fee estimates are not "
            "available.")
MAXIMUM = "-maxtxfee is set very high! Fees this large could be paid on a single transaction."


def at_start(t, node):
    """Wallets that are missing or named twice, and options that cost money."""
    t.step("-wallet of a wallet that is not there, or named twice")
    node.start("-wallet=gone", "-wallet=w", "-wallet=w")
    equal(node.rpc.listwallets(), ["w"])
    missing = ("Skipping -wallet path that doesn't exist. Failed to load database path '.*gone'. Path does not exist.")
    twice = "Ignoring duplicate -wallet w."
    node.stop(stderr=re.compile(rf"^Warning: {missing}\nWarning: {twice}\n$"))
    for text in (missing, re.escape(twice)):
        contains(node.log_text(), re.compile(rf"\[warning\] {text}\n"))

    t.step("options that cost money or are going away, at the start and in the results of commands")
    options = ("-fallbackfee=0.02", "-maxtxfee=2", "-walletrbf=1")
    expected = [FALLBACK, MAXIMUM, RBF]
    node.start(*options, "-wallet=w")
    node.rpc.unloadwallet("w")
    equal(node.rpc.loadwallet("w"), {"name": "w", "warnings": expected})
    equal(node.rpc.createwallet("other"), {"name": "other", "warnings": expected})
    node.wallet("other").backupwallet(str(node.directory / "copy.dat"))
    node.stop(stderr="Warning: " + "\n".join(expected) + "\n")
    for text in expected:
        contains(node.log_text(), text)

    t.step("a maximum fee that no node relays")
    low = re.compile(r"Invalid amount for -maxtxfee=<amount>: '0\.0000001' \(must be at least the minrelay fee of "
                     r"0\.00000100 BTC/kvB to prevent stuck transactions\)")
    node.refuses_to_start(re.compile(rf"^Error: {low.pattern}\n$"), "-maxtxfee=0.0000001", "-wallet=w")
    node.start("-maxtxfee=0.0000001", "-nowallet")
    fails(-4, re.compile(f"^Wallet loading failed. {low.pattern}$"), node.rpc.loadwallet, "w")
    fails(-4, re.compile(f"^Wallet creation failed. {low.pattern}$"), node.rpc.createwallet, "third")
    check(not (node.chaindir / "wallets" / "third").exists(), "a wallet that was not made is left behind")
    node.stop()


def wallet_log(t, node, name="wallet.log"):
    """Where the wallets log: a file of their own in the split."""
    return node.log.with_name(name) if t.split else node.log


def where_it_logs(t, node):
    """SIGHUP, -debuglogfile."""
    t.step("SIGHUP opens the logs anew")
    node.start("-nowallet")
    log = wallet_log(t, node)
    logs = {node.log, log}
    for file in logs:
        file.rename(file.with_suffix(".1"))
    node.signal(signal.SIGHUP)

    def both():
        node.rpc.loadwallet("w")
        node.rpc.unloadwallet("w")
        node.mine(1)
        return all(file.exists() for file in logs)
    wait_until(both, "both logs are there again")
    wait_until(lambda: (node.rpc.loadwallet("w"), node.rpc.unloadwallet("w"), "[w] Wallet completed loading" in
                        log.read_text())[-1], "the wallet logs to the new file")
    node.stop()

    t.step("-debuglogfile elsewhere takes the wallet's log along")
    elsewhere = node.directory / "logs"
    elsewhere.mkdir()
    before = log.stat().st_size
    for given, beside in (("debug.log", "wallet.log"), ("main.log", "main.wallet.log")):
        node.start(f"-debuglogfile={elsewhere / given}", "-wallet=w")
        node.stop()
        file = elsewhere / (beside if t.split else given)
        contains(file.read_text(), "[w] Wallet completed loading")
    equal(log.stat().st_size, before, "what is logged in the data directory")
    node.start("-nodebuglogfile", "-wallet=w")
    node.stop()
    equal(log.stat().st_size, before, "what is logged in the data directory")


def forged(t, node):
    """Texts of others are one line."""
    t.step("a name does not forge lines of a log")
    node.start("-nowallet")
    name = "a\n2026-01-01T00:00:00Z UpdateTip: forged\n"
    node.rpc.createwallet(name)
    node.rpc.unloadwallet(name)
    node.stop()
    node.start(f"-wallet={name}missing")
    node.stop(stderr=re.compile("^Warning: Skipping"))
    log = wallet_log(t, node)
    for text in (log.read_text(), node.log_text()):
        check(not re.search(r"^2026-01-01T00:00:00Z UpdateTip", text, re.MULTILINE), "a line was forged")
    contains(log.read_text(), r"[a\x0a2026-01-01T00:00:00Z UpdateTip: forged\x0a] Wallet completed creation")


def run(t):
    node = t.node()
    node.start()
    node.rpc.createwallet("w")
    node.stop()
    at_start(t, node)
    where_it_logs(t, node)
    forged(t, node)


main(run)
