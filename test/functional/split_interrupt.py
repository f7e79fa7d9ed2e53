"""Ctrl-C on the terminal reaches the whole process group and stops the whole tree once, without a word."""

import os
import signal

from framework import process
from framework.scenario import main
from framework.util import equal, excludes, wait_until


def run(t):
    t.skip_unless_split()
    node = t.node()
    for number in (signal.SIGINT, signal.SIGTERM):
        t.step(f"{number.name} to the group")
        node.start()
        if not (node.chaindir / "wallets" / "w").exists():
            node.rpc.createwallet("w", load_on_startup=True)
        wallet = node.wallet("w")
        node.rpc.generatetoaddress(1, wallet.getnewaddress())
        node.sync()
        blocks, balances = node.rpc.getblockcount(), wallet.getbalances()["mine"]
        below = node.wallet_pid
        node.signal(number, group=True)
        node.wait_exit()
        wait_until(lambda: not process.alive(below), "the wallet process ends too", 10)
        equal(node.out.read_text(), "", "standard output")
        node.start()
        equal((node.rpc.getblockcount(), node.wallet("w").getbalances()["mine"]), (blocks, balances))
        node.stop()

    t.step("a signal to the wallet process alone does not end it: the node decides")
    node.start()
    below = node.wallet_pid
    os.kill(below, signal.SIGINT)
    equal(node.wallet("w").getwalletinfo()["walletname"], "w")
    node.stop()
    excludes(node.log_text(), "panicked")


main(run)
