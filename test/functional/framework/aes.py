"""Enough of AES-256 to open a wallet's master key: decryption of CBC (FIPS 197, SP 800-38A)."""


def _multiply(a, b):
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a = (a << 1) ^ (0x11b if a & 0x80 else 0)
        b >>= 1
    return product


def _boxes():
    forward = [0x63] * 256
    for value in range(1, 256):
        inverse = next(other for other in range(1, 256) if _multiply(value, other) == 1)
        forward[value] = 0x63
        for shift in range(5):
            forward[value] ^= (inverse << shift | inverse >> (8 - shift)) & 0xff
    backward = [0] * 256
    for value, image in enumerate(forward):
        backward[image] = value
    return forward, backward


FORWARD, BACKWARD = _boxes()


def _round_keys(key):
    words = [key[i:i + 4] for i in range(0, 32, 4)]
    constant = 1
    while len(words) < 60:
        word = words[-1]
        if len(words) % 8 == 0:
            word = bytes(FORWARD[byte] for byte in word[1:] + word[:1])
            word = bytes([word[0] ^ constant]) + word[1:]
            constant = _multiply(constant, 2)
        elif len(words) % 8 == 4:
            word = bytes(FORWARD[byte] for byte in word)
        words.append(bytes(a ^ b for a, b in zip(words[-8], word)))
    return [b"".join(words[i:i + 4]) for i in range(0, 60, 4)]


def _add(one, other):
    return bytes(a ^ b for a, b in zip(one, other))


def _decrypt_block(keys, block):
    state = _add(block, keys[14])
    for number in range(13, -1, -1):
        # Rows shift back, bytes go through the inverse box.
        state = bytes(BACKWARD[state[(i - 4 * (i % 4)) % 16]] for i in range(16))
        state = _add(state, keys[number])
        if number:
            columns = [state[i:i + 4] for i in range(0, 16, 4)]
            state = b"".join(
                bytes(_multiply(c[i], 14) ^ _multiply(c[(i + 1) % 4], 11) ^ _multiply(c[(i + 2) % 4], 13)
                      ^ _multiply(c[(i + 3) % 4], 9) for i in range(4)) for c in columns)
    return state


def decrypt(key, vector, data):
    """Decrypts AES-256-CBC and takes off the PKCS#7 padding."""
    keys, plain = _round_keys(key), b""
    for i in range(0, len(data), 16):
        plain += _add(_decrypt_block(keys, data[i:i + 16]), vector)
        vector = data[i:i + 16]
    return plain[:-plain[-1]]
