"""Clusters of the mempool: the transactions connected with one, in the chunks they would be mined in."""

from decimal import Decimal

from framework.rpc import fails
from framework.scenario import main
from framework.transaction import PADDING, anyone_spends, spend, txid
from framework.util import equal


def run(t):
    node = t.node()
    rpc = node.start().rpc
    hashes = node.mine(103)
    coins = [(rpc.getblock(hash_)["tx"][0], 0) for hash_ in hashes[:3]]

    t.step("the empty mempool")
    equal(rpc.getmempoolfeeratediagram(), [{"weight": 0, "fee": 0}])
    fails(-5, "Transaction not in mempool", rpc.getmempoolcluster, "00" * 32)

    t.step("a cheap parent is mined with its child, a dear one before it")
    cheap = anyone_spends(coins[0], 50, fee="0.0001")
    child = anyone_spends((txid(cheap), 0), Decimal(50) - Decimal("0.0001"), fee="0.0003")
    dear = anyone_spends(coins[1], 50, fee="0.0005")
    after = anyone_spends((txid(dear), 0), Decimal(50) - Decimal("0.0005"), fee="0.0001")
    for transaction in (cheap, child, dear, after):
        rpc.sendrawtransaction(transaction)
    weight = 2 * len(cheap)
    together = rpc.getmempoolcluster(txid(child))
    equal(together, {"clusterweight": 2 * weight, "txcount": 2, "chunks": [
        {"chunkfee": Decimal("0.0004"), "chunkweight": 2 * weight, "txs": [txid(cheap), txid(child)]}]})
    equal(rpc.getmempoolcluster(txid(cheap)), together)
    apart = rpc.getmempoolcluster(txid(dear))
    equal(apart, {"clusterweight": 2 * weight, "txcount": 2, "chunks": [
        {"chunkfee": Decimal("0.0005"), "chunkweight": weight, "txs": [txid(dear)]},
        {"chunkfee": Decimal("0.0001"), "chunkweight": weight, "txs": [txid(after)]}]})

    t.step("the diagram adds the chunks up, best first")
    equal(rpc.getmempoolfeeratediagram(), [
        {"weight": 0, "fee": 0},
        {"weight": weight, "fee": Decimal("0.0005")},
        {"weight": 3 * weight, "fee": Decimal("0.0009")},
        {"weight": 4 * weight, "fee": Decimal("0.001")}])

    t.step("a delta moves a transaction to another chunk")
    rpc.prioritisetransaction(txid(after), 0, 90_000)
    equal([chunk["txs"] for chunk in rpc.getmempoolcluster(txid(after))["chunks"]], [[txid(dear), txid(after)]])
    node.stop()

    t.step("a signature operation counts for as many bytes as asked for")
    node.start("-bytespersigop=1000")
    signed = spend([coins[2]], [("49.999", "ac"), (0, PADDING)])
    equal(node.rpc.testmempoolaccept([signed], 0)[0]["vsize"], 1000)
    node.stop()


main(run)
