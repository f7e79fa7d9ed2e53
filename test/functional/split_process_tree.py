"""The split form: who runs, what the trace between them shows, and that it shows no secret."""

import copy
import os
import re
import shutil

from framework import process
from framework.scenario import main
from framework.util import check, contains, equal, excludes, wait_until

PHRASE = "correct horse 4417 battery"


def run(t):
    t.skip_unless_split()
    node = t.node()
    node.start("-debug=ipc", "-loglevel=ipc:trace")
    pid = node.process.pid

    t.step("the node has one child, the wallet, started with -ipcfd=N and nothing else")
    equal([process.name(p) for p in process.tree(pid)], ["bitcoin-wallet"])
    wallet = node.wallet_pid
    arguments = process.arguments(wallet)
    equal(len(arguments), 2, f"arguments {arguments}")
    check(re.fullmatch(r"-ipcfd=\d+", arguments[1]), f"arguments {arguments}")
    equal(os.path.dirname(os.readlink(f"/proc/{wallet}/exe")), os.path.dirname(os.readlink(f"/proc/{pid}/exe")))

    t.step("the wallet's files are open in the wallet process only")
    rpc = node.rpc
    rpc.createwallet("w")

    def open_files(of):
        return {os.readlink(entry.path) for entry in os.scandir(f"/proc/{of}/fd") if os.path.lexists(entry.path)}

    file = str(node.chaindir / "wallets" / "w" / "wallet.dat")
    check(file in open_files(wallet), "the wallet process has wallet.dat open")
    check(file not in open_files(pid), "the node has wallet.dat open")
    chainstate = [f for f in open_files(wallet) if "/chainstate" in f or "/blocks" in f]
    equal(chainstate, [], "files of the chain that the wallet process has open")
    if os.path.exists(f"/proc/{pid}/maps"):
        with open(f"/proc/{pid}/maps") as maps:
            excludes(maps.read(), "sqlite")

    t.step("a day's work, traced")
    w = node.wallet("w")
    rpc.generatetoaddress(1, w.getnewaddress())
    node.mine(100)
    w.encryptwallet(PHRASE)
    w.walletpassphrase(PHRASE, 600)
    w.sendtoaddress("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", 1)
    secret = re.search("tprv[0-9A-Za-z]+", str(w.listdescriptors(True)))[0]
    rpc.createwallet("born", passphrase=PHRASE)
    equal(w.getbalance() > 48, True)
    log = node.log_text()
    contains(log, re.compile(r"^\S+Z \[ipc", re.M))
    for interface in ("WalletLoader", "Chain"):
        contains(log, re.compile(rf"\[ipc[^\n]*\b{interface}\b", re.I))
    lines = [line for line in log.splitlines() if "[ipc" in line]
    check(len(lines) > 50, f"only {len(lines)} lines of trace")
    check(any(re.search(r"\d+(\.\d+)? ?(us|µs|ms)", line) for line in lines), "no line shows a duration")
    node.stop()

    excludes(node.log_text(), "cannot be connected to", "no process is missed at the end")

    t.step("no passphrase and no key in any log or stream of either process")
    logs = node.all_logs()
    check(any("wallet" in str(f.name) for f in logs), f"the wallet process has a log of its own: {list(logs)}")
    for file, text in logs.items():
        excludes(text, PHRASE, str(file))
        excludes(text, secret, str(file))

    t.step("without -debug=ipc there is no trace")
    size = node.log.stat().st_size
    node.start()
    node.rpc.listwallets()
    node.stop()
    excludes(node.log_text()[size:], "[ipc")

    t.step("without its wallet program, or with one that ends at once, the node says so and ends")
    alone = t.directory / "alone"
    alone.mkdir()
    shutil.copy2(t.need("bitcoin-node").resolve(), alone / "bitcoin-node")
    lonely = t.node()
    lonely.programs = copy.copy(lonely.programs)
    lonely.programs.node = [str(alone / "bitcoin-node")]
    lonely.refuses_to_start(re.compile(rf"^Error: [^\n]*bitcoin-wallet[^\n]*{re.escape(str(alone))}[^\n]*\n$"))
    (alone / "bitcoin-wallet").write_text("#!/bin/sh\nexit 3\n")
    (alone / "bitcoin-wallet").chmod(0o755)
    lonely.refuses_to_start(re.compile(r"^Error: [^\n]*wallet[^\n]*\n$"))
    lonely.start("-disablewallet")
    lonely.stop()

    t.step("-disablewallet starts no wallet process")
    node.start("-disablewallet")
    equal(process.tree(node.process.pid), [])
    pid = node.process.pid
    node.stop()
    wait_until(lambda: not process.alive(pid), "the node is gone")


main(run)
