"""Once a wallet is locked, no process has its passphrase or keys in memory; the node keeps nothing of what it passes on."""

import re

from framework.crypto import master_key
from framework.descriptor import secret_key
from framework.memory import all_copies
from framework.rpc import fails
from framework.scenario import main
from framework.util import check, equal, wait_until

PHRASE, NEW_PHRASE, WRONG_PHRASE = "correct-horse-7c1e55", "battery-staple-90ab2f", "plain-anchor-07d3e1"
FOREIGN = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


def run(t):
    node = t.node()
    node.start()
    node.rpc.createwallet("w", passphrase="first")
    wallet, imported = node.wallet("w"), node.wallet("imported")
    wallet.walletpassphrasechange("first", PHRASE)
    wallet.walletpassphrase(PHRASE, 1000)
    node.rpc.generatetoaddress(1, wallet.getnewaddress())
    node.mine(100)
    master, derived = master_key(node.chaindir / "wallets" / "w" / "wallet.dat", PHRASE)
    xprv = re.search("tprv[0-9A-Za-z]+", wallet.listdescriptors(True)["descriptors"][0]["desc"])[0]
    secrets = {"passphrase": PHRASE.encode(), "master key": master, "derived key": derived, "xprv": xprv.encode(),
               "private key": secret_key(xprv)}

    def keeps(expected):
        # Connections stay open, and keep nothing of what they have carried.
        found = {}

        def settled():
            found.clear()
            found.update(all_copies(node.process.pid, secrets))
            return {name: count for (_, name), count in found.items()} == expected

        try:
            wait_until(settled, "", 10)
        except AssertionError:
            raise AssertionError(f"in memory: {found}, expected {expected}") from None

    def sign():
        wallet.sendtoaddress(FOREIGN, 1)

    t.step("unlocked: the master key is there, once, and nothing else that is secret")
    sign()
    keeps({"master key": 1})

    t.step("walletlock")
    wallet.walletlock()
    keeps({})

    t.step("a timed relock")
    wallet.walletpassphrase(PHRASE, 2)
    sign()
    wait_until(lambda: wallet.getwalletinfo()["unlocked_until"] == 0, "the wallet is locked")
    keeps({})

    t.step("another passphrase")
    wallet.walletpassphrasechange(PHRASE, NEW_PHRASE)
    secrets["new passphrase"] = NEW_PHRASE.encode()
    keeps({})

    t.step("a passphrase that is wrong; one by way of bitcoin-cli")
    secrets["wrong passphrase"] = WRONG_PHRASE.encode()
    fails(-14, "Error: The wallet passphrase entered was incorrect.", wallet.walletpassphrase, WRONG_PHRASE, 60)
    keeps({})
    equal(node.cli("-rpcwallet=w", "-stdinwalletpassphrase", "walletpassphrase", 600, stdin=NEW_PHRASE + "\n"), (0, "", ""))
    keeps({"master key": 1})

    t.step("unloaded while it is unlocked")
    wallet.walletpassphrase(NEW_PHRASE, 1000)
    sign()
    node.rpc.unloadwallet("w")
    keeps({})

    for name, reload in (("plain", False), ("read", True)):
        t.step(f"encrypted after it was {'read from its file' if reload else 'made'} in the clear")
        node.rpc.createwallet(name)
        wallet = node.wallet(name)
        xprv = re.search("tprv[0-9A-Za-z]+", wallet.listdescriptors(True)["descriptors"][0]["desc"])[0]
        secrets = {"passphrase": PHRASE.encode(), "xprv": xprv.encode(), "private key": secret_key(xprv)}
        if reload:
            node.rpc.unloadwallet(name)
            keeps({})
            node.rpc.loadwallet(name)
        found = all_copies(node.process.pid, secrets)
        check(any(name == "private key" for _, name in found), "an unencrypted wallet has its keys in memory")
        wallet.encryptwallet(PHRASE)
        keeps({})

    t.step("keys in requests")
    node.rpc.createwallet("imported", blank=True)
    key = "cVpF924EspNh8KjYsfhgY96mmxvT6DgdWiTYMtMjuM74hJaU5psW"
    descriptor = node.rpc.getdescriptorinfo(f"wpkh({key})")
    result = imported.importdescriptors(
        [{"desc": f"wpkh({key})#{descriptor['checksum']}", "timestamp": "now"}])
    check(result[0]["success"], result)
    imported.encryptwallet(PHRASE)
    node.rpc.signrawtransactionwithkey("0200000001" + "11" * 32 + "0000000000ffffffff010000000000000000015100000000", [key])
    check(node.rpc.signmessagewithprivkey(key, "text"), "signed")
    secrets = {"passphrase": PHRASE.encode(), "WIF": key.encode(), "private key": secret_key(key)}
    keeps({})
    node.stop()


main(run)
