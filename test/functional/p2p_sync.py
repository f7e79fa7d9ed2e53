"""Nodes that are connected come to the same chain and the same transactions."""

from framework.rpc import fails
from framework.scenario import main
from framework.transaction import anyone_spends, txid
from framework.util import check, equal, wait_until


def same_tip(*nodes):
    """Waits until all nodes have one tip and returns it."""
    wait_until(lambda: len({node.rpc.getbestblockhash() for node in nodes}) == 1, "one tip")
    return nodes[0].rpc.getbestblockhash()


def run(t):
    first, second = t.node(), t.node()
    # Without the permission announcements wait for seconds, so that nobody learns whose they are.
    trusted = "-whitelist=noban,in,out@127.0.0.1"
    first.start(*first.LISTEN, trusted)
    second.start(*second.LISTEN, trusted)

    t.step("a new node gets the chain, by headers first")
    hashes = first.mine(300)
    second.connect(first)
    equal(same_tip(first, second), hashes[-1])
    peer = second.rpc.getpeerinfo()[0]
    equal((peer["inbound"], peer["connection_type"], peer["synced_headers"]), (False, "manual", 300))
    equal((peer["permissions"], peer["services"]), (["noban", "download"], "0000000000000409"))
    check(peer["bytesrecv_per_msg"]["block"] > 300 * 200, peer["bytesrecv_per_msg"])
    sent = sum(peer["bytessent_per_msg"].values())
    check(sent <= peer["bytessent"], "bytes by message are part of all bytes")
    equal([p["inbound"] for p in first.rpc.getpeerinfo()], [True])
    equal((first.rpc.getconnectioncount(), first.rpc.getnetworkinfo()["connections_in"]), (1, 1))

    t.step("new blocks go both ways, announced by header")
    for miner in (first, second):
        equal(miner.mine()[0], same_tip(first, second))
    wait_until(lambda: second.rpc.getpeerinfo()[0]["bytesrecv_per_msg"].get("sendheaders"), "sendheaders")

    t.step("a transaction and one that spends it go both ways")
    coin = (first.rpc.getblock(hashes[0])["tx"][0], 0)
    parent = anyone_spends(coin, 50)
    child = anyone_spends((txid(parent), 0), "49.9999")
    first.rpc.sendrawtransaction(parent)
    wait_until(lambda: second.rpc.getrawmempool() == [txid(parent)], "the transaction came")
    second.rpc.sendrawtransaction(child)
    wait_until(lambda: len(first.rpc.getrawmempool()) == 2, "the child came")
    equal(first.rpc.getmempoolinfo()["unbroadcastcount"], 0)
    first.mine()
    same_tip(first, second)
    wait_until(lambda: second.rpc.getrawmempool() == [], "both are mined")

    t.step("after a separation the longer branch wins")
    first.rpc.disconnectnode(first.rpc.getpeerinfo()[0]["addr"])
    wait_until(lambda: second.rpc.getconnectioncount() == 0, "separated")
    fails(-29, "Node not found in connected nodes", first.rpc.disconnectnode, "127.0.0.1:1")
    first.mine(5)
    longer = second.mine(8, "raw(52)")
    second.connect(first)
    equal(same_tip(first, second), longer[-1])
    equal({tip["status"]: tip["branchlen"] for tip in first.rpc.getchaintips()}, {"active": 0, "valid-fork": 5})

    t.step("networking is turned off and on")
    equal(first.rpc.setnetworkactive(False), False)
    wait_until(lambda: first.rpc.getconnectioncount() == second.rpc.getconnectioncount() == 0, "no connections")
    equal(first.rpc.setnetworkactive(True), True)

    t.step("added nodes are connected to, and again after they were away")
    address = f"127.0.0.1:{first.p2p_port}"
    second.rpc.addnode(address, "add")
    fails(-23, "Error: Node already added", second.rpc.addnode, address, "add")
    wait_until(lambda: second.rpc.getaddednodeinfo(address)[0]["connected"], "connected")
    equal(second.rpc.getaddednodeinfo()[0]["addresses"], [{"address": address, "connected": "outbound"}])
    second.rpc.addnode(address, "remove")
    fails(-24, "Error: Node has not been added.", second.rpc.getaddednodeinfo, address)
    second.stop()

    t.step("-connect keeps a connection up")
    second.start(f"-connect={address}")
    wait_until(lambda: second.rpc.getconnectioncount() == 1, "connected")
    first.restart(*first.LISTEN, trusted)
    wait_until(lambda: second.rpc.getconnectioncount() == 1 and first.rpc.getconnectioncount() == 1, "connected again")
    equal(same_tip(first, second), longer[-1])
    first.stop()
    second.stop()


main(run)
