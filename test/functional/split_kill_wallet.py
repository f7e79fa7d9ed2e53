"""kill -9 of the wallet process during payments: the node stays up, says so, and nothing spent is lost."""

import os
import signal
import threading

from framework import process
from framework.rpc import RpcError
from framework.scenario import main
from framework.util import Failure, check, equal, wait_until

PAYMENTS = 5  # at least so many succeed before the kill


def run(t):
    t.skip_unless_split()
    node = t.node()
    node.start()
    node.rpc.createwallet("w", load_on_startup=True)
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

    t.step("the node goes on without its wallet")
    wait_until(lambda: not process.alive(pid), "the wallet process is gone")
    equal(node.rpc.getblockcount(), 120)
    mempool = set(node.rpc.getrawmempool())
    check(set(paid) <= mempool, "every payment that was reported is in the mempool")
    try:
        raise Failure(f"a wallet call without a wallet process gave {node.wallet('w').getbalance()}")
    except RpcError as error:
        equal(error.code, -9)
        check("wallet process" in error.message, f"the error does not say what is gone: {error}")
    equal(process.tree(node.process.pid), [], "processes below the node")
    node.mine(1)
    equal(node.rpc.getrawmempool(), [])
    node.stop(stderr=None)

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
    equal({wallet.gettransaction(txid)["confirmations"] for txid in paid}, {1})
    wallet.sendtoaddress(foreign, 1)
    node.stop()


main(run)
