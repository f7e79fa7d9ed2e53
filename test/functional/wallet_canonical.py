"""Descriptors as users type them: one canonical form in answers and wallet files, and files that hold other spellings.

With `BITCOIN_CORE=<directory>`, Core opens the same files and lists the same descriptors.
"""

import contextlib
import hashlib
import re
import shutil
import sqlite3

from framework.descriptor import with_checksum
from framework.programs import Core
from framework.rpc import fails
from framework.scenario import main
from framework.util import check, equal

KEY = "03a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd"
XPUB = ("tpubD6NzVbkrYhZ4WaWSyoBvQwbpLkojyoTZPRsgXELWz3Popb3qkjcJyJUGLnL4qHHoQvao8ESaAstxYSnhyswJ76uZPStJRJCTKvosUC"
        "JZL5B")
XPRV = ("tprv8ZgxMBicQKsPd7Uf69XL1XwhmjHopUGep8GuEiJDZmbQz6o58LninorQAfcKZWARbtRtfnLcJ5MQ2AtHcQJCCRUcMRvmDUjyEmNUWw"
        "x8UbK")
HASH = "e38990d0c7fc009880a9c07c23842e886c6bbdc964ce6bdd5817ad357335ee6f"
ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"

# As typed, and what Core prints of it. An answer keeps the hardened marks of a key alike; listdescriptors writes h.
SPELLINGS = [
    (f"addr({ADDRESS.upper()})", f"addr({ADDRESS})"),
    ("raw(AB51)", "raw(ab51)"),
    (f"wsh(and_v(v:pk({KEY.upper()}),sha256({HASH.upper()})))", f"wsh(and_v(v:pk({KEY}),sha256({HASH})))"),
    (f"wsh(and_v(v:pk({KEY.upper()}),hash160({HASH[:40].upper()})))",
     f"wsh(and_v(v:pk({KEY}),hash160({HASH[:40]})))"),
    (f"wsh(and_v(v:pk({KEY}),after(010)))", f"wsh(and_v(v:pk({KEY}),after(10)))"),
    (f"tr({KEY[2:].upper()})", f"tr({KEY[2:]})"),
    (f"pkh([AABBCCDD/01]{KEY.upper()})", f"pkh([aabbccdd/1]{KEY})"),
    (f"pkh([AABBCCDD/1h/2']{XPUB}/01/*)", f"pkh([aabbccdd/1'/2']{XPUB}/1/*)"),
    (f"wpkh([aabbccdd/1'/2h]{XPUB}/2/*)", f"wpkh([aabbccdd/1h/2h]{XPUB}/2/*)"),
    (f"wsh(multi(01,{KEY.upper()},{XPUB}/003/*))", f"wsh(multi(1,{KEY},{XPUB}/3/*))"),
]

# As earlier versions stored them: all but the keys as typed. They refused numbers with leading zeros in miniscript.
STORED = [(typed.replace(KEY.upper(), KEY), canonical) for typed, canonical in SPELLINGS[:4]] + [
    (f"wsh(and_v(v:pk({XPUB}/5/*),sha256({HASH.upper()})))", f"wsh(and_v(v:pk({XPUB}/5/*),sha256({HASH})))"),
    (f"wsh(and_v(vc:pk_k({XPUB}/6/*),older(1)))", f"wsh(and_v(v:pk({XPUB}/6/*),older(1)))")]


def listed(wallet, private=False):
    """The descriptors of a wallet."""
    return sorted(entry["desc"] for entry in wallet.listdescriptors(private)["descriptors"])


def texts(file):
    """The texts of the descriptors in a wallet file, without their checksums."""
    with contextlib.closing(sqlite3.connect(file)) as database:
        rows = database.execute("SELECT key, value FROM main").fetchall()
    kind = b"\x10walletdescriptor"
    return sorted(value[1:1 + value[0]].decode().partition("#")[0] for key, value in rows if key.startswith(kind))


def respell(file, canonical, typed):
    """Gives a descriptor in a wallet file the text as typed, and all its records the id of that, as earlier versions."""
    old, new = with_checksum(canonical).encode(), with_checksum(typed).encode()
    old_id, new_id = (hashlib.sha256(text).digest() for text in (old, new))
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        rows = [row for row in database.execute("SELECT key, value FROM main").fetchall() if old_id in row[0]]
        check(rows, f"{canonical} is in the file")
        for key, value in rows:
            database.execute("DELETE FROM main WHERE key = ?", (key,))
            value = value.replace(bytes([len(old)]) + old, bytes([len(new)]) + new)
            database.execute("INSERT INTO main VALUES (?, ?)", (key.replace(old_id, new_id), value))


def imports(descriptors):
    """Requests to import descriptors as they are typed."""
    return [{"desc": with_checksum(desc), "timestamp": 0, **({"range": [0, 20]} if "*" in desc else {})}
            for desc in descriptors]


def succeed(wallet, descriptors):
    """Imports and checks that every request succeeded."""
    results = wallet.importdescriptors(imports(descriptors))
    equal([result["success"] for result in results], [True] * len(descriptors), str(results))


def run(t):
    node = t.node()
    rpc = node.start().rpc
    rpc.generatetoaddress(1, ADDRESS)
    expected = sorted(with_checksum(canonical.replace("'", "h")) for _, canonical in SPELLINGS)

    t.step("getdescriptorinfo answers in the canonical form")
    for typed, canonical in SPELLINGS:
        info = rpc.getdescriptorinfo(typed)
        equal(info["descriptor"], with_checksum(canonical), typed)
        equal(info["checksum"], with_checksum(typed)[-8:], typed)

    t.step("what was imported as typed is listed in the canonical form, and is one with it")
    rpc.createwallet("typed", disable_private_keys=True)
    typed = node.wallet("typed")
    succeed(typed, [typed for typed, _ in SPELLINGS])
    equal(listed(typed), expected)
    succeed(typed, [canonical for _, canonical in SPELLINGS])
    equal(listed(typed), expected)
    equal(typed.getaddressinfo(ADDRESS)["parent_desc"], with_checksum(SPELLINGS[0][1]))
    balance = typed.getbalances()["mine"]
    check(balance["immature"] > 0, balance)

    t.step("the file has the canonical form, with keys and without")
    with_key = f"wsh(and_v(vc:pk_k({XPRV}/2/*),older(01)))"
    rpc.createwallet("keys", blank=True)
    keys = node.wallet("keys")
    succeed(keys, [with_key])
    private = listed(keys, True)
    equal(private, [with_checksum(f"wsh(and_v(v:pk({XPRV}/2/*),older(1)))")])
    own = keys.getdescriptorinfo(with_key)["descriptor"].partition("#")[0]
    rpc.createwallet("stored", disable_private_keys=True)
    succeed(node.wallet("stored"), [canonical for _, canonical in STORED])
    stored = listed(node.wallet("stored"))
    addresses = rpc.deriveaddresses(with_checksum(STORED[-1][1]), [0, 3])
    wallets = node.chaindir / "wallets"
    node.stop()
    equal(texts(wallets / "typed/wallet.dat"), sorted(canonical for _, canonical in SPELLINGS))
    equal(texts(wallets / "keys/wallet.dat"), [own])

    t.step("a file that an earlier version wrote is put right when it is loaded")
    for spelling, canonical in STORED:
        respell(wallets / "stored/wallet.dat", canonical, spelling)
    respell(wallets / "keys/wallet.dat", own, own.replace("v:pk(", "vc:pk_k("))
    equal(texts(wallets / "stored/wallet.dat"), sorted(spelling for spelling, _ in STORED))
    shutil.copytree(wallets / "stored", wallets / "untouched")
    node.start()
    for name in ("typed", "keys", "stored"):
        node.rpc.loadwallet(name)
    equal(listed(node.wallet("stored")), stored)
    equal(listed(node.wallet("keys"), True), private)
    equal(node.wallet("stored").getbalances()["mine"], balance)
    for address in addresses:
        check(node.wallet("stored").getaddressinfo(address)["ismine"], address)
    node.stop()
    equal(texts(wallets / "stored/wallet.dat"), sorted(canonical for _, canonical in STORED))
    equal(texts(wallets / "keys/wallet.dat"), [own])

    directory = Core.directory_given()
    if directory is None:
        return
    t.step("Core takes the file for corrupted as it was, and opens it as it is")
    node.programs = Core(directory)
    node.start()
    fails(-4, re.compile("corrupted"), node.rpc.loadwallet, "untouched")
    for name, descriptors in (("typed", expected), ("stored", stored)):
        node.rpc.loadwallet(name)
        equal(listed(node.wallet(name)), descriptors, name)
        equal(node.wallet(name).getbalances()["mine"], balance, name)
    node.rpc.loadwallet("keys")
    equal(listed(node.wallet("keys"), True), private)
    for canonical in (canonical for _, canonical in SPELLINGS):
        equal(node.rpc.getdescriptorinfo(canonical)["descriptor"], with_checksum(canonical))
    node.stop()


main(run)
