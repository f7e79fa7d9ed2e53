"""A data directory that Bitcoin Core 31 made is opened, and everything in it is there: chain, mempool, wallets, settings.

What Core said of it is beside it in `data/`, where `make.sh` makes both. Taking turns with a Core that is there to be
started is in core_interop.py.
"""

import decimal
import pathlib
import tarfile

from framework.scenario import main
from framework.util import equal

DATA = pathlib.Path(__file__).parent / "data"


def run(t):
    tip, waiting, muhash, plain, locked, pending, descriptor = (DATA / "core-31-regtest.txt").read_text().splitlines()
    plain, locked, pending = map(decimal.Decimal, (plain, locked, pending))
    node = t.node()
    with tarfile.open(DATA / "core-31-regtest.tar.xz") as archive:
        archive.extractall(node.datadir)

    def same(plain, locked):
        """What Core said holds, and wallets have so much that they can spend."""
        rpc = node.rpc
        equal((rpc.getblockcount(), rpc.getbestblockhash()), (112, tip))
        equal([(chain["height"], chain["status"]) for chain in rpc.getchaintips()], [(112, "active"), (112, "invalid")])
        equal(rpc.gettxoutsetinfo("muhash")["muhash"], muhash)
        equal(rpc.verifychain(4, 0), True)
        equal(waiting in rpc.getrawmempool(), True)
        equal(rpc.listwallets(), ["plain"])
        equal(node.wallet("plain").getbalance(), plain)
        rpc.loadwallet("locked")
        mine = node.wallet("locked").getbalances()["mine"]
        equal((mine["trusted"], mine["untrusted_pending"]), (locked, pending))
        equal(descriptor in str(node.wallet("plain").listdescriptors(True)), True)

    t.step("as Core left it")
    node.start()
    same(plain, locked)

    t.step("and used: a payment from each wallet, a block with both")
    foreign = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
    wallets = {name: node.wallet(name) for name in ("plain", "locked")}
    wallets["locked"].walletpassphrase("sesame", 60)
    paid = {name: wallet.gettransaction(wallet.sendtoaddress(foreign, 1)) for name, wallet in wallets.items()}
    plain, locked = (before + paid[name]["amount"] + paid[name]["fee"] for name, before in (("plain", plain), ("locked", locked)))
    node.rpc.unloadwallet("locked")
    node.restart()
    same(plain, locked)
    node.mine(1)
    equal((node.rpc.getrawmempool(), node.rpc.getblockcount()), ([], 113))
    equal(node.wallet("locked").getbalance(), locked + pending)
    node.stop()


main(run)
