"""Payments that do not confirm are offered again, once within 12 to 36 hours, and not before."""

import time

from framework.scenario import main
from framework.util import check, equal, wait_until

FOREIGN = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
HOUR = 60 * 60


def run(t):
    node = t.node()
    rpc = node.start().rpc
    rpc.createwallet("w")
    wallet = node.wallet("w")
    rpc.generatetoaddress(1, wallet.getnewaddress())
    node.mine(100)
    txid = wallet.sendtoaddress(FOREIGN, 1)
    start = int(time.time())

    def offers(text):
        return sum(log.count(f"ResubmitWalletTransactions: {text}") for log in node.all_logs().values())

    t.step("a block without the payment, six minutes later")
    rpc.setmocktime(start + 6 * 60)
    rpc.generateblock(FOREIGN, [])
    node.sync()
    check(txid in rpc.getrawmempool(), "the payment is not confirmed")

    t.step("not before twelve hours, and before thirty-six")
    rpc.setmocktime(start + 11 * HOUR)
    equal(offers("resubmit"), 0)
    rpc.setmocktime(start + 37 * HOUR)
    wait_until(lambda: offers("resubmit 1 unconfirmed transactions") == 1, "the payment is offered again")

    t.step("again after that, and not once it is confirmed")
    rpc.setmocktime(start + 74 * HOUR)
    wait_until(lambda: offers("resubmit 1 unconfirmed transactions") == 2, "the payment is offered once more")
    rpc.generateblock(FOREIGN, [txid])
    node.sync()
    rpc.setmocktime(start + 111 * HOUR)
    other = wallet.sendtoaddress(FOREIGN, 1)
    rpc.setmocktime(start + 111 * HOUR + 6 * 60)
    rpc.generateblock(FOREIGN, [])
    node.sync()
    rpc.setmocktime(start + 148 * HOUR)
    wait_until(lambda: offers("resubmit 1 unconfirmed transactions") == 3, "only the other is offered")
    check(other in rpc.getrawmempool(), "the other is in the mempool")
    node.stop()


main(run)
