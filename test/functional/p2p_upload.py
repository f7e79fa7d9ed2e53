"""A limit on what is sent in a day: old blocks are served less and less, new ones always."""

import time

from framework.p2p import MSG_WITNESS_BLOCK, Peer, inventory, wait_for_peers
from framework.scenario import main
from framework.util import check, equal

DAY = 24 * 60 * 60
# A day's blocks, of the largest size there can be.
KEPT = 144 * 4_000_000


def state(node):
    """Whether the limit is reached, whether old blocks are served, and the limit."""
    target = node.rpc.getnettotals()["uploadtarget"]
    equal(target["timeframe"], DAY)
    return target["target_reached"], target["serve_historical_blocks"], target["target"]


def run(t):
    node = t.node()
    now = int(time.time())
    node.start(*node.LISTEN, "-debug=net", f"-mocktime={now - 10 * DAY}")
    t.step("no limit")
    equal(state(node), (False, True, 0))
    old = node.mine(1)[0]
    node.rpc.setmocktime(now)
    new = node.mine(1)[0]

    def ask(peer, block):
        peer.send("getdata", inventory((MSG_WITNESS_BLOCK, block)))

    def serves(peer, block):
        ask(peer, block)
        return "block" in peer.sync()

    t.step("little above what is kept for new blocks: an old one is served while there is room")
    limit = KEPT // 1000 + 5
    # The clock stands, so that what is kept for new blocks stays the same.
    options = (*node.LISTEN, "-debug=net", "-peertimeout=999999999", f"-mocktime={now}")
    node.restart(*options, f"-maxuploadtarget={limit}k")
    equal(state(node), (False, True, limit * 1000))
    peer = Peer(node)
    check(serves(peer, old), "the old block")
    before = node.rpc.getnettotals()["uploadtarget"]
    served = 0
    while serves(peer, new) and node.rpc.getnettotals()["uploadtarget"]["serve_historical_blocks"]:
        served += 1
    check(served > 2, f"{served} new blocks")
    after = node.rpc.getnettotals()["uploadtarget"]
    check(after["bytes_left_in_cycle"] < before["bytes_left_in_cycle"], f"{before} {after}")
    equal(after["time_left_in_cycle"], DAY)
    equal(state(node), (False, False, limit * 1000))
    with node.logs(r"historical block serving limit reached, disconnecting peer=\d+"):
        ask(peer, old)
        check(peer.is_closed(), "closed")
    wait_for_peers(node, 0)

    t.step("new blocks are served all the same, and a day later old ones too")
    peer = Peer(node)
    check(serves(peer, new), "the new block")
    node.rpc.setmocktime(now + DAY + 7200)
    peer.sync()
    equal(state(node), (False, True, limit * 1000))
    check(serves(peer, old), "the old block")
    peer.close()

    t.step("peers that may download whatever they want do")
    node.restart(*options, "-maxuploadtarget=1K", "-whitelist=download@127.0.0.1")
    equal(state(node), (False, False, 1024))
    peer = Peer(node)
    for _ in range(5):
        check(serves(peer, old), "the old block")
    equal(state(node), (True, False, 1024))
    equal(node.rpc.getnettotals()["uploadtarget"]["bytes_left_in_cycle"], 0)
    node.stop()

    t.step("what is no number of bytes")
    for text in ("", "x", "-1", "1q", "99999999999999999999"):
        node.refuses_to_start(f"Error: Unable to parse -maxuploadtarget: '{text}'", f"-maxuploadtarget={text}")


main(run)
