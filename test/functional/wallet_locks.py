"""A locked coin that is spent is no longer locked, wherever it was spent and however long the lock was to last."""

import contextlib
import sqlite3

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

    t.step("a lock in the file of a coin that is spent, as other versions leave it")
    node.stop()
    key = b"\x0alockedutxo" + bytes.fromhex(coins[0]["txid"])[::-1] + coins[0]["vout"].to_bytes(4, "little")
    path = node.chaindir / "wallets" / "w" / "wallet.dat"
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        file.execute("INSERT INTO main VALUES (?, ?)", (key, b"1"))
    node.start("-wallet=w")
    equal(node.wallet("w").listlockunspent(), [])
    node.stop()
    with contextlib.closing(sqlite3.connect(path)) as file:
        equal(file.execute("SELECT count(*) FROM main WHERE key = ?", (key,)).fetchone(), (0,))

    t.step("a lock of a coin whose spender was abandoned lasts")
    node.start("-walletbroadcast=0", "-wallet=w")
    wallet = node.wallet("w")
    node.rpc.generatetoaddress(1, wallet.getnewaddress())
    node.mine(100)
    txid = wallet.sendtoaddress(FOREIGN, 1)
    spent = [{"txid": each["txid"], "vout": each["vout"]} for each in node.rpc.decoderawtransaction(
        wallet.gettransaction(txid)["hex"])["vin"]]
    wallet.abandontransaction(txid)
    wallet.lockunspent(False, spent, True)
    locked = wallet.listlockunspent()
    equal(len(locked), len(spent))
    node.restart("-walletbroadcast=0", "-wallet=w")
    equal(node.wallet("w").listlockunspent(), locked)
    node.stop()


main(run)
