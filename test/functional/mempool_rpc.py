"""Unconfirmed transactions: accepted, refused with the reason, shown, replaced, kept over a restart."""

import re
from decimal import Decimal

from framework.rpc import fails
from framework.scenario import main
from framework.transaction import ANYONE, PADDING, anyone_spends, spend, txid
from framework.util import check, equal


def run(t):
    node = t.node()
    rpc = node.start().rpc
    hashes = node.mine(105)
    coins = [(rpc.getblock(hash_)["tx"][0], 0) for hash_ in hashes[:5]]

    t.step("the empty mempool")
    info = rpc.getmempoolinfo()
    equal((info["loaded"], info["size"], info["bytes"], info["total_fee"]), (True, 0, 0, 0))
    equal(info["maxmempool"], 300_000_000)
    equal(rpc.getrawmempool(), [])

    t.step("a trial acceptance changes nothing")
    parent = anyone_spends(coins[0], 50)
    trial = rpc.testmempoolaccept([parent])[0]
    equal((trial["txid"], trial["allowed"], trial["fees"]["base"]), (txid(parent), True, Decimal("0.0001")))
    equal((trial["vsize"], rpc.getrawmempool()), (len(parent) // 2, []))

    t.step("parent and child enter")
    equal(rpc.sendrawtransaction(parent), txid(parent))
    child = anyone_spends((txid(parent), 0), "49.9999")
    rpc.sendrawtransaction(child)
    equal(sorted(rpc.getrawmempool()), sorted([txid(parent), txid(child)]))
    info = rpc.getmempoolinfo()
    equal((info["size"], info["bytes"], info["total_fee"]), (2, len(parent + child) // 2, Decimal("0.0002")))
    verbose = rpc.getrawmempool(True)
    entry = rpc.getmempoolentry(txid(parent))
    equal(verbose[txid(parent)], entry)
    equal((entry["vsize"], entry["weight"], entry["height"]), (len(parent) // 2, 2 * len(parent), 105))
    equal((entry["descendantcount"], entry["ancestorcount"], entry["spentby"], entry["depends"]),
          (2, 1, [txid(child)], []))
    equal((entry["fees"]["base"], entry["fees"]["descendant"]), (Decimal("0.0001"), Decimal("0.0002")))
    equal(rpc.getmempoolentry(txid(child))["depends"], [txid(parent)])
    sequence = rpc.getrawmempool(mempool_sequence=True)
    equal(sorted(sequence), ["mempool_sequence", "txids"])
    fails(-5, "Transaction not in mempool", rpc.getmempoolentry, "00" * 32)
    fails(-8, "Verbose results cannot contain mempool sequence values.", rpc.getrawmempool, True, True)

    t.step("coins as the mempool leaves them")
    equal(rpc.gettxout(*coins[0]), None)
    check(rpc.gettxout(*coins[0], False) is not None, "the chain alone still has the coin")
    equal(rpc.gettxout(txid(child), 0)["confirmations"], 0)
    equal(rpc.gettxout(txid(child), 0, include_mempool=False), None)

    t.step("raw transactions")
    equal(rpc.getrawtransaction(txid(child)), child)
    decoded = rpc.decoderawtransaction(child)
    shown = rpc.getrawtransaction(txid(child), 1)
    equal((shown.pop("hex"), shown), (child, decoded))
    equal((decoded["txid"], decoded["hash"], decoded["size"], decoded["version"], decoded["locktime"]),
          (txid(child), txid(child), len(child) // 2, 2, 0))
    equal(decoded["vin"], [{"txid": txid(parent), "vout": 0, "scriptSig": {"asm": "", "hex": ""},
                            "sequence": 0xfffffffd}])
    equal([(o["n"], o["value"], o["scriptPubKey"]["type"]) for o in decoded["vout"]],
          [(0, Decimal("49.9998"), "nonstandard"), (1, 0, "nulldata")])
    equal(decoded["vout"][0]["scriptPubKey"]["asm"], "1")
    fails(-22, re.compile("^TX decode failed"), rpc.decoderawtransaction, child[:-2])
    fails(-22, re.compile("^TX decode failed"), rpc.sendrawtransaction, "zz")
    fails(-5, re.compile("^No such mempool transaction"), rpc.getrawtransaction, "00" * 32)

    t.step("refusals, each with its reason")
    missing = spend([("ab" * 32, 0)], [(1, ANYONE), (0, PADDING)])
    young = anyone_spends((rpc.getblock(hashes[-1])["tx"][0], 0), 50)
    greedy = spend([coins[1]], [(60, ANYONE), (0, PADDING)])
    small = spend([coins[1]], [("49.9999", ANYONE)])
    free = anyone_spends(coins[1], 50, fee=0)
    for transaction, code, message, reason in (
        (missing, -25, "bad-txns-inputs-missingorspent", "missing-inputs"),
        (young, -26, "bad-txns-premature-spend-of-coinbase, tried to spend coinbase at depth 1",
         "bad-txns-premature-spend-of-coinbase"),
        (greedy, -26, "bad-txns-in-belowout, value in (50.00) < value out (60.00)", "bad-txns-in-belowout"),
        (small, -26, "tx-size-small", "tx-size-small"),
        (free, -26, re.compile("^min relay fee not met, 0 < "), "min relay fee not met"),
        (anyone_spends(coins[1], 50)[:-8] + "ff64cd1d", -26, "non-final", "non-final"),  # height 499999999
    ):
        fails(code, message, rpc.sendrawtransaction, transaction)
        verdict = rpc.testmempoolaccept([transaction])[0]
        equal((verdict["allowed"], verdict["reject-reason"]), (False, reason))
    verdict = rpc.testmempoolaccept([parent])[0]
    equal((verdict["allowed"], verdict["reject-reason"]), (False, "txn-already-in-mempool"))
    equal(rpc.sendrawtransaction(parent), txid(parent), "sending again what is there is no error")
    rich = anyone_spends(coins[1], 50, fee=1)
    fails(-25, re.compile("^Fee exceeds maximum configured by user"), rpc.sendrawtransaction, rich)
    equal(rpc.testmempoolaccept([rich])[0]["reject-reason"], "max-fee-exceeded")
    equal(rpc.testmempoolaccept([rich], 0)[0]["allowed"], True)

    t.step("a replacement must pay for itself")
    fails(-26, re.compile("^insufficient fee, rejecting replacement"), rpc.sendrawtransaction,
          anyone_spends((txid(parent), 0), "49.9999", fee="0.00010001"))
    better = anyone_spends((txid(parent), 0), "49.9999", fee="0.0005")
    rpc.sendrawtransaction(better)
    equal(sorted(rpc.getrawmempool()), sorted([txid(parent), txid(better)]))

    t.step("a package is tried as a whole")
    first = anyone_spends(coins[2], 50)
    second = anyone_spends((txid(first), 0), "49.9999")
    equal([v["allowed"] for v in rpc.testmempoolaccept([first, second])], [True, True])
    equal(rpc.testmempoolaccept([second])[0]["reject-reason"], "missing-inputs")

    t.step("a restart keeps the mempool, -persistmempool=0 does not")
    node.restart()
    rpc = node.rpc
    equal(sorted(rpc.getrawmempool()), sorted([txid(parent), txid(better)]))
    check((node.chaindir / "mempool.dat").exists(), "mempool.dat is written")
    node.restart("-persistmempool=0")
    rpc = node.rpc
    equal(rpc.getrawmempool(), [])

    t.step("mining confirms, and the block names the transaction")
    rpc.sendrawtransaction(parent)
    mined = node.mine(1)[0]
    equal(rpc.getrawmempool(), [])
    shown = rpc.getrawtransaction(txid(parent), 1, mined)
    equal((shown["blockhash"], shown["confirmations"], shown["in_active_chain"]), (mined, 1, True))
    fails(-5, re.compile("^No such transaction found in the provided block"), rpc.getrawtransaction, txid(child), 0,
          mined)
    fails(-27, "Transaction outputs already in utxo set", rpc.sendrawtransaction, parent)
    node.stop()


main(run)
