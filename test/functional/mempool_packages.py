"""Families in the mempool: relatives, deltas of fees, spenders, and packages handed in together."""

from decimal import Decimal

from framework.rpc import fails
from framework.scenario import main
from framework.transaction import ANYONE, PADDING, anyone_spends, spend, txid
from framework.util import check, equal


def run(t):
    node = t.node()
    rpc = node.start().rpc
    hashes = node.mine(106)
    coins = [(rpc.getblock(hash_)["tx"][0], 0) for hash_ in hashes[:6]]
    value = Decimal(50)

    t.step("grandparent, parent and child know each other")
    chain, coin = [], coins[0]
    for _ in range(3):
        chain.append(anyone_spends(coin, value))
        value -= Decimal("0.0001")
        coin = (txid(chain[-1]), 0)
        rpc.sendrawtransaction(chain[-1])
    ids = [txid(transaction) for transaction in chain]
    equal(sorted(rpc.getmempoolancestors(ids[2])), sorted(ids[:2]))
    equal(sorted(rpc.getmempooldescendants(ids[0])), sorted(ids[1:]))
    equal(rpc.getmempoolancestors(ids[2], True), {id_: rpc.getmempoolentry(id_) for id_ in ids[:2]})
    equal((rpc.getmempoolancestors(ids[0]), rpc.getmempooldescendants(ids[2])), ([], []))
    for command in (rpc.getmempoolancestors, rpc.getmempooldescendants):
        fails(-5, "Transaction not in mempool", command, "00" * 32)

    t.step("a delta counts for the transaction and its relatives")
    check(rpc.prioritisetransaction(ids[1], fee_delta=5000), "taken")
    equal(rpc.getprioritisedtransactions(),
          {ids[1]: {"fee_delta": 5000, "in_mempool": True, "modified_fee": 15_000}})
    equal(rpc.getmempoolentry(ids[2])["fees"]["ancestor"], Decimal("0.00035"))
    equal(rpc.getmempoolentry(ids[0])["fees"]["descendant"], Decimal("0.00035"))
    rpc.prioritisetransaction(ids[1], 0.0, -5000)
    equal(rpc.getprioritisedtransactions(), {})
    fails(-8, "Priority is no longer supported, dummy argument to prioritisetransaction must be 0.",
          rpc.prioritisetransaction, ids[1], 1, 5)
    fails(-1, "JSON integer out of range", rpc.prioritisetransaction, ids[1], 1, 0.5)

    t.step("who spends an output")
    equal(rpc.gettxspendingprevout([{"txid": ids[0], "vout": 0}, {"txid": ids[2], "vout": 0}]),
          [{"txid": ids[0], "vout": 0, "spendingtxid": ids[1]}, {"txid": ids[2], "vout": 0}])
    of_first = [{"txid": ids[0], "vout": 0}]
    equal(rpc.gettxspendingprevout(of_first, return_spending_tx=True)[0]["spendingtx"], chain[1])
    fails(-3, "Unexpected key x", rpc.gettxspendingprevout, of_first, {"x": 1})
    fails(-3, "JSON value of type number for field mempool_only is not of expected type bool",
          rpc.gettxspendingprevout, of_first, {"mempool_only": 1})
    fails(-3, "Missing vout", rpc.gettxspendingprevout, [{"txid": ids[0]}])
    fails(-3, "Unexpected key y", rpc.gettxspendingprevout, [{"txid": ids[0], "vout": 0, "y": 1}])

    t.step("a child pays for a parent that alone would not get in")
    parent = anyone_spends(coins[1], 50, fee=0, version=3)
    child = anyone_spends((txid(parent), 0), 50, fee="0.001", version=3)
    result = rpc.submitpackage([parent, child])
    equal((result["package_msg"], result["replaced-transactions"]), ("success", []))
    of_parent, of_child = (result["tx-results"][txid(transaction)] for transaction in (parent, child))
    equal((of_parent["fees"]["base"], of_child["fees"]["base"]), (0, Decimal("0.001")))
    equal(of_parent["fees"]["effective-includes"], [txid(parent), txid(child)])
    equal(of_parent["fees"]["effective-feerate"], of_child["fees"]["effective-feerate"])
    again = rpc.submitpackage([parent, child])["tx-results"][txid(parent)]
    equal(("error" in again, again["fees"]), (False, {"base": 0}))

    t.step("what is refused of a package, and why")
    poor = anyone_spends(coins[2], 50, fee=0)
    orphan = anyone_spends((txid(poor), 0), 50, fee="0.00000001")
    result = rpc.submitpackage([poor, orphan])
    equal(result["package_msg"], "transaction failed")
    check("min relay fee not met" in result["tx-results"][txid(poor)]["error"], result)
    fails(-25, "package topology disallowed. not child-with-parents or parents depend on each other.",
          rpc.submitpackage, [chain[0], poor])
    burnt = spend([coins[3]], [(1, "6a"), ("48.9999", ANYONE), (0, PADDING)])
    fails(-25, "Unspendable output exceeds maximum configured by user (maxburnamount)", rpc.submitpackage, [burnt])
    equal(rpc.submitpackage([burnt], None, "1.0")["package_msg"], "success")
    rich = anyone_spends(coins[4], 50, fee=1)
    equal(rpc.submitpackage([rich])["tx-results"][txid(rich)]["error"], "max feerate exceeded")
    fails(-8, "Fee rates larger than or equal to 1BTC/kvB are not accepted", rpc.submitpackage, [rich], 1)
    for package in ([], [chain[0]] * 26):
        fails(-8, "Array must contain between 1 and 25 transactions.", rpc.submitpackage, package)

    t.step("all of it fits into a block")
    count = rpc.getmempoolinfo()["size"]
    template = rpc.getblocktemplate({"rules": ["segwit"]})
    equal(len(template["transactions"]), count)
    equal(len(rpc.getblock(node.mine(1)[0])["tx"]), count + 1)
    node.stop()


main(run)
