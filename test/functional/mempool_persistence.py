"""The mempool's file: saved, imported, expired, damaged, in the old form and the new."""

import re
from decimal import Decimal

from framework.rpc import fails
from framework.scenario import main
from framework.transaction import anyone_spends, txid
from framework.util import check, equal, wait_until


def run(t):
    node = t.node()
    rpc = node.start().rpc
    hashes = node.mine(104)
    coins = [(rpc.getblock(hash_)["tx"][0], 0) for hash_ in hashes[:3]]
    transactions = [anyone_spends(coin, 50) for coin in coins]
    first, second, third = (txid(transaction) for transaction in transactions)
    file = node.chaindir / "mempool.dat"

    t.step("savemempool writes, a restart reads")
    rpc.sendrawtransaction(transactions[0])
    rpc.prioritisetransaction(first, 0, 1000)
    rpc.prioritisetransaction(third, 0, 2000)
    before = rpc.getmempoolentry(first)
    equal(rpc.savemempool(), {"filename": str(file)})
    equal(file.read_bytes()[:8], (2).to_bytes(8, "little"), "the version with obfuscation")
    node.restart()
    rpc = node.rpc
    wait_until(lambda: rpc.getmempoolinfo()["loaded"], "the mempool is loaded")
    after = rpc.getmempoolentry(first)
    equal((after["time"], after["fees"], after["unbroadcast"]), (before["time"], before["fees"], True))
    equal(rpc.getprioritisedtransactions(), {
        first: {"fee_delta": 1000, "in_mempool": True, "modified_fee": 11_000},
        third: {"fee_delta": 2000, "in_mempool": False}})

    t.step("importmempool adds what is asked for and no more")
    rpc.sendrawtransaction(transactions[1])
    saved = t.directory / "saved.dat"
    rpc.savemempool()
    saved.write_bytes(file.read_bytes())
    node.stop()
    file.unlink()
    rpc = node.start("-persistmempool=0").rpc
    equal(rpc.getrawmempool(), [])
    equal(rpc.importmempool(str(saved)), {})
    equal((sorted(rpc.getrawmempool()), rpc.getmempoolinfo()["unbroadcastcount"]), (sorted([first, second]), 0))
    equal(rpc.getmempoolentry(first)["fees"]["modified"], Decimal("0.0001"))
    rpc.importmempool(str(saved), {"apply_fee_delta_priority": True, "apply_unbroadcast_set": True})
    equal(rpc.getmempoolinfo()["unbroadcastcount"], 2)
    equal(rpc.getmempoolentry(first)["fees"]["modified"], Decimal("0.00011"))
    fails(-1, "Unable to import mempool file, see debug log for details.", rpc.importmempool, str(t.directory / "no"))

    t.step("-persistmempoolv1 writes the older form, which is read too")
    check(not file.exists(), "-persistmempool=0 wrote nothing")
    node.restart("-persistmempoolv1")
    node.rpc.importmempool(str(saved))
    node.stop()
    equal(file.read_bytes()[:8], (1).to_bytes(8, "little"))
    rpc = node.start().rpc
    wait_until(lambda: len(rpc.getrawmempool()) == 2, "the older form is read")

    t.step("what is too old is left out, and told")
    node.stop()
    with node.logs(re.escape("0 succeeded, 0 failed, 2 expired")):
        node.start("-mempoolexpiry=1", f"-mocktime={before['time'] + 3 * 3600}")
        wait_until(lambda: node.rpc.getmempoolinfo()["loaded"], "the file was looked at")
    equal(node.rpc.getrawmempool(), [])

    t.step("a damaged file is told and forgotten")
    node.stop()
    file.write_bytes(saved.read_bytes()[:60])
    with node.logs("Failed to deserialize mempool data on file"):
        node.start()
        wait_until(lambda: node.rpc.getmempoolinfo()["loaded"], "the file was looked at")
    equal(node.rpc.getrawmempool(), [])
    node.stop()


main(run)
