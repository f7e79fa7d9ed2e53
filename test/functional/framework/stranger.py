"""A program of another release, as the other end of a connection sees it: it can say who it is and nothing else.

It writes Cap'n Proto's messages by itself (https://capnproto.org/encoding.html, rpc.capnp), so that it knows no schema
and no library of ours. Run as a program it serves its standard input, as `bitcoin-wallet` does; `Stranger.listen` is one
that listens, as `bitcoin-node` does.
"""

import contextlib
import os
import socket
import struct
import sys
import threading

INIT, BOOTSTRAP, THREAD_MAP = 0x8838C700BA5CBA65, 0x83C45B505A00F68C, 0xEE5E37179AD9DC9D
FAILED, UNIMPLEMENTED = 0, 3


def encode(value, words, pointer):
    """Puts behind a pointer: an object (its number), a text, a struct (numbers and pointers), a list of structs."""
    at = len(words)
    offset = at - pointer - 1 << 2
    if isinstance(value, int):
        words[pointer] = 3 | value << 32
    elif isinstance(value, str):
        data = value.encode() + b"\0"
        words[pointer] = offset | 1 | 2 << 32 | len(data) << 35
        words += struct.unpack(f"<{-(-len(data) // 8)}Q", data.ljust(-(-len(data) // 8) * 8, b"\0"))
    elif isinstance(value, list):
        numbers, pointers = (len(part) for part in value[0])
        words[pointer] = offset | 1 | 7 << 32 | len(value) * (numbers + pointers) << 35
        words += [len(value) << 2 | numbers << 32 | pointers << 48, *[0] * len(value) * (numbers + pointers)]
        for index, element in enumerate(value):
            fill(element, words, at + 1 + index * (numbers + pointers))
    elif value is not None:
        words[pointer] = offset | len(value[0]) << 32 | len(value[1]) << 48
        words += [0] * (len(value[0]) + len(value[1]))
        fill(value, words, at)


def fill(value, words, at):
    """Writes a struct where there is room for it."""
    numbers, pointers = value
    words[at:at + len(numbers)] = numbers
    for index, inner in enumerate(pointers):
        encode(inner, words, at + len(numbers) + index)


def answer(question, kind, content):
    """The bytes of a `Return`: 0 for results, 1 for an exception."""
    words = [0]
    encode(([3], [([question | 1 << 32 | kind << 48, 0], [content])]), words, 0)
    return struct.pack(f"<II{len(words)}Q", 0, len(words), *words)


def results(question, content, *objects):
    """An answer of results, with objects that it holds."""
    table = [([1 | number << 32], [None]) for number in objects] or None
    return answer(question, 0, ([], [content, table]))


def refusal(question, kind, reason):
    """An answer of an exception."""
    return answer(question, 1, ([kind << 32], [reason, None]))


class Stranger:
    """Serves a connection. `introduce` is who it is, as (program, version, build, network), or why it will not say."""

    def __init__(self, introduce):
        self.introduce = introduce

    def reply(self, question, interface, method):
        """What it says to a call."""
        if (interface, method) == (INIT, 0):
            return results(question, ([], [0]), 1)
        if (interface, method) == (THREAD_MAP, 0):
            return results(question, ([], [0]), 2)
        if (interface, method) != (BOOTSTRAP, 1) or self.introduce is None:
            return refusal(question, UNIMPLEMENTED, "no such method")
        if isinstance(self.introduce, str):
            return refusal(question, FAILED, f"std::exception: {self.introduce}")
        return results(question, ([], [([], list(self.introduce))]))

    def serve(self, connection):
        """Answers until the other end is gone."""
        with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError):
            while head := stream.read(8):
                more, size = struct.unpack("<II", head)
                sizes = [size, *struct.unpack(f"<{more}I", stream.read(4 * more))]
                stream.read(4 * (more % 2))
                words = struct.unpack(f"<{sum(sizes)}Q", stream.read(8 * sum(sizes)))
                # The message is a struct of its kind and a pointer to what it is.
                kind, at = words[1] & 0xFFFF, 3 + (words[2] >> 2 & 0x3FFFFFFF)
                question = words[at] & 0xFFFFFFFF
                if kind == 8:
                    connection.sendall(results(question, 0, 0))
                elif kind == 2:
                    connection.sendall(self.reply(question, words[at + 1], words[at] >> 32 & 0xFFFF))

    @contextlib.contextmanager
    def listen(self, path):
        """Serves one client at a time, at a path, until the end of the block."""
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()

            def accept():
                with contextlib.suppress(OSError):
                    while True:
                        self.serve(listener.accept()[0])

            thread = threading.Thread(target=accept)
            thread.start()
            try:
                yield
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                thread.join()
                os.unlink(path)


if __name__ == "__main__":
    Stranger(tuple(sys.argv[1:5]) if sys.argv[1:2] != ["-ipcfd=0"] else None).serve(socket.socket(fileno=0))
