"""debug.log: how much is kept and written, and what the lines say of peers and of themselves."""

import hashlib
import hmac
import json
import re

from framework.p2p import Peer
from framework.scenario import main
from framework.util import check, contains, equal, excludes

REFUSED = "RPC User reader not allowed to call method x"


def talk(node):
    """A peer comes and goes; returns what was logged meanwhile, and the peer's address."""
    start = node.log.stat().st_size
    with node.logs("receive version message: /test/: version 70017"):
        peer = Peer(node)
        port = peer.socket.getsockname()[1]
        peer.close()
    return node.log_text()[start:], f"127.0.0.1:{port}"


def flood(node, times):
    """Calls with a name of 600 kB that is logged as it is; returns how many the log has."""
    start = node.log.stat().st_size
    client = node.new_rpc(credentials="reader:reader")
    for _ in range(times):
        equal(client.http("POST", json.dumps({"id": 1, "method": "x" * 600_000, "params": []}).encode())[0], 403)
    client.close()
    with open(node.log, encoding="utf-8") as file:
        file.seek(start)
        return file.read().count(REFUSED)


def run(t):
    node = t.node()

    t.step("-logips says where peers are")
    node.start(*node.LISTEN, "-debug=net")
    text, address = talk(node)
    excludes(text, "peeraddr=")
    node.restart(*node.LISTEN, "-debug=net", "-logips")
    text, address = talk(node)
    contains(text, re.compile(rf"receive version message: /test/: version 70017, .* peer=0, peeraddr={address}$", re.M))
    node.stop()

    t.step("-loglevelalways puts category and level before every line")
    node.log.unlink()
    node.start("-loglevelalways", "-debug=rpc")
    node.rpc.uptime()
    node.stop()
    for line in filter(None, node.log_text().splitlines()):
        check(re.match(r"[\dT:-]+Z \[[a-z0-9]+:(info|debug|warning)\] ", line), line)
    contains(node.log_text(), re.compile(r"Z \[rpc:debug\] ThreadRPCServer method=uptime"))
    contains(node.log_text(), re.compile(r"Z \[all:info\] .*Done loading"))

    t.step("-shrinkdebugfile keeps the last 10 MB of a log of more than 11")
    lines = b"".join(b"line %7d of an older log\n" % number for number in range(380_000))
    check(len(lines) > 11_000_000, "large")
    for option, shrunk in (("-shrinkdebugfile=0", False), ("-shrinkdebugfile=1", True)):
        node.log.write_bytes(lines)
        node.start(option)
        node.stop()
        text = node.log_text()
        equal("line       0 of" in text, not shrunk, option)
        check("line  379999 of an older log\n" in text and "Done loading" in text, option)
        check(len(text) < 10_100_000 if shrunk else len(text) > len(lines), option)
    node.log.write_bytes(lines[:10_500_000])
    node.start("-shrinkdebugfile=1")
    node.stop()
    contains(node.log_text()[:100], "line       0 of")

    t.step("-logratelimit: one place in the programs writes at most a megabyte an hour")
    salted = hmac.new(b"5a17", b"reader", hashlib.sha256).hexdigest()
    options = (f"-rpcauth=reader:5a17${salted}", "-rpcwhitelist=reader:uptime", "-rpcwhitelistdefault=0")
    node.start(*options, "-logratelimit=0")
    equal(flood(node, 4), 4)
    node.restart(*options)
    with node.logs(r"Excessive logging detected from \S+:\d+ \([\w:]+\): >1048576 bytes logged during the last time window of "
                   r"3600s\. Suppressing logging to disk from this source location until time window resets\. Console logging "
                   r"unaffected\. Last log entry\.$"):
        equal(flood(node, 4), 2)
    node.stop()
    contains(node.log_text(), "Shutdown done")


main(run)
