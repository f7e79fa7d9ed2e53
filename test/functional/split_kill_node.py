"""kill -9 of the node: the wallet process ends by itself, and both come back with the same balances."""

from framework import process
from framework.scenario import main
from framework.util import check, equal, wait_until

FOREIGN = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


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

    t.step("everything can be spent as before")
    third = node.wallet("w").sendtoaddress(FOREIGN, 1)
    node.mine(1)
    equal(node.wallet("w").gettransaction(third)["confirmations"], 1)
    node.stop()


main(run)
