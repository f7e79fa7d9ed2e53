"""What is negotiated before two nodes know each other, by the version of the peer."""

import struct

from framework.p2p import Peer, count, version, wait_for_peers
from framework.rpc import fails
from framework.scenario import main
from framework.util import check, equal


def greet(node, number, *features):
    """Exchanges versions with a node, saying these features before the end. Returns the peer and what the node said."""
    peer = Peer(node, handshake=False)
    peer.send("version", version(number))
    for feature in features:
        peer.send("feature", feature)
    peer.send("verack")
    return peer, [name for name in peer.sync() if name not in ("ping", "sendcmpct", "getheaders", "feefilter")]


def feature(name, data=b""):
    """What is said of a feature."""
    return count(len(name)) + name + count(len(data)) + data


def run(t):
    node = t.node()
    node.start(*node.LISTEN, "-debug=net")

    t.step("what the node says depends on the version of the peer")
    for number, said in [(70017, ["version", "wtxidrelay", "sendaddrv2", "verack"]),
                         (70016, ["version", "wtxidrelay", "sendaddrv2", "verack"]),
                         (70015, ["version", "verack"]), (70013, ["version", "verack"]),
                         (70012, ["version", "verack", "alert"]), (60002, ["version", "verack", "alert"])]:
        peer, names = greet(node, number)
        equal(names, said, number)
        peer.close()
    wait_for_peers(node, 0)

    t.step("the last alert says what it always said")
    peer = Peer(node, handshake=False)
    peer.send("version", version(70012))
    check(b"URGENT: Alert key compromised, upgrade required" in peer.wait_for("alert"), "text")
    peer.close()

    t.step("our own version")
    peer = Peer(node, handshake=False)
    peer.send("version", version())
    equal(struct.unpack("<I", peer.wait_for("version")[:4]), (70017,))
    peer.send("verack")
    equal(struct.unpack("<I", peer.wait_for("getheaders")[:4]), (70016,), "before a locator it stays what it was")
    peer.close()

    t.step("features nobody knows are passed over")
    with node.logs(r"unknown feature advertised: frob", r"unknown feature advertised: nicate"):
        peer, _ = greet(node, 70017, feature(b"frob"), feature(b"nicate", bytes(512)))
    peer.close()

    t.step("one in a wrong form, at a wrong time or of a peer too old for it ends the connection")
    for payload in (feature(b"abc"), feature(b"a" * 81), feature(b"frob", bytes(513)), feature(b"frob") + b"x", b""):
        with node.logs(r"invalid feature payload, disconnecting peer=\d+"):
            peer = Peer(node, handshake=False)
            peer.send("version", version())
            peer.send("feature", payload)
            check(peer.is_closed(), "closed")
    with node.logs(r"feature received with incompatible version 70016, disconnecting peer=\d+"):
        peer = Peer(node, handshake=False)
        peer.send("version", version(70016))
        peer.send("feature", feature(b"frob"))
        check(peer.is_closed(), "closed")
    with node.logs(r"feature received after verack, disconnecting peer=\d+"):
        peer = Peer(node)
        peer.send("feature", feature(b"frob"))
        check(peer.is_closed(), "closed")
    wait_for_peers(node, 0)

    t.step("a message of any name and content, for tests")
    peer = Peer(node)
    number = node.rpc.getpeerinfo()[0]["id"]
    equal(node.rpc.sendmsgtopeer(number, "frob", "aabb"), {})
    equal(peer.wait_for("frob"), b"\xaa\xbb")
    equal(node.rpc.sendmsgtopeer(number, "addr", ""), {})
    equal(peer.wait_for("addr"), b"")
    fails(-1, "Error: Could not send message to peer", node.rpc.sendmsgtopeer, number + 100, "addr", "FF")
    fails(-8, "Error: msg_type too long, max length is 12", node.rpc.sendmsgtopeer, number, "long_msg_type", "FF")
    fails(-8, "Error parsing input for msg", node.rpc.sendmsgtopeer, number, "addr", "x")
    peer.close()
    wait_for_peers(node, 0)

    t.step("only a list of addresses that can be read makes a peer one that relays them")
    address = struct.pack("<IQ", 0, 9) + bytes(10) + b"\xff\xff\x01\x02\x03\x04" + struct.pack(">H", 8333)
    address_v2 = struct.pack("<I", 0) + b"\x09\x01\x04\x01\x02\x03\x04" + struct.pack(">H", 8333)
    wrong = struct.pack("<I", 0) + b"\x09\x01\x05\x01\x02\x03\x04\x05" + struct.pack(">H", 8333)
    future = struct.pack("<I", 0) + b"\x09\x63\x03abc" + struct.pack(">H", 8333)
    for name, payload, relays in [("addr", count(2) + address, False), ("addr", count(2) + address * 2, True),
                                  ("addrv2", count(2) + address_v2, False), ("addrv2", count(1) + wrong, False),
                                  ("addrv2", count(2) + address_v2 + future, True)]:
        peer = Peer(node)
        peer.send(name, payload)
        peer.sync()
        equal([info["addr_relay_enabled"] for info in node.rpc.getpeerinfo()], [relays], f"{name} {payload.hex()}")
        peer.close()
        wait_for_peers(node, 0)
    node.stop()


main(run)
