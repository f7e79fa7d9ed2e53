"""Which coins payments take, by options: all of an address or some, none that wait for a block or have a long past."""

from framework.rpc import fails
from framework.scenario import main
from framework.util import check, equal

FOREIGN = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


def pay(node, amount, **options):
    """Makes a payment and returns it decoded."""
    wallet = node.wallet("w")
    return wallet.gettransaction(wallet.sendtoaddress(FOREIGN, amount, **options), verbose=True)["decoded"]


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
    for option, inputs in (("-avoidpartialspends=0", 1), ("-avoidpartialspends", 2)):
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


main(run)
