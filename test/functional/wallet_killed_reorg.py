"""A node that is killed after a block left its chain may have that block again: wallets take its payments in again."""

from framework.scenario import main
from framework.util import equal, wait_until

FOREIGN = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


def run(t):
    node = t.node()
    node.start()
    node.rpc.createwallet("w")
    wallet = node.wallet("w")
    node.rpc.generatetoaddress(1, wallet.getnewaddress())
    node.mine(100)
    for depth in (1, 3):
        t.step(f"{depth} blocks leave the chain, and are there again")
        txids = []
        for _ in range(depth):
            txids.append(wallet.sendtoaddress(FOREIGN, 1))
            node.mine()
        tip, first = node.rpc.getbestblockhash(), wallet.gettransaction(txids[0])["blockhash"]
        # Asking for these statistics writes everything to disk first.
        node.rpc.gettxoutsetinfo("none")
        node.rpc.invalidateblock(first)
        wait_until(lambda: wallet.gettransaction(txids[0])["confirmations"] == 0, "the wallet knows")
        node.kill()
        node.start("-wallet=w")
        equal(node.rpc.getbestblockhash(), tip)
        wallet = node.wallet("w")
        equal([wallet.gettransaction(txid)["confirmations"] for txid in txids], list(range(depth, 0, -1)))
    node.stop()


main(run)
