"""Building transactions and blocks by hand, from the consensus encoding.

Coins mined to `raw(51)` can be spent by anyone without a signature, so mempool and mining are tested without a wallet.
"""

import hashlib
import struct
from decimal import Decimal

COIN = 100_000_000
ANYONE = "51"  # OP_TRUE
# A transaction below 65 bytes is not relayed; this makes every one long enough.
PADDING = "6a" + "20" + "00" * 32


def hash256(data):
    """Double SHA-256."""
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def compact(number):
    """A length as the wire format writes it."""
    if number < 0xfd:
        return struct.pack("<B", number)
    if number <= 0xffff:
        return b"\xfd" + struct.pack("<H", number)
    return b"\xfe" + struct.pack("<I", number)


def spend(coins, outputs, sequence=0xfffffffd, version=2):
    """The hex of a transaction that spends `(txid, vout)` coins into `(amount, script hex)` outputs."""
    data = struct.pack("<i", version) + compact(len(coins))
    for txid, vout in coins:
        data += bytes.fromhex(txid)[::-1] + struct.pack("<I", vout) + compact(0) + struct.pack("<I", sequence)
    data += compact(len(outputs))
    for amount, script in outputs:
        script = bytes.fromhex(script)
        data += struct.pack("<q", int(Decimal(amount) * COIN)) + compact(len(script)) + script
    return (data + struct.pack("<I", 0)).hex()


def anyone_spends(coin, amount, fee="0.0001", **options):
    """The hex of a transaction that passes a coin of `amount` on to anyone, less the fee."""
    return spend([coin], [(Decimal(amount) - Decimal(fee), ANYONE), (0, PADDING)], **options)


def txid(transaction):
    """The id of a transaction without witness."""
    return hash256(bytes.fromhex(transaction))[::-1].hex()


def block_hash(block):
    """The hash of a block or a header, given as hex."""
    return hash256(bytes.fromhex(block)[:80])[::-1].hex()
