"""A locked coin that is spent is no longer locked, wherever it was spent and however long the lock was to last."""

from framework.scenario import main
from framework.util import equal

FOREIGN = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


def run(t):
    node = t.node()
    rpc = node.start().rpc
    rpc.createwallet("w")
    wallet = node.wallet("w")
    rpc.generatetoaddress(2, wallet.getnewaddress())
    node.mine(100)
    copy = node.chaindir / "wallets" / "copy"
    copy.mkdir()
    wallet.backupwallet(str(copy / "wallet.dat"))
    rpc.loadwallet("copy")

    coins = [{"txid": coin["txid"], "vout": coin["vout"]} for coin in wallet.listunspent()]
    equal(len(coins), 2)
    for persistent, coin in zip((False, True), coins):
        t.step(f"a {'lasting' if persistent else 'passing'} lock")
        wallet.lockunspent(False, [coin], persistent)
        equal(wallet.listlockunspent(), [coin])
        # This coin is the only one of the copy that is enough.
        other = node.wallet("copy")
        there = [{"txid": each["txid"], "vout": each["vout"]} for each in other.listunspent()]
        other.lockunspent(False, [each for each in there if each in coins and each != coin])
        other.sendtoaddress(FOREIGN, 49)
        other.lockunspent(True)
        node.mine()
        equal(wallet.listlockunspent(), [])
    node.restart("-wallet=w")
    equal(node.wallet("w").listlockunspent(), [])
    node.stop()


main(run)
