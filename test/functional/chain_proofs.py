"""More of the chain: proofs of transactions, counts over a window, rule changes, tips that were preferred, waits."""

import re
import threading
from decimal import Decimal

from framework.rpc import fails
from framework.scenario import main
from framework.transaction import anyone_spends, txid
from framework.util import check, equal


def run(t):
    node = t.node()
    rpc = node.start().rpc
    hashes = node.mine(103)
    coins = [(rpc.getblock(hash_)["tx"][0], 0) for hash_ in hashes[:3]]
    payments = [anyone_spends(coin, 50) for coin in coins]
    mined = rpc.generateblock("raw(51)", payments)["hash"]
    ids = [txid(payment) for payment in payments]

    t.step("proofs")
    proof = rpc.gettxoutproof(ids[:2], mined)
    equal(sorted(rpc.verifytxoutproof(proof)), sorted(ids[:2]))
    equal(rpc.gettxoutproof([ids[0]]), rpc.gettxoutproof([ids[0]], mined), "found by an unspent output")
    fails(-1, "SpanReader::read(): end of data: iostream error", rpc.verifytxoutproof, proof[:-2])
    fails(-5, "Not all transactions found in specified or retrieved block", rpc.gettxoutproof, [ids[0]], hashes[5])
    fails(-5, "Block not found", rpc.gettxoutproof, [ids[0]], "00" * 32)
    fails(-8, "Parameter 'txids' cannot be empty", rpc.gettxoutproof, [], mined)
    fails(-8, re.compile("^Invalid parameter, duplicated txid"), rpc.gettxoutproof, [ids[0], ids[0]], mined)

    t.step("counts over a window")
    stats = rpc.getchaintxstats(10)
    equal((stats["txcount"], stats["window_block_count"], stats["window_tx_count"]), (108, 10, 13))
    equal((stats["window_final_block_hash"], stats["window_final_block_height"]), (mined, 104))
    early = rpc.getchaintxstats(5, hashes[9])
    equal((early["txcount"], early["window_tx_count"], early["window_final_block_height"]), (11, 5, 10))
    fails(-8, "Invalid block count: should be between 0 and the block's height - 1", rpc.getchaintxstats, 104)

    t.step("rule changes, buried and signalled")
    info = rpc.getdeploymentinfo()
    equal((info["hash"], info["height"]), (mined, 104))
    equal(info["deployments"]["segwit"], {"type": "buried", "active": True, "height": 0})
    dummy = info["deployments"]["testdummy"]
    equal((dummy["type"], dummy["active"], dummy["bip9"]["status"], dummy["bip9"]["since"]),
          ("bip9", False, "defined", 0))
    equal(rpc.getdeploymentinfo(hashes[0])["height"], 1)
    fails(-5, "Block not found", rpc.getdeploymentinfo, "00" * 32)

    t.step("of two tips with the same work the preferred one is taken")
    rpc.invalidateblock(mined)
    other = node.mine(1, "raw(52)")[0]
    rpc.reconsiderblock(mined)
    first, second = (other, mined) if rpc.getbestblockhash() == other else (mined, other)
    rpc.preciousblock(second)
    equal(rpc.getbestblockhash(), second)
    rpc.preciousblock(first)
    equal(rpc.getbestblockhash(), first)
    fails(-5, "Block not found", rpc.preciousblock, "00" * 32)

    t.step("waits: for any block, for one, and no longer than asked")
    equal(rpc.waitfornewblock(1), {"hash": first, "height": 104}, "nothing came")
    equal(rpc.waitforblock(first), {"hash": first, "height": 104}, "it is there")
    answers = []
    waiter = threading.Thread(target=lambda: answers.append(node.new_rpc().waitforblockheight(105)))
    waiter.start()
    tip = node.mine(1)[0]
    waiter.join(node.timeout)
    equal(answers, [{"hash": tip, "height": 105}])
    fails(-1, "Negative timeout", rpc.waitfornewblock, -1)

    t.step("a header without its block")
    template = rpc.generateblock("raw(51)", [], False)
    equal(rpc.submitheader(template["hex"][:160]), None)
    equal(rpc.getchaintips()[0], {"height": 106, "hash": template["hash"], "branchlen": 1, "status": "headers-only"})
    fails(-1, "Block not available (not fully downloaded)", rpc.getblock, template["hash"])
    fails(-25, re.compile("^Must submit previous header"), rpc.submitheader, "00" * 80)
    fails(-22, "Block header decode failed", rpc.submitheader, "00")
    equal(rpc.submitblock(template["hex"]), None)
    equal(rpc.getbestblockhash(), template["hash"])
    check(rpc.submitblock(template["hex"]) == "duplicate", "known")

    t.step("what a miner is told")
    info = rpc.getmininginfo()
    equal((info["blocks"], info["chain"], info["next"]["height"], info["blockmintxfee"]),
          (106, "regtest", 107, Decimal("0.00000001")))
    work = rpc.getblocktemplate({"rules": ["segwit"]})
    equal((work["height"], work["previousblockhash"], work["transactions"]), (107, template["hash"], []))
    fails(-8, re.compile("^getblocktemplate must be called with the segwit rule set"), rpc.getblocktemplate, {})
    proposal = rpc.generateblock("raw(51)", [], False)["hex"]
    equal(rpc.getblocktemplate({"mode": "proposal", "data": proposal, "rules": ["segwit"]}), None)
    node.stop()


main(run)
