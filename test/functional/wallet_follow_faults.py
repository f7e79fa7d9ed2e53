"""A wallet that cannot write down a block stays where it was, says so, and catches up by itself, with nothing left out."""

import re
import shutil

from framework.disk import disk, enter_namespace, fill, needed
from framework.rpc import fails
from framework.scenario import main
from framework.util import check, contains, equal, wait_until

FOREIGN = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


def in_chain(node, wallet):
    """What the chain has for the wallet."""
    scan = [{"desc": d["desc"], "range": d["range"]} for d in wallet.listdescriptors()["descriptors"]]
    return node.rpc.scantxoutset("start", scan)["total_amount"]


def in_wallet(wallet):
    """The same as the wallet has it."""
    mine = wallet.getbalances()["mine"]
    return mine["trusted"] + mine["immature"]


def follows(wallet):
    """Whether nothing keeps the wallet from following."""
    return "warnings" not in wallet.getwalletinfo()


def warned_of(node):
    """What the node shows of wallets."""
    return [warning for warning in node.rpc.getblockchaininfo()["warnings"] if warning.startswith("wallet ")]


def replaced_meanwhile(t):
    """A payment that leaves the mempool while the wallet is behind counts no longer."""
    t.step("a payment that is replaced meanwhile")
    node, other = t.node(), t.node()
    wallets = node.directory / "wallets"
    disk(wallets, 6)
    node.start(f"-walletdir={wallets}")
    node.rpc.createwallet("w")
    wallet = node.wallet("w")
    address = wallet.getnewaddress()
    node.rpc.generatetoaddress(1, address)
    node.mine(100)
    # A second copy of the wallet spends the same coin at a higher rate.
    other.start()
    copy = other.chaindir / "wallets" / "w"
    copy.mkdir()
    wallet.backupwallet(str(node.directory / "copy.dat"))
    shutil.copy(node.directory / "copy.dat", copy / "wallet.dat")
    for height in range(1, node.rpc.getblockcount() + 1):
        other.rpc.submitblock(node.rpc.getblock(node.rpc.getblockhash(height), 0))
    other.rpc.loadwallet("w")
    replaced = wallet.sendtoaddress(FOREIGN, 1)
    replacement = other.wallet("w").sendtoaddress(address=FOREIGN, amount=2, fee_rate=50)
    transaction = other.rpc.getrawtransaction(replacement)
    other.stop()
    node.sync()
    filler = fill(wallets, 0)
    while follows(wallet):
        node.rpc.generateblock(address, [])
        node.sync()
    node.rpc.sendrawtransaction(transaction)
    equal(node.rpc.getrawmempool(), [replacement])
    filler.unlink()
    wait_until(lambda: follows(wallet), "the wallet has caught up", 60)

    def state():
        # Which unconfirmed payment counts shows in the change.
        change = {coin["txid"] for coin in wallet.listunspent(0) if coin["confirmations"] == 0}
        return wallet.getbalances()["mine"]["trusted"], change, wallet.gettransaction(replaced)["mempoolconflicts"]

    before = state()
    equal(before[1:], ({replacement}, [replacement]))
    node.stop(stderr=re.compile("behind the chain"))
    node.start(f"-walletdir={wallets}", "-wallet=w")
    wallet = node.wallet("w")
    equal(state(), before)
    node.stop()


def run(t):
    needed(t)
    node = t.node()
    wallets = node.directory / "wallets"
    disk(wallets, 6)
    node.start(f"-walletdir={wallets}")
    node.rpc.createwallet("w")
    wallet = node.wallet("w")
    address = wallet.getnewaddress()
    node.rpc.generatetoaddress(105, address)
    node.sync()
    equal(in_wallet(wallet), in_chain(node, wallet))

    for round_number, reorganise in enumerate([False, True]):
        t.step(f"no room for a block{', and a reorganisation meanwhile' if reorganise else ''}")
        filler = fill(wallets, 0)
        for _ in range(200):
            node.rpc.generatetoaddress(5, address)
            node.sync()
            if not follows(wallet):
                break
        info = wallet.getwalletinfo()
        contains(info["warnings"][0], "the wallet is behind the chain and tries to catch up: cannot take in")
        behind = info["lastprocessedblock"]["height"]
        check(behind < node.rpc.getblockcount(), f"{behind}, which could not be written, is not the last block")
        fails(-4, re.compile("the wallet is behind the chain"), wallet.sendtoaddress, FOREIGN, 1)
        shown = f'wallet "w": {info["warnings"][0]}'
        wait_until(lambda: shown in node.rpc.getnetworkinfo()["warnings"], "the node shows the warning")
        contains(node.log_text(), f"[warning] {shown}\n")
        if reorganise:
            node.rpc.invalidateblock(node.rpc.getblockhash(behind - 1))
            # Other blocks than those before, or they would be invalid already.
            node.rpc.generatetodescriptor(30, "raw(51)")
        filler.unlink()
        node.rpc.generatetoaddress(3, address)
        tip = node.rpc.getbestblockhash()
        wait_until(lambda: follows(wallet) and wallet.getwalletinfo()["lastprocessedblock"]["hash"] == tip,
                   "the wallet has caught up", 60)
        wait_until(lambda: not warned_of(node), "the node shows no warning any more")
        # A payment that the reorganisation took out of the chain is offered again, and confirms again.
        node.rpc.generatetoaddress(1, FOREIGN)
        node.sync()
        equal(in_wallet(wallet), in_chain(node, wallet))
        wallet.sendtoaddress(FOREIGN, 1)
        node.rpc.generatetoaddress(1, FOREIGN)
        node.sync()
        equal(in_wallet(wallet), in_chain(node, wallet))
        contains(node.err.read_text(), 'Warning: wallet "w": the wallet is behind the chain')
        # The file knows it, too.
        if round_number:
            node.kill()
        else:
            node.stop(stderr=re.compile("behind the chain"))
        node.start(f"-walletdir={wallets}", "-wallet=w")
        wallet = node.wallet("w")
        node.sync()
        equal(in_wallet(wallet), in_chain(node, wallet))

    t.step("killed while it is behind")
    node.rpc.gettxoutsetinfo("none")
    filler = fill(wallets, 0)
    while follows(wallet):
        node.rpc.generatetoaddress(5, address)
        node.sync()
    node.rpc.gettxoutsetinfo("none")
    node.kill()
    filler.unlink()
    node.start(f"-walletdir={wallets}", "-wallet=w")
    wallet = node.wallet("w")
    equal(in_wallet(wallet), in_chain(node, wallet))
    node.stop()

    replaced_meanwhile(t)


enter_namespace()
main(run)
