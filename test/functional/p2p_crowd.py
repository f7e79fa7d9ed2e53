"""Hundreds of peers that are slow, half open, flooding or lying: the others are served as if they were not there."""

import contextlib
import os
import select
import socket
import struct
import threading
import time

from framework.p2p import MSG_BLOCK, MSG_WITNESS_BLOCK, MSG_WTX, Peer, count, frame, inventory, locator, sha256d, \
    version, wait_for_peers
from framework.scenario import main
from framework.util import check, equal, wait_until

# How long whoever behaves may be kept waiting, in seconds: far more than it takes, and than the machine is slow.
PATIENCE = 10


def resident(node):
    """Bytes of memory of the node's process."""
    with open(f"/proc/{node.process.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Flood(threading.Thread):
    """Sends the same bytes over many connections, as fast as they are taken, until told to stop."""

    def __init__(self, peers, data):
        super().__init__(daemon=True)
        self.left = {peer.socket: b"" for peer in peers}
        self.data, self.stopped, self.sent = data, threading.Event(), 0
        for peer in peers:
            peer.socket.setblocking(False)

    def run(self):
        while self.left and not self.stopped.is_set():
            _, ready, _ = select.select([], list(self.left), [], 0.1)
            for sock in ready:
                try:
                    rest = self.left[sock] or self.data
                    sent = sock.send(rest)
                    self.left[sock], self.sent = rest[sent:], self.sent + sent
                except BlockingIOError:
                    pass
                except OSError:
                    del self.left[sock]

    def stop(self):
        """Stops."""
        self.stopped.set()
        self.join()


def served(node, honest, tip):
    """Checks that an old peer, a new one and RPC get what they ask for, in time."""
    start = time.monotonic()
    with contextlib.closing(Peer(node, timeout=PATIENCE)) as new:
        for peer in (honest, new):
            peer.sync()
            peer.send("getdata", inventory((MSG_WITNESS_BLOCK, tip)))
            equal(sha256d(peer.wait_for("block")[:80])[::-1].hex(), tip)
            peer.send("getheaders", locator(node.rpc.getblockhash(0)))
            equal(peer.wait_for("headers")[0], 120)
    took = time.monotonic() - start
    check(took < PATIENCE, f"it took {took} s")


def run(t):
    node = t.node()
    node.start(*node.LISTEN, "-maxconnections=400", "-peertimeout=3600", "-maxreceivebuffer=500", "-maxsendbuffer=500")
    tip = node.mine(120)[-1]
    honest = Peer(node, timeout=PATIENCE)
    served(node, honest, tip)
    before = resident(node)

    t.step("100 half open: they say nothing, half a greeting, or half a message")
    crowd = []
    for number in range(100):
        peer = Peer(node, handshake=False)
        greeting = frame("version", version())
        parts = [b"", greeting[:50], greeting, greeting + frame("verack") + frame("block", size=4_000_000)[:24] + bytes(99)]
        peer.send_raw(parts[number % len(parts)])
        crowd.append(peer)
    served(node, honest, tip)

    t.step("60 slow: they ask for many blocks and read none")
    for _ in range(60):
        peer = Peer(node)
        peer.send("getdata", inventory(*[(MSG_WITNESS_BLOCK, tip)] * 20_000))
        crowd.append(peer)
    served(node, honest, tip)

    t.step("60 flooding: pings, transactions that are not there, unknown messages, as fast as they are taken")
    flooding = [Peer(node) for _ in range(60)]
    unknown = inventory(*[(MSG_WTX, os.urandom(32).hex()) for _ in range(1000)])
    data = frame("ping", bytes(8)) * 100 + frame("inv", unknown) + frame("getdata", unknown) + frame("unheard-of", bytes(9000))
    flood = Flood(flooding, data)
    flood.start()
    wait_until(lambda: flood.sent > 20_000_000, "20 MB came")
    for _ in range(3):
        served(node, honest, tip)

    t.step("60 lying: they tell of blocks they do not have, and of work that was not done")
    for number in range(60):
        peer = Peer(node)
        peer.send("inv", inventory((MSG_BLOCK, os.urandom(32).hex())))
        if number % 2:
            bits = struct.pack("<I", 0x1d00ffff)
            peer.send("headers", count(1) + bytes(4) + bytes.fromhex(tip)[::-1] + bytes(36) + bits + bytes(5))
            check(peer.is_closed(), "closed")
        else:
            crowd.append(peer)
    served(node, honest, tip)

    t.step("what they cost, and that it ends with them")
    connections = node.rpc.getnetworkinfo()["connections_in"]
    check(connections >= 250, f"{connections} connections")
    grown = resident(node) - before
    # Half a megabyte each way for each that floods or is slow, and what the slow asked for.
    check(grown < 200_000_000, f"{grown} bytes more")
    flood.stop()
    for peer in crowd + flooding:
        peer.close()
    wait_for_peers(node, 1)
    served(node, honest, tip)

    t.step("a node that catches up from 30 liars and one that is honest")
    late = t.node()
    late.start(*late.LISTEN, "-maxconnections=100")
    honest.send("getheaders", locator(node.rpc.getblockhash(0)))
    headers = honest.wait_for("headers")
    liars = []
    for _ in range(30):
        liar = Peer(late)
        liar.send("headers", headers)
        liars.append(liar)
    wait_until(lambda: late.rpc.getblockchaininfo()["headers"] == 120, "the headers are known")
    asked = sum(len(peer["inflight"]) for peer in late.rpc.getpeerinfo())
    check(asked > 0, "liars were asked for blocks")
    late.rpc.addnode(f"127.0.0.1:{node.p2p_port}", "onetry")
    # Whoever was asked has a while to send what it told of; then it is another's turn.
    now = int(time.time())

    def caught_up():
        nonlocal now
        now += 60
        late.rpc.setmocktime(now)
        return late.rpc.getbestblockhash() == tip

    wait_until(caught_up, "the late node has all blocks", 60)
    for liar in liars:
        with contextlib.suppress(OSError):
            liar.socket.shutdown(socket.SHUT_RDWR)
        liar.close()
    late.stop()
    honest.close()
    node.stop()


main(run)
