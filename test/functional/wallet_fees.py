"""What payments cost, by options: each is seen in the payments that are made."""

import re
from decimal import Decimal

from framework.rpc import fails
from framework.scenario import main
from framework.util import check, equal

FOREIGN = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
SATOSHI = Decimal("0.00000001")


def pay(node, amount, **options):
    """Makes a payment and returns it decoded, with its fee in satoshi."""
    wallet = node.wallet("w")
    known = wallet.gettransaction(wallet.sendtoaddress(FOREIGN, amount, **options), verbose=True)
    return dict(known["decoded"], fee=-known["fee"] / SATOSHI)


def costs(paid, expected):
    """Checks the satoshi for each virtual byte: what was expected, or some more, as one signature in a hundred is shorter."""
    rate = paid["fee"] / paid["vsize"]
    check(expected <= rate < expected * Decimal("1.03"), f"{rate}, expected {expected}")


def run(t):
    node = t.node()
    node.start()
    node.rpc.createwallet("w", load_on_startup=True)
    wallet = node.wallet("w")
    node.rpc.generatetoaddress(6, wallet.getnewaddress())
    node.mine(100)

    t.step("-fallbackfee is paid while nothing is known of fees; without it there is no payment")
    for option, expected in (("0.0003", 30), ("0.0001", 10)):
        wallet = node.restart(f"-fallbackfee={option}").wallet("w")
        costs(pay(node, 1), expected)
    wallet = node.restart("-fallbackfee=0").wallet("w")
    fails(-6, "Fee estimation failed. Fallbackfee is disabled. Wait a few blocks or enable -fallbackfee.", wallet.sendtoaddress,
          FOREIGN, 1)
    costs(pay(node, 1, fee_rate=2), 2)

    t.step("-mintxfee is the least that is paid, and a lower rate is refused")
    wallet = node.restart("-mintxfee=0.0004").wallet("w")
    costs(pay(node, 1), 40)
    fails(-6, "Fee rate (39.000 sat/vB) is lower than the minimum fee rate setting (40.000 sat/vB).\nConsider modifying "
              "-mintxfee (40.000 sat/vB) or -minrelaytxfee (0.100 sat/vB).", wallet.sendtoaddress, FOREIGN, 1, fee_rate=39)

    t.step("-maxtxfee is the most that a payment costs")
    wallet = node.restart("-maxtxfee=0.00005").wallet("w")
    costs(pay(node, 1), 20)
    fails(-6, "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)", wallet.sendtoaddress, FOREIGN, 1,
          fee_rate=40)

    t.step("-discardfee: change that is not worth it goes to the miner")
    node.mine()
    for option, outputs in (("0", 2), ("0.001", 1)):
        wallet = node.restart(f"-discardfee={option}").wallet("w")
        coin, *others = sorted(wallet.listunspent(), key=lambda coin: -coin["amount"])
        wallet.lockunspent(False, [{"txid": other["txid"], "vout": other["vout"]} for other in others])
        # 110 bytes with one output, 141 with two: 3000 satoshi are left over.
        paid = pay(node, coin["amount"] - 3141 * SATOSHI, fee_rate=1)
        equal((len(paid["vin"]), len(paid["vout"])), (1, outputs), option)
        equal(paid["fee"], 141 if outputs == 2 else 3141)
        node.mine()

    node.stop()

    t.step("amounts that are none")
    for option in ("fallbackfee", "mintxfee", "maxtxfee", "discardfee", "consolidatefeerate"):
        node.refuses_to_start(re.compile(rf"^Error: .*Invalid amount for -{option}=<amount>: 'x'\n$"), f"-{option}=x")


main(run)
