"""kill -9 of the wallet process: the node stays up, says so, starts it again, and nothing spent is lost."""

import os
import signal
import threading
import time

from framework import process
from framework.rpc import RpcError
from framework.scenario import main
from framework.util import Failure, check, equal, wait_until

KILLS = 8
PAYMENTS = 5  # at least so many succeed before the kill


def back(node):
    """Waits until wallet commands work again; until then they say why not."""

    def works():
        try:
            return node.rpc.listwallets()
        except RpcError as error:
            equal(error.code, -9)
            check("The wallet process" in error.message, f"the error does not say what is gone: {error}")
            return None

    wait_until(works, "the wallets are back")


class Openers:
    """Opens and closes wallets without pause, and calls one that stays open."""

    def __init__(self, node):
        self.node, self.ended, self.wrong, self.last = node, threading.Event(), [], {}
        self.threads = [threading.Thread(target=self.run, args=work) for work in (
            (self.open_and_close, "x"), (self.open_and_close, "y"), (self.use, "w"))]
        for thread in self.threads:
            thread.start()

    def run(self, work, name):
        """Repeats some work; the only error there may be is that the wallet process is gone."""
        rpc = self.node.new_rpc()
        while not self.ended.is_set():
            try:
                work(rpc, name)
            except RpcError as error:
                if error.code != -9:
                    self.wrong.append(f"{work.__name__}: {error}")
                self.ended.wait(0.02)
            except BaseException as error:  # pylint: disable=broad-except
                self.wrong.append(repr(error))

    def open_and_close(self, rpc, name):
        """Opens the wallet unless it is open, or closes it; notes what is known of it."""
        if name in rpc.listwallets():
            self.last[name] = None
            rpc.unloadwallet(name)
            self.last[name] = False
        else:
            self.last[name] = None
            rpc.loadwallet(name)
            self.last[name] = True

    def use(self, rpc, name):
        """Uses the wallet."""
        rpc.on(f"/wallet/{name}").getnewaddress()

    def end(self):
        """Ends the work and checks that nothing was wrong."""
        self.ended.set()
        for thread in self.threads:
            thread.join()
        equal(self.wrong, [], "wrong answers")


def run(t):
    t.skip_unless_split()
    node = t.node()
    node.start()
    node.rpc.createwallet("w", load_on_startup=True)
    # Opened by hand, closed by hand, and with a passphrase: none of them is in the settings.
    node.rpc.createwallet("by hand")
    node.rpc.createwallet("closed")
    node.rpc.unloadwallet("closed")
    node.rpc.createwallet("locked", passphrase="sesame")
    node.wallet("locked").walletpassphrase("sesame", 1000)
    wallet = node.wallet("w")
    address = wallet.getnewaddress()
    node.rpc.generatetoaddress(20, address)
    node.mine(100)
    equal(wallet.getbalance(), 1000)
    foreign = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"

    t.step("pay without pause, and kill the wallet process meanwhile")
    paid, ended = [], []
    pid = node.wallet_pid

    def pay():
        client = node.wallet("w")
        try:
            while True:
                paid.append(client.sendtoaddress(foreign, 1))
        except RpcError as error:
            ended.append(error)
        except BaseException as error:  # pylint: disable=broad-except
            ended.append(Failure(f"not an RPC error: {error!r}"))

    payer = threading.Thread(target=pay)
    payer.start()
    wait_until(lambda: len(paid) >= PAYMENTS or ended, "some payments succeed")
    os.kill(pid, signal.SIGKILL)
    payer.join(node.timeout)
    check(not payer.is_alive(), "the call during the kill was never answered")
    check(isinstance(ended[0], RpcError), f"{ended[0]}")
    check(len(paid) >= PAYMENTS, f"{paid}, {ended}")
    t.step(f"{len(paid)} payments, then {ended[0]}")
    check(ended[0].code < 0 and ended[0].message, "a typed error")

    t.step("the node goes on, and starts the wallet process again")
    equal(node.rpc.getblockcount(), 120)
    mempool = set(node.rpc.getrawmempool())
    check(set(paid) <= mempool, "every payment that was reported is in the mempool")
    wait_until(lambda: not process.alive(pid), "the wallet process is gone")
    back(node)
    check(node.wallet_pid != pid, "another process")
    equal(set(node.rpc.listwallets()), {"w", "by hand", "locked"})
    wallet = node.wallet("w")
    # What it had recorded and not broadcast yet, it broadcasts now.
    known = {x["txid"] for x in wallet.listtransactions("*", 1000) if x["category"] == "send"}
    check(set(paid) <= mempool <= known, f"{mempool - known} are not known to the wallet")
    check(len(known - mempool) <= 1, f"{known - mempool} were never broadcast")
    equal(node.wallet("locked").getwalletinfo()["unlocked_until"], 0)
    paid.append(wallet.sendtoaddress(foreign, 1))
    node.mine(1)
    equal(node.rpc.getrawmempool(), [])
    equal({wallet.gettransaction(txid)["confirmations"] for txid in paid}, {1})

    t.step("one kill after the other, with blocks in between and a clock that was set")
    future = node.rpc.getblockheader(node.rpc.getbestblockhash())["time"] + 1000
    node.rpc.setmocktime(future)
    for number in range(3):
        os.kill(node.wallet_pid, signal.SIGKILL)
        node.rpc.generatetodescriptor(1, "raw(51)")
        back(node)
        equal(node.wallet("w").getwalletinfo()["lastprocessedblock"]["height"], 122 + number)
    txid = node.wallet("w").sendtoaddress(foreign, 1)
    equal(node.wallet("w").gettransaction(txid)["timereceived"], future)
    node.mine(1)
    mempool.update(paid, [txid])
    node.rpc.setmocktime(0)

    t.step("wallets are opened and closed without pause, and the process is killed again and again: none is missing")
    for name in "xy":
        node.rpc.createwallet(name)
    for number in range(KILLS):
        openers = Openers(node)
        wait_until(lambda: len(openers.last) == 2, "wallets are opened and closed")
        killed = node.wallet_pid
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: not process.alive(killed), "the wallet process is gone")
        back(node)
        openers.end()
        opened = set(node.rpc.listwallets())
        check({"w", "by hand", "locked"} <= opened, f"after {number + 1} kills only {opened} are open")
        for name, is_open in openers.last.items():
            check(is_open is None or is_open == (name in opened), f"{name} is open: {name in opened}, not {is_open}")
    for name in opened & {"x", "y"}:
        node.rpc.unloadwallet(name)

    node.rpc.unloadwallet("by hand")
    node.rpc.unloadwallet("locked")

    t.step("a node that is told to stop meanwhile stops, and leaves nothing running")
    pid = node.wallet_pid
    os.kill(pid, signal.SIGKILL)
    started = time.monotonic()
    node.stop(stderr=None)
    check(time.monotonic() - started < 20, "the end takes moments")
    equal(process.group(node.group), [], "processes that are left")

    t.step("after a restart the wallet knows every payment and has lost nothing else")
    node.start()
    wallet = node.wallet("w")
    history = {x["txid"]: x for x in wallet.listtransactions("*", 1000) if x["category"] == "send"}
    equal(set(history) >= set(paid), True, "payments in the wallet")
    check(set(history) >= mempool, "the wallet has every payment that was broadcast")
    # A payment is on disk before it is broadcast, and the kill may have come in between.
    check(len(set(history) - mempool) <= 1, f"{set(history) - mempool} were never broadcast")
    fees = sum(x["fee"] for x in history.values())
    equal(wallet.getbalance(), 1000 - len(history) + fees)
    wallet.sendtoaddress(foreign, 1)
    node.stop()


main(run)
