"""Peers that flood, lie, stall or say nothing cost a node nothing but their own connection."""

import os
import struct

from framework.p2p import MSG_BLOCK, MSG_WITNESS_BLOCK, Peer, count, frame, inventory, locator, sha256d, version, \
    wait_for_peers
from framework.scenario import main
from framework.util import check, equal, wait_until


MESSAGES = """addr addrv2 block blocktxn cfcheckpt cfheaders cfilter cmpctblock feature feefilter filteradd filterclear
    filterload getaddr getblocks getblocktxn getcfcheckpt getcfheaders getcfilters getdata getheaders headers inv mempool
    merkleblock notfound ping pong sendaddrv2 sendcmpct sendheaders sendtxrcncl tx verack version wtxidrelay""".split()


def resident(node):
    """Bytes of memory of the node's process."""
    with open(f"/proc/{node.process.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def run(t):
    node = t.node()
    node.start(*node.LISTEN, "-debug=net", "-maxconnections=100")
    tip = node.mine(120)[-1]

    t.step("bytes of something else end the connection")
    for data in [b"GET / HTTP/1.1\r\n\r\n" + bytes(64), os.urandom(1000), frame("version", version(), b"\x00\x00\x00\x00")]:
        peer = Peer(node, handshake=False)
        peer.send_raw(data)
        check(peer.is_closed(), "closed")

    t.step("a message larger than any may be ends the connection before it comes")
    peer = Peer(node)
    with node.logs(r"Header error: Size too large \(block, 4000001 bytes\), peer=\d+"):
        peer.send_raw(frame("block", size=4_000_001))
        check(peer.is_closed(), "closed")

    t.step("a wrong checksum, an unknown message and a short one are passed over")
    peer = Peer(node)
    peer.send_raw(frame("ping", bytes(8), checksum=bytes(4)))
    peer.send("nonsense", bytes(1000))
    for name in ["inv", "getdata", "headers", "getheaders", "getblocks", "block", "tx", "feefilter", "notfound", "ping"]:
        peer.send(name, b"")
        peer.send(name, b"\x01")
    peer.sync()
    info = node.rpc.getpeerinfo()[-1]
    check(info["bytesrecv_per_msg"]["*other*"] >= 1024 + 32, info["bytesrecv_per_msg"])

    t.step("random bytes in every message")
    for name in MESSAGES:
        peer = Peer(node)
        try:
            for size in (1, 8, 36, 82, 1000):
                peer.send(name, os.urandom(size))
            peer.sync()
        except ConnectionError:
            pass  # some of it broke a rule
        peer.close()
    equal(node.rpc.getblockcount(), 120)

    t.step("lists that are too long end the connection")
    for name, payload in [("inv", inventory(*[(MSG_BLOCK, tip)] * 50_001)), ("getdata", count(50_001)),
                          ("headers", count(2001)), ("getheaders", locator(*[tip] * 102)),
                          ("getblocks", locator(*[tip] * 102)), ("addr", count(1001))]:
        peer = Peer(node)
        peer.send(name, payload)
        check(peer.is_closed(), name)

    t.step("a header without work ends the connection")
    peer = Peer(node)
    bits = struct.pack("<I", 0x1d00ffff)
    peer.send("headers", count(1) + bytes(4) + bytes.fromhex(tip)[::-1] + bytes(36) + bits + bytes(5))
    check(peer.is_closed(), "closed")

    t.step("counts that promise more than comes take no memory")
    before = resident(node)
    peers = [Peer(node) for _ in range(20)]
    for peer in peers:
        peer.send_raw(frame("block", size=4_000_000)[:24])
        peer.send_raw(bytes(100))
    peers[0].socket.settimeout(5)
    check(resident(node) - before < 20_000_000, f"{resident(node) - before} bytes more")
    for peer in peers:
        peer.close()

    t.step("a peer that asks and does not read waits for itself alone")
    deaf, other = Peer(node), Peer(node)
    blocks = inventory(*[(MSG_WITNESS_BLOCK, tip)] * 50_000)
    before = resident(node)
    for _ in range(3):
        deaf.send("getdata", blocks)
    other.send("getdata", inventory((MSG_WITNESS_BLOCK, tip)))
    equal(sha256d(other.wait_for("block")[:80])[::-1].hex(), tip)
    check(resident(node) - before < 60_000_000, f"{resident(node) - before} bytes more")
    deaf.close()
    other.close()
    wait_for_peers(node, 0)

    t.step("many connections: as many as there may be, and the node serves on")
    silent = [Peer(node, handshake=False) for _ in range(150)]
    # Of 100, 11 are kept for connections of our own.
    wait_until(lambda: node.rpc.getnetworkinfo()["connections_in"] == 89, "full")
    equal(node.rpc.getblockcount(), 120)
    t.step("one that comes later gets a place all the same")
    Peer(node).sync()
    for peer in silent:
        peer.close()
    wait_for_peers(node, 0)
    Peer(node).sync()
    node.stop()

    t.step("a connection whose peer says nothing ends after -peertimeout")
    node.start(*node.LISTEN, "-debug=net", "-peertimeout=1")
    with node.logs(r"socket no message in first 1 seconds, never received from peer, never sent to peer, disconnecting peer=0"):
        peer = Peer(node, handshake=False)
        check(peer.is_closed(), "closed")
    with node.logs(r"version handshake timeout, disconnecting peer=1"):
        peer = Peer(node, handshake=False)
        peer.send("version", version())
        check(peer.is_closed(), "closed")
    node.stop()


main(run)
