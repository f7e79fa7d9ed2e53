"""kill -9 of the node: the wallet process ends with it, a node started at once comes back with the same balances."""

import contextlib
import http.client
import os
import shutil
import signal
import sqlite3
import threading

from framework import process
from framework.rpc import RpcError
from framework.scenario import main
from framework.util import check, equal, wait_until

ROUNDS = 12  # kills of a busy node
FOREIGN = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


def pay_until_gone(node, paid):
    """Pays without pause until the node is gone; notes what was acknowledged."""
    wallet = node.wallet("w")
    with contextlib.suppress(OSError, http.client.HTTPException):
        while True:
            try:
                paid.append(wallet.sendtoaddress(FOREIGN, "0.001"))
            except RpcError as error:
                check(error.code in (-6, -9), f"a payment failed: {error}")
                if error.code == -6:
                    return


def sound(node, t):
    """Checks the wallet's file, in a copy."""
    copy = t.directory / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(node.chaindir / "wallets" / "w", copy)
    with contextlib.closing(sqlite3.connect(copy / "wallet.dat")) as database:
        equal(database.execute("PRAGMA integrity_check").fetchall(), [("ok",)])


def run(t):
    node = t.node()
    node.start()
    node.rpc.createwallet("w", load_on_startup=True)
    node.rpc.generatetoaddress(3, node.wallet("w").getnewaddress())
    node.mine(100)
    first = node.wallet("w").sendtoaddress(FOREIGN, 10)
    node.mine(1)
    # The engine writes its state when it stops, and now and then; from here on it is on disk.
    node.restart()

    def state():
        wallet = node.wallet("w")
        return wallet.getbalances()["mine"], sorted((c["txid"], c["vout"], c["amount"]) for c in wallet.listunspent(0))

    def kill():
        below = [node.wallet_pid] if t.split else []
        node.kill()
        wait_until(lambda: not any(process.alive(p) for p in below), "the wallet process ends by itself", 10)
        node.start()

    t.step("at rest")
    before = state()
    equal(node.wallet("w").gettransaction(first)["confirmations"], 1)
    kill()
    equal(state(), before)
    equal(node.wallet("w").gettransaction(first)["confirmations"], 1)

    t.step("with a payment that is not confirmed: it is sent again")
    second = node.wallet("w").sendtoaddress(FOREIGN, 5)
    node.sync()
    before = state()
    kill()
    equal(state(), before)
    wait_until(lambda: second in node.rpc.getrawmempool(), "the payment is in the mempool again")

    t.step("with a block that the engine had not yet written: the wallet follows the chain back, and loses nothing")
    node.mine(1)
    equal(node.wallet("w").gettransaction(second)["confirmations"], 1)
    before = state()
    kill()
    height = node.rpc.getblockcount()
    check(height in (104, 105), f"height {height}")
    if height == 104:
        equal(node.wallet("w").gettransaction(second)["confirmations"], 0)
        wait_until(lambda: second in node.rpc.getrawmempool(), "the payment is in the mempool again")
        node.mine(1)
    equal(node.wallet("w").gettransaction(second)["confirmations"], 1)
    equal(state(), before)

    t.step("with a wallet process that is stopped and has requests to serve: it writes nothing any more")
    if t.split:
        below = node.wallet_pid
        os.kill(below, signal.SIGSTOP)
        queued = [threading.Thread(target=pay_until_gone, args=(node, [])) for _ in range(8)]
        for payer in queued:
            payer.start()
        active = lambda: [c for c in node.rpc.getrpcinfo()["active_commands"] if c["method"] == "sendtoaddress"]
        wait_until(lambda: len(active()) == len(queued), "the payments are on their way")
        node.kill()
        node.start()
        check(not process.alive(below), "the stopped process is gone")
        for payer in queued:
            payer.join()
        equal(state(), before)

    t.step("while payments are made, again and again: the next node is started at once, and knows each of them")
    paid = []
    # Coins enough for payments whose change is not in the mempool, on disk when the first kill comes.
    node.rpc.generatetoaddress(100, node.wallet("w").getnewaddress())
    node.mine(100)
    node.restart()
    for _ in range(ROUNDS):
        payers = [threading.Thread(target=pay_until_gone, args=(node, paid)) for _ in range(2)]
        enough = len(paid) + 3
        for payer in payers:
            payer.start()
        wait_until(lambda: len(paid) >= enough or not any(payer.is_alive() for payer in payers), "payments are made")
        node.kill()
        node.start()
        for payer in payers:
            payer.join()
        known = {x["txid"] for x in node.wallet("w").listtransactions("*", 100_000) if x["category"] == "send"}
        check(set(paid) <= known, f"{set(paid) - known} are not in the wallet")
        node.mine(1)
        sound(node, t)

    t.step("everything can be spent as before")
    third = node.wallet("w").sendtoaddress(FOREIGN, 1)
    node.mine(1)
    equal(node.wallet("w").gettransaction(third)["confirmations"], 1)
    node.stop()


main(run)
