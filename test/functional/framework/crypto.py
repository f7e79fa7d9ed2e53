"""What encrypts a wallet file, computed from the file and a passphrase."""

import hashlib
import sqlite3

from . import aes
from .util import equal


def master_key(path, phrase):
    """The master key of a wallet file and the key that encrypts it, as its `mkey` record and the passphrase give them."""
    with sqlite3.connect(f"file:{path}?immutable=1", uri=True) as file:
        key, record = file.execute("SELECT key, value FROM main WHERE substr(key, 1, 5) = x'046d6b6579'").fetchone()
    equal(key[5:], b"\x01\0\0\0")
    encrypted, rest = record[1:1 + record[0]], record[1 + record[0]:]
    salt, rest = rest[1:1 + rest[0]], rest[1 + rest[0]:]
    equal(rest[:4], b"\0\0\0\0")
    block = phrase.encode() + salt
    for _ in range(int.from_bytes(rest[4:8], "little")):
        block = hashlib.sha512(block).digest()
    master = aes.decrypt(block[:32], block[32:48], encrypted)
    equal(len(master), 32)
    return master, block[:32]
