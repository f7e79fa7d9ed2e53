"""Coins that are locked, payments that are given up, addresses made ahead, rescans that are stopped, copies of a wallet."""

import concurrent.futures
import shutil

from framework.rpc import RpcError, fails
from framework.scenario import main
from framework.util import check, equal, wait_until

FOREIGN = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


def points(coins):
    """Coins as they are named."""
    return sorted(({"txid": coin["txid"], "vout": coin["vout"]} for coin in coins), key=str)


def run(t):
    node = t.node()
    node.start()
    node.rpc.createwallet("w", load_on_startup=True)
    wallet = node.wallet("w")
    node.rpc.generatetoaddress(3, wallet.getnewaddress())
    node.mine(100)

    t.step("a locked coin is neither listed nor spent")
    coins = points(wallet.listunspent())
    equal((len(coins), wallet.listlockunspent()), (3, []))
    equal(wallet.lockunspent(False, coins[:2]), True)
    equal((points(wallet.listlockunspent()), points(wallet.listunspent())), (coins[:2], coins[2:]))
    equal((wallet.getbalance(), wallet.getbalances()["mine"]["trusted"]), (150, 150))
    fails(-6, "Insufficient funds", wallet.sendtoaddress, FOREIGN, 60)
    equal(wallet.lockunspent(True, coins[:1]), True)
    equal(wallet.listlockunspent(), coins[1:2])
    for unlock, what, message in (
        (False, [dict(coins[0], txid="11" * 32)], "Invalid parameter, unknown transaction"),
        (False, [dict(coins[0], vout=9)], "Invalid parameter, vout index out of bounds"),
        (False, [dict(coins[0], vout=-1)], "Invalid parameter, vout cannot be negative"),
        (False, [coins[0], coins[1]], "Invalid parameter, output already locked"),
        (True, [coins[1], coins[0]], "Invalid parameter, expected locked output"),
        (False, [dict(coins[0], txid="11")], "txid must be of length 64 (not 2, for '11')"),
    ):
        fails(-8, message, wallet.lockunspent, unlock, what)
    fails(-3, "Missing vout", wallet.lockunspent, False, [{"txid": coins[0]["txid"]}])
    equal(wallet.listlockunspent(), coins[1:2], "what is refused changes nothing")

    t.step("a lock lasts until the wallet is closed, one that is to be kept until it is taken off")
    equal(wallet.lockunspent(False, coins[:1], True), True)
    node.restart()
    wallet = node.wallet("w")
    equal(wallet.listlockunspent(), coins[:1])
    equal(wallet.lockunspent(False, coins[1:]), True)
    equal(wallet.listunspent(), [])
    equal(wallet.lockunspent(True), True)
    equal(wallet.listlockunspent(), [])
    node.restart()
    wallet = node.wallet("w")
    equal((wallet.listlockunspent(), points(wallet.listunspent())), ([], coins))

    t.step("-walletbroadcast=0: payments are made and kept back, and can be abandoned")
    node.restart("-walletbroadcast=0")
    wallet = node.wallet("w")
    kept = wallet.sendtoaddress(FOREIGN, 120)
    node.sync()
    equal(node.rpc.getrawmempool(), [])
    fails(-6, "Insufficient funds", wallet.sendtoaddress, FOREIGN, 60)
    fails(-5, "Invalid or non-wallet transaction id", wallet.abandontransaction, "11" * 32)
    equal(wallet.gettransaction(kept)["details"][0]["abandoned"], False)
    equal(wallet.abandontransaction(kept), None)
    equal((wallet.gettransaction(kept)["details"][0]["abandoned"], wallet.gettransaction(kept)["confirmations"]), (True, 0))
    equal((wallet.getbalance(), points(wallet.listunspent())), (150, coins))
    equal([entry["abandoned"] for entry in wallet.listtransactions("*", 100) if entry["txid"] == kept], [True])

    t.step("what is in the mempool or in a block cannot be abandoned")
    node.restart()
    wallet = node.wallet("w")
    equal((node.rpc.getrawmempool(), wallet.getbalance()), ([], 150), "what was abandoned stays so")
    paid = wallet.sendtoaddress(FOREIGN, 1)
    fails(-5, "Transaction not eligible for abandonment", wallet.abandontransaction, paid)
    node.mine()
    fails(-5, "Transaction not eligible for abandonment", wallet.abandontransaction, paid)

    t.step("addresses for change, of each kind, each its own")
    for kind, start in (("legacy", "mn"), ("p2sh-segwit", "2"), ("bech32", "bcrt1q"), ("bech32m", "bcrt1p")):
        one, two = wallet.getrawchangeaddress(kind), wallet.getrawchangeaddress(address_type=kind)
        check(one != two and any(one.startswith(word) for word in ([*start] if kind == "legacy" else [start])), one)
        known = wallet.getaddressinfo(one)
        equal((known["ismine"], known["ischange"], known["hdkeypath"].split("/")[-2]), (True, True, "1"))
    check(wallet.getrawchangeaddress().startswith("bcrt1q"), "the default")
    fails(-5, "Unknown address type 'x'", wallet.getrawchangeaddress, "x")

    t.step("keypoolrefill makes more addresses ahead")
    # Four kinds of address, inside and outside.
    wallet.keypoolrefill()
    info = wallet.getwalletinfo()
    equal((info["keypoolsize"], info["keypoolsize_hd_internal"]), (20, 20))
    wallet.keypoolrefill(8)
    info = wallet.getwalletinfo()
    equal((info["keypoolsize"], info["keypoolsize_hd_internal"]), (32, 32))
    fails(-8, "Invalid parameter, expected valid size.", wallet.keypoolrefill, -1)

    t.step("a rescan is stopped by abortrescan")
    equal(wallet.abortrescan(), False)
    node.mine(1000)

    def aborted():
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            scan = pool.submit(node.wallet("w").rescanblockchain)
            hit = False
            while not scan.done():
                hit = wallet.abortrescan() or hit
            error = scan.exception()
            check(error is None or isinstance(error, RpcError) and (error.code, error.message) == (-1, "Rescan aborted."), error)
            check(hit or error is None, "it was aborted by nobody")
            return error

    wait_until(aborted, "a rescan that ends early")
    equal((wallet.getwalletinfo()["scanning"], wallet.rescanblockchain()), (False, {"start_height": 0, "stop_height": 1104}))

    t.step("backupwallet copies the file; the copy is a wallet")
    wallet.setlabel(wallet.getnewaddress(), "mark")
    before = (wallet.getbalances(), wallet.listdescriptors(True)["descriptors"], points(wallet.listunspent()))
    directory = node.chaindir / "wallets"
    equal(wallet.backupwallet(str(node.directory / "copy.dat")), None)
    for name in (str(node.directory / "nosuch" / "x.dat"), str(directory / "w" / "wallet.dat"), str(directory / "w")):
        fails(-4, "Error: Wallet backup failed!", wallet.backupwallet, name)
    for name in ("copy", "deep/copy"):
        (directory / name).mkdir(parents=True)
        shutil.copy(node.directory / "copy.dat", directory / name / "wallet.dat")

    t.step("listwalletdir names every wallet there is, open or not, and nothing else")
    (directory / "text").mkdir()
    (directory / "text" / "wallet.dat").write_text("not a wallet, but longer than sixteen bytes" * 100)
    (directory / "empty").mkdir()
    equal(sorted(node.rpc.listwalletdir()["wallets"], key=str),
          [{"name": name, "warnings": []} for name in ("copy", "deep/copy", "w")])
    wallet.unloadwallet()
    for name in ("copy", "deep/copy"):
        node.rpc.loadwallet(name)
        copy = node.wallet(name)
        equal((copy.getbalances(), copy.listdescriptors(True)["descriptors"], points(copy.listunspent())), before, name)
        copy.unloadwallet()
    node.stop()


main(run)
