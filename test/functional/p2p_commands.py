"""Commands about peers: connections of each kind, a block asked of one, transactions without parents, bytes counted."""

import time

from framework.p2p import Peer, frame, wait_for_peers
from framework.rpc import fails
from framework.scenario import main
from framework.transaction import anyone_spends, txid
from framework.util import check, equal, wait_until


def run(t):
    node, other = t.node(), t.node()
    node.start(*node.LISTEN)
    other.start("-listen=1", *(f"-bind=127.0.0.{number}" for number in (1, 2, 3)))
    rpc = node.rpc

    t.step("getnettotals counts what peers sent and got")
    totals = rpc.getnettotals()
    equal((totals["totalbytesrecv"], totals["totalbytessent"]), (0, 0))
    check(abs(totals["timemillis"] / 1000 - time.time()) < 60, totals)
    equal(totals["uploadtarget"], {"timeframe": 86400, "target": 0, "target_reached": False,
                                   "serve_historical_blocks": True, "bytes_left_in_cycle": 0, "time_left_in_cycle": 0})
    peer = Peer(node)
    wait_until(lambda: isinstance(peer.sync(), list) and rpc.getpeerinfo()[0]["bytesrecv_per_msg"].get("pong"), "a pong")
    before = rpc.getnettotals()
    info = rpc.getpeerinfo()[0]
    equal(before["totalbytesrecv"], info["bytesrecv"])
    check(0 < before["totalbytessent"] <= info["bytessent"], before)
    peer.send("unknown", bytes(1000))
    peer.sync()
    after = rpc.getnettotals()
    equal(after["totalbytesrecv"] - before["totalbytesrecv"], len(frame("unknown", bytes(1000))) + len(frame("ping", bytes(8))))
    check(after["totalbytessent"] - before["totalbytessent"] >= len(frame("pong", bytes(8))), after)
    check(after["timemillis"] >= before["timemillis"], after)
    peer.close()
    wait_for_peers(node, 0)
    check(rpc.getnettotals()["totalbytesrecv"] >= after["totalbytesrecv"], "bytes of a peer that left still count")

    t.step("addconnection makes connections of each kind, as many as there may be")
    address = [f"127.0.0.{number}:{other.p2p_port}" for number in (1, 2, 3)]
    equal(rpc.addconnection(address[0], "outbound-full-relay", False),
          {"address": address[0], "connection_type": "outbound-full-relay"})
    for place in address[1:]:
        rpc.addconnection(place, "block-relay-only", False)
    wait_until(lambda: [peer["connection_type"] for peer in rpc.getpeerinfo() if peer["version"]]
               == ["outbound-full-relay", "block-relay-only", "block-relay-only"], "three connections")
    equal([peer["addr"] for peer in rpc.getpeerinfo()], address)
    equal([peer["relaytxes"] for peer in other.rpc.getpeerinfo()], [True, False, False])
    fails(-34, "Error: Already at capacity for specified connection type.", rpc.addconnection, "127.0.0.4:1",
          "block-relay-only", False)
    for kind in ("manual", "inbound", ""):
        fails(-8, rpc.help("addconnection"), rpc.addconnection, address[0], kind, False)
    for place in address:
        rpc.disconnectnode(place)
    wait_for_peers(other, 0)
    wait_for_peers(node, 0)

    t.step("a feeler ends by itself once it knows the other")
    with node.logs(r"feeler connection completed, disconnecting peer="):
        rpc.logging(["net"])
        rpc.addconnection(address[0], "feeler", False)
    rpc.logging([], ["net"])
    wait_for_peers(node, 0)
    rpc.addconnection(address[0], "addr-fetch", False)
    equal([peer["connection_type"] for peer in rpc.getpeerinfo()], ["addr-fetch"])
    rpc.disconnectnode(address[0])
    wait_for_peers(other, 0)
    wait_for_peers(node, 0)

    t.step("getblockfrompeer fetches a block of a branch that is not followed")
    node.mine(104)
    short = other.mine(3, "raw(52)")
    node.connect(other)
    wait_until(lambda: any(tip["hash"] == short[-1] for tip in rpc.getchaintips()), "the header is known")
    equal([tip["status"] for tip in rpc.getchaintips() if tip["hash"] == short[-1]], ["headers-only"])
    fails(-1, "Block not available (not fully downloaded)", rpc.getblock, short[-1])
    number = rpc.getpeerinfo()[0]["id"]
    fails(-1, "Peer does not exist", rpc.getblockfrompeer, short[-1], number + 1)
    fails(-1, "Peer does not exist", rpc.getblockfrompeer, short[-1], -1)
    fails(-1, "Block header missing", rpc.getblockfrompeer, "00" * 32, number)
    fails(-8, "blockhash must be of length 64 (not 4, for '1234')", rpc.getblockfrompeer, "1234", number)
    equal(rpc.getblockfrompeer(short[-1], number), {})
    expected = other.rpc.getblock(short[-1], 0)
    wait_until(lambda: node.cli("getblock", short[-1], 0)[:2] == (0, expected + "\n"), "the block came")
    fails(-1, "Block already downloaded", rpc.getblockfrompeer, short[-1], number)
    other.stop()

    t.step("getorphantxs shows transactions that wait for a parent, and who sent them")
    hashes = [rpc.getblockhash(height) for height in (1, 2)]
    coins = [(rpc.getblock(hash_)["tx"][0], 0) for hash_ in hashes]
    parents = [anyone_spends(coin, 50) for coin in coins]
    children = [anyone_spends((txid(parent), 0), "49.9999") for parent in parents]
    wait_for_peers(node, 0)
    equal(rpc.getorphantxs(), [])
    first, second = Peer(node), Peer(node)
    numbers = [peer["id"] for peer in rpc.getpeerinfo()]
    for peer, child in ((first, children[0]), (second, children[1])):
        peer.send("tx", bytes.fromhex(child))
    wait_until(lambda: len(rpc.getorphantxs()) == 2, "two wait")
    equal(sorted(rpc.getorphantxs()), sorted(map(txid, children)))
    size = len(children[0]) // 2
    expected = {txid(child): {"txid": txid(child), "wtxid": txid(child), "bytes": size, "vsize": size, "weight": 4 * size,
                              "from": [number]} for child, number in zip(children, numbers)}
    equal({entry["txid"]: entry for entry in rpc.getorphantxs(1)}, expected)
    equal({entry["txid"]: entry for entry in rpc.getorphantxs(2)},
          {id_: dict(entry, hex=child) for (id_, entry), child in zip(expected.items(), children)})
    fails(-8, "Invalid verbosity value 3", rpc.getorphantxs, 3)
    fails(-3, "Verbosity was boolean but only integer allowed", rpc.getorphantxs, True)

    t.step("a parent takes its child along, a peer that leaves takes what it sent away")
    first.send("tx", bytes.fromhex(parents[0]))
    wait_until(lambda: len(rpc.getrawmempool()) == 2, "both are taken")
    equal(rpc.getorphantxs(), [txid(children[1])])
    second.close()
    wait_until(lambda: rpc.getorphantxs() == [], "nothing waits")
    equal(sorted(rpc.getrawmempool()), sorted([txid(parents[0]), txid(children[0])]))
    first.close()
    node.stop()


main(run)
