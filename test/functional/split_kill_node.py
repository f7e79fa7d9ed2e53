"""kill -9 of the node: the wallet process ends by itself, and both come back with the same balances."""

from framework import process
from framework.scenario import main
from framework.util import equal, wait_until


def run(t):
    node = t.node()
    node.start()
    node.rpc.createwallet("w", load_on_startup=True)
    wallet = node.wallet("w")
    node.rpc.generatetoaddress(2, wallet.getnewaddress())
    node.mine(100)
    txid = wallet.sendtoaddress("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", 10)
    node.mine(1)
    wallet.getnewaddress("last")

    def state():
        client = node.wallet("w")
        return (client.getbalances()["mine"], client.gettransaction(txid)["amount"], len(client.listunspent()),
                client.getwalletinfo()["txcount"])

    for round_ in range(3):
        t.step(f"kill, round {round_ + 1}")
        before = state()
        below = [node.wallet_pid] if t.split else []
        equal([process.name(p) for p in below], ["bitcoin-wallet"] * len(below))
        node.kill()
        wait_until(lambda: not any(process.alive(p) for p in below), "the wallet process ends by itself", 10)
        node.start()
        # The chain was last flushed before the kill, or not: blocks may be missing, and are made again.
        height = node.rpc.getblockcount()
        t.step(f"height after the kill: {height}")
        if height == 103 + round_:
            equal(state(), before)
        else:
            node.mine(103 + round_ - height)
        equal(node.wallet("w").getbalance(), before[0]["trusted"])
        node.mine(1)
    node.stop()

    t.step("and an orderly end changes nothing either")
    node.start()
    equal(node.wallet("w").gettransaction(txid)["confirmations"] > 0, True)
    node.stop()


main(run)
