"""Making blocks on regtest: from the mempool, by hand, and from outside."""

import re
from decimal import Decimal

from framework.rpc import fails
from framework.scenario import main
from framework.transaction import anyone_spends, block_hash, txid
from framework.util import check, equal

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


def run(t):
    node = t.node()
    rpc = node.start().rpc

    t.step("to an address and to a descriptor")
    hashes = rpc.generatetoaddress(2, ADDRESS)
    equal((len(hashes), rpc.getblockcount()), (2, 2))
    coinbase = rpc.getblock(hashes[1], 2)["tx"][0]
    equal((coinbase["vout"][0]["value"], coinbase["vout"][0]["scriptPubKey"]["address"]), (Decimal(50), ADDRESS))
    equal(coinbase["vin"][0]["coinbase"][:2], "52", "the height comes first")
    check(coinbase["vout"][1]["scriptPubKey"]["hex"].startswith("6a24aa21a9ed"), "the witness commitment")
    equal(len(rpc.generatetodescriptor(1, f"addr({ADDRESS})")), 1)
    equal(rpc.generatetoaddress(0, ADDRESS), [])
    equal(rpc.generatetoaddress(1, ADDRESS, maxtries=0), [])
    fails(-5, "Error: Invalid address", rpc.generatetoaddress, 1, "nonsense")
    fails(-5, re.compile("nonsense"), rpc.generatetodescriptor, 1, "nonsense")
    fails(-32601, re.compile("has been replaced by the -generate cli option"), rpc.generate)

    t.step("blocks take the mempool, best fee first, and pay the fees to the miner")
    hashes = node.mine(105)
    coins = [(rpc.getblock(hash_)["tx"][0], 0) for hash_ in hashes[:4]]
    cheap, dear = anyone_spends(coins[0], 50, "0.001"), anyone_spends(coins[1], 50, "0.002")
    child = anyone_spends((txid(cheap), 0), "49.999", "0.0005")
    for transaction in (cheap, child, dear):
        rpc.sendrawtransaction(transaction)
    block = rpc.getblock(node.mine(1)[0], 2)
    equal([tx["txid"] for tx in block["tx"][1:]], [txid(dear), txid(cheap), txid(child)])
    equal(block["tx"][0]["vout"][0]["value"], Decimal("50.0035"))
    equal(rpc.getmempoolinfo()["size"], 0)

    t.step("generateblock takes what it is told, in that order")
    waiting, given = anyone_spends(coins[2], 50), anyone_spends(coins[3], 50)
    rpc.sendrawtransaction(waiting)
    mined = rpc.generateblock("raw(51)", [given])["hash"]
    equal(rpc.getblock(mined)["tx"][1:], [txid(given)])
    equal(rpc.getrawmempool(), [txid(waiting)])
    made = rpc.generateblock("raw(51)", [txid(waiting)], False)
    equal((block_hash(made["hex"]), rpc.getbestblockhash()), (made["hash"], mined))
    equal(rpc.submitblock(made["hex"]), None)
    equal((rpc.getbestblockhash(), rpc.getrawmempool()), (made["hash"], []))
    fails(-5, "Transaction " + "00" * 32 + " not in mempool.", rpc.generateblock, "raw(51)", ["00" * 32])
    fails(-22, "Transaction decode failed for zz. Make sure the tx has at least one input.", rpc.generateblock,
          "raw(51)", ["zz"])
    fails(-25, re.compile("^TestBlockValidity failed: bad-txns-inputs-missingorspent"), rpc.generateblock, "raw(51)",
          [anyone_spends(("ab" * 32, 0), 50)])

    t.step("submitblock")
    equal(rpc.submitblock(made["hex"]), "duplicate")
    fails(-22, "Block decode failed", rpc.submitblock, "00")
    fails(-22, "Block decode failed", rpc.submitblock, made["hex"][:-2])
    empty = rpc.generateblock("raw(51)", [], False)["hex"]
    wrong_root = rpc.submitblock(empty[:72] + "ff" * 32 + empty[136:])
    check(wrong_root in ("bad-txnmrklroot", "high-hash"), f"a block with another Merkle root: {wrong_root}")
    wrong_parent = empty[:8] + "11" * 32 + empty[72:]
    check(rpc.submitblock(wrong_parent) in ("prev-blk-not-found", "high-hash"), "a block without its parent")
    equal(rpc.submitblock(empty), None)

    t.step("time moves on with the blocks")
    times = [rpc.getblockheader(rpc.getblockhash(height))["mediantime"] for height in range(100, 111)]
    equal(times, sorted(times))
    node.stop()


main(run)
