"""Statistics: of a block, of the set of unspent outputs, and the verification of what is stored."""

import re
from decimal import Decimal

from framework.rpc import fails
from framework.scenario import main
from framework.transaction import anyone_spends, txid
from framework.util import check, equal


def run(t):
    node = t.node()
    rpc = node.start().rpc
    hashes = node.mine(110)
    coins = [(rpc.getblock(hash_)["tx"][0], 0) for hash_ in hashes[:3]]

    t.step("a block without payments")
    empty = rpc.getblockstats(5)
    equal(empty, rpc.getblockstats(hashes[4]), "by height and by hash")
    equal((empty["height"], empty["blockhash"], empty["subsidy"]), (5, hashes[4], 50 * 10**8))
    equal((empty["txs"], empty["ins"], empty["outs"], empty["totalfee"], empty["avgfee"]), (1, 0, 2, 0, 0))
    equal((empty["minfee"], empty["mintxsize"], empty["feerate_percentiles"]), (0, 0, [0] * 5))
    equal((empty["utxo_increase"], empty["utxo_increase_actual"]), (2, 1))

    t.step("a block with three payments of different fees")
    payments = [anyone_spends(coin, 50, fee=fee) for coin, fee in zip(coins, ("0.0001", "0.0002", "0.0006"))]
    mined = rpc.generateblock("raw(51)", payments)["hash"]
    stats = rpc.getblockstats(mined)
    size = len(payments[0]) // 2
    equal((stats["txs"], stats["ins"], stats["outs"]), (4, 3, 8))
    equal((stats["totalfee"], stats["minfee"], stats["medianfee"], stats["maxfee"], stats["avgfee"]),
          (90_000, 10_000, 20_000, 60_000, 30_000))
    equal((stats["minfeerate"], stats["maxfeerate"]), (10_000 // size, 60_000 // size))
    equal(stats["feerate_percentiles"], [fee // size for fee in (10_000, 10_000, 20_000, 60_000, 60_000)])
    equal((stats["total_size"], stats["total_weight"], stats["swtxs"]), (3 * size, 12 * size, 0))
    equal(stats["total_out"], 3 * 50 * 10**8 - 90_000)
    equal(rpc.getblockstats(mined, ["txs", "avgfee"]), {"avgfee": 30_000, "txs": 4})
    fails(-8, "Invalid selected statistic 'weather'", rpc.getblockstats, mined, ["weather"])
    fails(-8, "Target block height 112 after current tip 111", rpc.getblockstats, 112)
    fails(-8, "Target block height -1 is negative", rpc.getblockstats, -1)
    fails(-5, "Block not found", rpc.getblockstats, "00" * 32)

    t.step("the genesis block adds nothing to the set of unspent outputs")
    equal([rpc.getblockstats(0)[name] for name in ("txs", "utxo_increase", "utxo_increase_actual")], [1, 1, 0])

    t.step("the set of unspent outputs, with each hash")
    plain = rpc.gettxoutsetinfo("none")
    equal((plain["height"], plain["bestblock"], plain["txouts"], plain["transactions"]), (111, mined, 111, 111))
    equal(plain["total_amount"], 111 * 50 - Decimal("0.0009"))
    serialized, muhash = rpc.gettxoutsetinfo(), rpc.gettxoutsetinfo("muhash")
    for info, name in ((serialized, "hash_serialized_3"), (muhash, "muhash")):
        check(re.fullmatch("[0-9a-f]{64}", info[name]), info)
        equal({key: info[key] for key in plain if key != "disk_size"},
              {key: plain[key] for key in plain if key != "disk_size"})
    rpc.invalidateblock(mined)
    check(rpc.gettxoutsetinfo("muhash")["muhash"] != muhash["muhash"], "another set has another hash")
    rpc.reconsiderblock(mined)
    equal(rpc.gettxoutsetinfo("muhash")["muhash"], muhash["muhash"])
    fails(-8, "'md5' is not a valid hash_type", rpc.gettxoutsetinfo, "md5")
    fails(-8, "Querying specific block heights requires coinstatsindex", rpc.gettxoutsetinfo, "muhash", 5)

    t.step("verification")
    equal([rpc.verifychain(level, 0) for level in range(5)], [True] * 5)

    t.step("hashes per second over less than a period of the difficulty")
    equal(rpc.getnetworkhashps(-1), rpc.getnetworkhashps(111 % 144 + 1))
    node.stop()


main(run)
