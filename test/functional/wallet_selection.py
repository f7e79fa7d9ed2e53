"""Which coins payments take, by options: all of an address or some, none that wait for a block or have a long past."""

import threading
from decimal import Decimal

from framework.rpc import fails
from framework.scenario import main
from framework.util import check, equal

FOREIGN = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


def pay(node, amount, **options):
    """Makes a payment and returns it decoded."""
    wallet = node.wallet("w")
    return wallet.gettransaction(wallet.sendtoaddress(FOREIGN, amount, **options), verbose=True)["decoded"]


def funded(t, amounts):
    """A node with a wallet that has coins of these amounts, each on an address of its own."""
    node = t.node()
    node.start()
    node.rpc.createwallet("w")
    node.rpc.createwallet("bank")
    node.rpc.generatetoaddress(1 + int(sum(amounts)) // 40, node.wallet("bank").getnewaddress())
    node.mine(100)
    for amount in amounts:
        node.wallet("bank").sendtoaddress(node.wallet("w").getnewaddress(), amount)
        node.mine()
    node.mine(6)
    return node


def smallest(t):
    """Where inputs cost more now than later, the smallest coin that is enough is spent."""
    t.step("the smallest coin that is enough is taken")
    node = funded(t, [20, 1, 3])
    wallet = node.wallet("w")
    for amount, taken in (("0.5", 1), ("1.5", 3), ("3.5", 20)):
        paid = pay(node, amount, fee_rate=100)
        equal([wallet.gettransaction(spent["txid"])["amount"] for spent in paid["vin"]], [taken])
        node.rpc.generateblock(FOREIGN, [])
        others = [coin for coin in wallet.listunspent(0) if coin["confirmations"] == 0]
        wallet.lockunspent(False, [{"txid": coin["txid"], "vout": coin["vout"]} for coin in others])
    t.step("without change if there is a set of coins for it")
    node.mine(7)
    wallet.lockunspent(True)
    coins = sorted(coin["amount"] for coin in wallet.listunspent())
    paid = pay(node, coins[0] + coins[1] - Decimal("0.00002"), fee_rate=10)
    equal((len(paid["vin"]), len(paid["vout"])), (2, 1))
    node.stop()


def lifted(t):
    """A payment out of change that nobody mined yet pays for what it depends on, so that it confirms as promised."""
    t.step("a payment lifts what it depends on to its own rate")
    node = funded(t, [10])
    parent = pay(node, 1, fee_rate=1)["txid"]
    child = pay(node, 1, fee_rate=30)["txid"]
    entry = node.rpc.getmempoolentry(child)
    equal((entry["ancestorcount"], entry["depends"]), (2, [parent]))
    rate = entry["fees"]["ancestor"] * 100_000_000 / entry["ancestorsize"]
    check(30 <= rate < Decimal("30.5"), f"both together pay {rate} sat/vB")
    # What pays enough already costs nothing more.
    grandchild = node.rpc.getmempoolentry(pay(node, 1, fee_rate=20)["txid"])
    rate = grandchild["fees"]["base"] * 100_000_000 / grandchild["vsize"]
    check(20 <= rate < Decimal("20.5"), f"it pays {rate} sat/vB")
    node.stop()


def many(t):
    """Many small coins: what is too heavy is refused, and half of nearly equal coins can be spent."""
    t.step("a payment of 1,000 nearly equal coins, and one that is too heavy")
    node = t.node()
    node.start()
    node.rpc.createwallet("w")
    wallet = node.wallet("w")
    addresses = [wallet.getnewaddress() for _ in range(10)]
    scripts = [bytes.fromhex(wallet.getaddressinfo(address)["scriptPubKey"]) for address in addresses]
    node.mine(101)
    source = node.rpc.getblock(node.rpc.getblockhash(1), 2)["tx"][0]
    # Version, the coin that anyone can spend, 2,000 outputs each a satoshi less than the one before, no lock time.
    outputs = b"".join((1_000_000 - at).to_bytes(8, "little") + bytes([len(scripts[at % 10])]) + scripts[at % 10]
                       for at in range(2000))
    spend = (b"\2\0\0\0\1" + bytes.fromhex(source["txid"])[::-1] + bytes(4) + b"\0\xff\xff\xff\xff"
             + b"\xfd" + (2000).to_bytes(2, "little") + outputs + bytes(4))
    node.rpc.generateblock("raw(51)", [spend.hex()])
    node.mine(6)
    equal(len(wallet.listunspent()), 2000)
    fails(-6, "The inputs size exceeds the maximum weight. Please try sending a smaller amount or manually consolidating your "
              "wallet's UTXOs", wallet.sendtoaddress, FOREIGN, 16)
    inputs = len(pay(node, 10, fee_rate=1)["vin"])
    check(1000 < inputs < 1100, f"{inputs} inputs")
    node.stop()


def together(t):
    """Payments asked for at once spend different coins, and none fails for it."""
    t.step("eight payments at once")
    node = funded(t, [1] * 16)
    txids, errors = [], []

    def send():
        try:
            wallet = node.wallet("w")
            txids.extend(wallet.sendtoaddress(FOREIGN, "0.6") for _ in range(2))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal((errors, len(set(txids))), ([], 16))
    equal(set(node.rpc.getrawmempool()), set(txids))
    node.stop()


def run(t):
    node = t.node()
    node.start()
    node.rpc.createwallet("w", load_on_startup=True)
    node.rpc.createwallet("bank")
    bank, wallet = node.wallet("bank"), node.wallet("w")
    node.rpc.generatetoaddress(4, bank.getnewaddress())
    node.mine(100)
    target = wallet.getnewaddress()
    for _ in range(2):
        bank.sendtoaddress(target, 7)
    for _ in range(3):
        bank.sendtoaddress(wallet.getnewaddress(), 2)
    node.mine()

    t.step("-avoidpartialspends takes all coins of an address, or none")
    # -maxapsfee is what may be paid more for it; by default nothing, by -1 it is not even tried.
    cases = (("-avoidpartialspends=0", 1), ("-avoidpartialspends", 2), ("-maxapsfee=0.0001", 2), ("-maxapsfee=0.00000001", 1),
             ("-maxapsfee=-1", 1))
    for option, inputs in cases:
        wallet = node.restart(option, "-walletbroadcast=0").wallet("w")
        others = [{"txid": coin["txid"], "vout": coin["vout"]} for coin in wallet.listunspent() if coin["address"] != target]
        wallet.lockunspent(False, others)
        paid = pay(node, 1)
        equal(len(paid["vin"]), inputs, option)
        wallet.abandontransaction(paid["txid"])

    t.step("-spendzeroconfchange=0 leaves change alone until it is in a block")
    wallet = node.restart("-spendzeroconfchange=0").wallet("w")
    pay(node, wallet.getbalance() - 1)
    fails(-6, "Insufficient funds", wallet.sendtoaddress, FOREIGN, "0.7")
    wallet = node.restart("-spendzeroconfchange=1").wallet("w")
    pay(node, "0.7")
    node.mine()

    t.step("-limitancestorcount keeps from unconfirmed change with a long past, -walletrejectlongchains=0 takes it anyhow")
    wallet.sendtoaddress(target, wallet.getbalance(), subtractfeefromamount=True)
    node.mine()
    wallet = node.restart("-limitancestorcount=3").wallet("w")
    equal(len(wallet.listunspent()), 1)
    for _ in range(3):
        pay(node, "0.01")
    fails(-6, None, wallet.sendtoaddress, FOREIGN, "0.01")
    node.restart("-limitancestorcount=3", "-walletrejectlongchains=0").wallet("w")
    pay(node, "0.01")
    node.stop()

    smallest(t)
    lifted(t)
    many(t)
    together(t)


main(run)
