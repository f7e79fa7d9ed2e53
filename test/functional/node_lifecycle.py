"""Starting and stopping: files, cookie, exit code 0 and a silent standard error for every orderly end."""

import os
import re
import signal
import stat

from framework import process
from framework.scenario import main
from framework.util import check, contains, equal, excludes, wait_until


def run(t):
    node = t.node()

    t.step("-version prints the version and ends")
    node.spawn("-version")
    node.wait_exit()
    first = node.out.read_text().splitlines()[0]
    check(re.fullmatch(rf"Bitcoin Core daemon version v31\.99\.0\S* {t.programs.node_name}", first),
          f"the first line is {first!r}")

    t.step("-help prints the options and ends")
    node.spawn("-help")
    node.wait_exit()
    check(not node.chaindir.exists(), "a directory was made to print a text")
    text = node.out.read_text()
    for option in ("-datadir=<dir>", "-rpcauth=<userpw>", "-testnet4"):
        contains(text, f"  {option}\n", "-help")
    excludes(text, "  -regtest\n", "-help")
    node.spawn("-help-debug")
    node.wait_exit()
    contains(node.out.read_text(), "  -regtest\n", "-help-debug")

    t.step("first start makes the data directory private to the user")
    node.start()
    for name in ("blocks", "chainstate", "wallets", "debug.log", "settings.json", ".cookie", ".lock"):
        check((node.chaindir / name).exists(), f"{name} is missing")
    equal(stat.S_IMODE(node.chaindir.stat().st_mode), 0o700, "mode of the chain's directory")
    equal(stat.S_IMODE((node.chaindir / ".cookie").stat().st_mode), 0o600, "mode of the cookie")
    check(re.fullmatch(r"__cookie__:[0-9a-f]{64}", node.cookie()), "the cookie is user and 64 hex digits")
    pid_file = node.chaindir / "bitcoind.pid"
    equal(pid_file.read_text(), f"{node.process.pid}\n", "pid file")

    t.step("uptime and getrpcinfo")
    check(0 <= node.rpc.uptime() < 60, "uptime is the seconds since the start")
    info = node.rpc.getrpcinfo()
    equal(info["logpath"], str(node.log))
    equal([c["method"] for c in info["active_commands"]], ["getrpcinfo"])

    t.step("stop over RPC")
    with node.logs(r"Shutdown.* done$"):
        node.stop()
    for path in (pid_file, node.chaindir / ".cookie"):
        check(not path.exists(), f"{path.name} is left behind")
    equal(node.out.read_text(), "", "standard output")

    for number, group in ((signal.SIGTERM, False), (signal.SIGINT, False), (signal.SIGINT, True)):
        t.step(f"{number.name} to the {'whole group, as Ctrl-C does' if group else 'node'}")
        node.start()
        tip = node.mine(1)[0]
        wallet = node.wallet_pid if t.split else None
        node.signal(number, group)
        node.wait_exit()
        check(wallet is None or not os.path.exists(f"/proc/{wallet}"), "the wallet process outlived the node")
        node.start()
        equal(node.rpc.getbestblockhash(), tip, "best block after the restart")
        node.stop()

    t.step("a second signal during the shutdown changes nothing")
    node.start()
    node.signal(signal.SIGTERM)
    node.signal(signal.SIGTERM)
    node.wait_exit()

    t.step("a signal before the start is finished ends it as orderly")
    node.spawn()
    while not (node.chaindir / ".cookie").exists():
        check(node.process.poll() is None, "the node ended by itself")
    node.signal(signal.SIGTERM)
    node.wait_exit()

    t.step("-daemonwait returns when the node is ready and leaves it running")
    node.spawn("-daemonwait")
    node.wait_exit()
    equal(node.out.read_text(), "Bitcoin Core starting\n", "standard output")
    daemon = int(pid_file.read_text())
    equal(node.new_rpc().getblockcount(), 3)
    equal(node.new_rpc().stop(), "Bitcoin Core stopping")
    wait_until(lambda: not process.alive(daemon), "the node in the background ends")

    t.step("-printtoconsole shows the log on standard output")
    node.start("-printtoconsole")
    node.stop()
    contains(node.out.read_text(), re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", re.M))
    excludes(node.log_text(), "anic", "debug.log")


main(run)
