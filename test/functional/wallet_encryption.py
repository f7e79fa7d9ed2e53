"""Encrypting, locking and unlocking a wallet; the passphrase and the keys appear in no file and no log."""

import re

from framework.rpc import fails
from framework.scenario import main
from framework.util import check, equal, excludes, wait_until

FOREIGN = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
PHRASE, OTHER = "open-Sesame-71b2", "Abrakadabra-3f0c"


def run(t):
    node = t.node()
    rpc = node.start("-debug").rpc
    rpc.createwallet("w", load_on_startup=True)
    wallet = node.wallet("w")
    rpc.generatetoaddress(1, wallet.getnewaddress())
    node.mine(100)
    secrets = {d["desc"].split("#")[0] for d in wallet.listdescriptors(True)["descriptors"]}
    keys = {re.search("tprv[0-9A-Za-z]+", secret)[0] for secret in secrets}
    check(keys, "listdescriptors shows private keys")

    t.step("before")
    state = "Error: running with an unencrypted wallet, but {} was called."
    fails(-15, state.format("walletpassphrase"), wallet.walletpassphrase, PHRASE, 1)
    fails(-15, state.format("walletlock"), wallet.walletlock)
    fails(-15, state.format("walletpassphrasechange"), wallet.walletpassphrasechange, PHRASE, "x")
    fails(-8, "passphrase cannot be empty", wallet.encryptwallet, "")

    t.step("encrypt: locked from now on")
    wallet.encryptwallet(PHRASE)
    equal(wallet.getwalletinfo()["unlocked_until"], 0)
    need = "Error: Please enter the wallet passphrase with walletpassphrase first."
    fails(-13, need, wallet.sendtoaddress, FOREIGN, 1)
    fails(-13, need, wallet.listdescriptors, True)
    fails(-15, "Error: running with an encrypted wallet, but encryptwallet was called.", wallet.encryptwallet, "x")
    equal(wallet.getbalance(), 50)
    check(wallet.getnewaddress(), "a locked wallet hands out addresses")
    check("tprv" not in str(wallet.listdescriptors()), "a locked wallet lists public descriptors")

    t.step("wrong passphrases")
    wrong = "Error: The wallet passphrase entered was incorrect."
    for phrase in (PHRASE + "x", PHRASE[:-1], PHRASE.lower(), " " + PHRASE):
        fails(-14, wrong, wallet.walletpassphrase, phrase, 60)
    fails(-8, "passphrase cannot be empty", wallet.walletpassphrase, "", 60)
    fails(-8, "Timeout cannot be negative.", wallet.walletpassphrase, PHRASE, -10)
    fails(-13, need, wallet.sendtoaddress, FOREIGN, 1)

    t.step("unlocked it pays, locked it does not")
    wallet.walletpassphrase(PHRASE, 600)
    check(wallet.getwalletinfo()["unlocked_until"] > 0, "unlocked_until")
    first = wallet.sendtoaddress(FOREIGN, 1)
    wallet.walletlock()
    equal(wallet.getwalletinfo()["unlocked_until"], 0)
    fails(-13, need, wallet.sendtoaddress, FOREIGN, 1)

    t.step("the time runs out by itself")
    wallet.walletpassphrase(PHRASE, 1)
    wait_until(lambda: wallet.getwalletinfo()["unlocked_until"] == 0, "the wallet locks itself")
    fails(-13, need, wallet.sendtoaddress, FOREIGN, 1)

    t.step("a restart keeps it encrypted and locked; the same passphrase opens it")
    node.restart("-debug")
    wallet = node.wallet("w")
    equal(wallet.getwalletinfo()["unlocked_until"], 0)
    fails(-14, wrong, wallet.walletpassphrase, "x", 60)
    wallet.walletpassphrase(PHRASE, 600)
    equal({d["desc"].split("#")[0] for d in wallet.listdescriptors(True)["descriptors"]} >= secrets, True)
    equal(node.rpc.getrawmempool(), [first])
    wallet.sendtoaddress(FOREIGN, 1)
    node.stop()

    t.step("another passphrase takes the place of the first; the wallet stays as locked as it was")
    node.start("-debug", "-persistmempool=0")
    wallet = node.wallet("w")
    for old, new in (("", OTHER), (PHRASE, "")):
        fails(-8, "passphrase cannot be empty", wallet.walletpassphrasechange, old, new)
    fails(-14, wrong, wallet.walletpassphrasechange, OTHER, PHRASE)
    equal(wallet.walletpassphrasechange(PHRASE, OTHER), None)
    equal(wallet.getwalletinfo()["unlocked_until"], 0)
    fails(-14, wrong, wallet.walletpassphrase, PHRASE, 60)
    wallet.walletpassphrase(OTHER, 600)
    equal({d["desc"].split("#")[0] for d in wallet.listdescriptors(True)["descriptors"]} >= secrets, True)
    wallet.walletpassphrasechange(OTHER, PHRASE + "2")
    check(wallet.getwalletinfo()["unlocked_until"] > 0, "unlocked as before")
    node.restart("-debug", "-persistmempool=0")
    wallet = node.wallet("w")
    fails(-14, wrong, wallet.walletpassphrase, OTHER, 60)
    equal(node.cli("-rpcwallet=w", "-stdinwalletpassphrase", "walletpassphrase", 60, stdin=PHRASE + "2\n"), (0, "", ""))
    check(wallet.getwalletinfo()["unlocked_until"] > 0, "unlocked")
    node.stop()

    t.step("no secret in the wallet's file, in any log, in any other file")
    words = [PHRASE, OTHER, *keys]
    files = [f for f in node.directory.rglob("*") if f.is_file()]
    check(any(f.name == "wallet.dat" for f in files), "the wallet's file")
    for file in files:
        data = file.read_bytes()
        for word in words:
            check(word.encode() not in data, f"a secret ({word[:4]}...) is in {file}")
    check(len(node.log_text()) > 10_000, "the log was written in full")

    t.step("encrypted from the start; nothing to encrypt")
    node.start()
    node.rpc.createwallet("born", passphrase="second phrase")
    fails(-13, need, node.wallet("born").listdescriptors, True)
    node.wallet("born").walletpassphrase("second phrase", 60)
    node.rpc.createwallet("watch", disable_private_keys=True)
    fails(-16, "Error: wallet does not contain private keys, nothing to encrypt.",
          node.wallet("watch").encryptwallet, "x")
    excludes(node.log_text(), "second phrase")
    node.stop()


main(run)
