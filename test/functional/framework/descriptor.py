"""Descriptor checksums (BIP 380), and the private keys in descriptors."""

import hashlib

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

INPUT = "0123456789()[],'/*abcdefgh@:$%{}IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~ijklmnopqrstuvwxyzABCDEFGH`#\"\\ "
OUTPUT = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
GENERATOR = (0xf5dee51989, 0xa9fdca3312, 0x1bab10e32d, 0x3706b1677a, 0x644d626ffd)


def with_checksum(descriptor):
    """The descriptor followed by `#` and its checksum."""
    symbols, groups = [], []
    for character in descriptor:
        value = INPUT.index(character)
        symbols.append(value & 31)
        groups.append(value >> 5)
        if len(groups) == 3:
            symbols.append(groups[0] * 9 + groups[1] * 3 + groups[2])
            groups = []
    if groups:
        symbols.append(groups[0] if len(groups) == 1 else groups[0] * 3 + groups[1])
    state = 1
    for symbol in symbols + [0] * 8:
        top = state >> 35
        state = (state & 0x7ffffffff) << 5 ^ symbol
        for bit, generator in enumerate(GENERATOR):
            state ^= generator if top >> bit & 1 else 0
    state ^= 1
    return descriptor + "#" + "".join(OUTPUT[state >> 5 * (7 - i) & 31] for i in range(8))


def secret_key(text):
    """The private key in an extended private key, or in WIF for a compressed public key: 32 bytes."""
    number = 0
    for letter in text:
        number = number * 58 + BASE58.index(letter)
    size, start = (78, 46) if text[1:4] == "prv" else (34, 1)
    raw = number.to_bytes(size + 4, "big")
    check = hashlib.sha256(hashlib.sha256(raw[:size]).digest()).digest()[:4]
    if check != raw[size:]:
        raise ValueError(f"checksum of {text[:4]}...")
    return raw[start:start + 32]


def wif(key):
    """A private key of a compressed public key as text, for test chains."""
    raw = b"\xef" + key + b"\1"
    number = int.from_bytes(raw + hashlib.sha256(hashlib.sha256(raw).digest()).digest()[:4], "big")
    text = ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return text
