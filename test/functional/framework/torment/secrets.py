"""Secrets that wallets are given, made so that few searches find all of them, and the search for them."""

import os
import re

from ..descriptor import secret_key, wif
from ..memory import all_copies
from ..util import check, wait_until

# Ends that all passphrases and imported keys have. Two, because what frees memory may write over the first bytes.
PHRASE = (b"torment-71c0a9-", b"-e4d20b-phrase")
KEY = (bytes.fromhex("3da70f6c52f0e1b8"), bytes.fromhex("94e6b35d08c7a21f"))
# All keys with one beginning have the first letters of the text in common.
WIF = os.path.commonprefix([wif(KEY[0] + bytes([fill]) * 24) for fill in (0, 255)]).encode()
# So begins each extended private key from which nothing was derived yet.
MASTER = b"tprv8ZgxMBicQKsP"
BLOCK = 1 << 24


class Secrets:
    """The secrets of a run."""

    def __init__(self, chances):
        self.chances = chances
        self.shapes = {"passphrase": PHRASE[0], "end of a passphrase": PHRASE[1], "imported key": KEY[0],
                       "end of an imported key": KEY[1], "WIF": WIF, "xprv": MASTER}
        self.lasting = {}       # name: secret that is looked for each time
        self.plain = {}         # wallet: private keys that no file may hold any more

    @staticmethod
    def phrase(number):
        """A passphrase."""
        return f"{PHRASE[0].decode()}{number}{PHRASE[1].decode()}"

    @staticmethod
    def key(number):
        """A private key."""
        return KEY[0] + number.to_bytes(16, "big") + KEY[1]

    @staticmethod
    def of_descriptors(result):
        """The private keys in the answer of `listdescriptors true`."""
        found = (re.search("tprv[0-9A-Za-z]+", each["desc"]) for each in result["descriptors"])
        return {secret_key(text) for text in {match[0] for match in found if match}}

    def search_memory(self, pid, keys):
        """Checks that no process holds any secret, nor one of these keys of wallets that are encrypted by now."""
        wanted = {**self.shapes, **self.lasting, **{f"key {number}": key for number, key in enumerate(sorted(keys))}}
        found = {}

        def gone():
            found.clear()
            found.update(all_copies(pid, wanted))
            return not found
        try:
            wait_until(gone, "", 10)
        except AssertionError:
            raise AssertionError(f"in memory although every wallet is locked: {found}") from None

    def search_files(self, directory, keys):
        """Checks that no file below a directory, where every wallet is encrypted, holds any secret."""
        wanted = [*self.shapes.values(), *self.lasting.values(), *keys]
        for path in (path for path in sorted(directory.rglob("*")) if path.is_file()):
            tail = b""
            with open(path, "rb") as file:
                while block := file.read(BLOCK):
                    data = tail + block
                    for secret in wanted:
                        check(secret not in data, f"{path} holds {secret[:20]!r} in the clear")
                    tail = data[-40:]
