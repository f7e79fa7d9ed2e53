"""A peer of a node, as bytes on a socket."""

import contextlib
import hashlib
import os
import socket
import struct
import time

from .util import Failure, check, wait_until

MAGIC = bytes.fromhex("fabfb5da")
MSG_BLOCK, MSG_WTX, MSG_WITNESS_BLOCK = 2, 5, 0x40000002


def sha256d(data):
    """The hash of blocks and transactions."""
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def frame(name, payload=b"", magic=MAGIC, checksum=None, size=None):
    """A message on the wire; `checksum` and `size` replace the right ones."""
    checksum = sha256d(payload)[:4] if checksum is None else checksum
    size = len(payload) if size is None else size
    return magic + name.encode().ljust(12, b"\0") + struct.pack("<I", size) + checksum + payload


def count(number):
    """A number as lists begin with it."""
    if number < 253:
        return bytes([number])
    return b"\xfd" + struct.pack("<H", number) if number < 0x10000 else b"\xfe" + struct.pack("<I", number)


def inventory(*items):
    """A list of (type, hash as RPC prints it)."""
    return count(len(items)) + b"".join(struct.pack("<I", kind) + bytes.fromhex(h)[::-1] for kind, h in items)


def locator(*hashes, stop="00" * 32):
    """What getheaders and getblocks carry."""
    parts = [bytes.fromhex(h)[::-1] for h in hashes]
    return struct.pack("<I", 70016) + count(len(parts)) + b"".join(parts) + bytes.fromhex(stop)[::-1]


def version(number=70017, agent=b"/test/", relay=1):
    """A version message of a node that serves everything."""
    address = bytes(26)
    return (struct.pack("<iQq", number, 0x409, int(time.time())) + address + address + os.urandom(8)
            + count(len(agent)) + agent + struct.pack("<i?", 0, relay))


class Peer:
    """A connection to a node that listens."""

    def __init__(self, node, handshake=True, timeout=30):
        self.socket = socket.create_connection(("127.0.0.1", node.p2p_port), timeout)
        self.timeout, self.buffer = timeout, b""
        if handshake:
            self.handshake()

    def send_raw(self, data):
        """Sends bytes as they are."""
        self.socket.sendall(data)

    def send(self, name, payload=b""):
        """Sends a message."""
        self.send_raw(frame(name, payload))

    def _read(self, size):
        while len(self.buffer) < size:
            part = self.socket.recv(1 << 16)
            if not part:
                raise ConnectionError("the node closed the connection")
            self.buffer += part
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def next(self):
        """The next message: name and payload. Pings are answered on the way."""
        header = self._read(24)
        check(header[:4] == MAGIC, f"a message of another network: {header!r}")
        name, size = header[4:16].rstrip(b"\0").decode(), struct.unpack("<I", header[16:20])[0]
        payload = self._read(size)
        check(sha256d(payload)[:4] == header[20:24], f"checksum of {name}")
        if name == "ping":
            self.send("pong", payload)
        return name, payload

    def wait_for(self, *names):
        """The payload of the next message with one of these names."""
        deadline = time.monotonic() + self.timeout
        while time.monotonic() < deadline:
            name, payload = self.next()
            if name in names:
                return payload
        raise Failure(f"no {names} in {self.timeout} s")

    def handshake(self):
        """Exchanges versions."""
        self.send("version", version())
        self.wait_for("version")
        self.send("wtxidrelay")
        self.send("verack")
        self.wait_for("verack")
        self.sync()

    def sync(self):
        """Waits until the node has handled all that was sent. Returns the names of what it said meanwhile."""
        nonce, names = os.urandom(8), []
        self.send("ping", nonce)
        while True:
            name, payload = self.next()
            if name == "pong" and payload == nonce:
                return names
            names.append(name)

    def is_closed(self):
        """Whether the node ended the connection; waits for that."""
        with contextlib.suppress(ConnectionError, BrokenPipeError):
            while True:
                self.next()
        return True

    def close(self):
        """Ends the connection."""
        self.socket.close()


def wait_for_peers(node, number):
    """Waits until a node has so many connections."""
    wait_until(lambda: node.rpc.getconnectioncount() == number, f"{number} connections")
