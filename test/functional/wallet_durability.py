"""What a call on a wallet answers is what is on disk, whatever room the disk has; plain keys are in no file once it is encrypted."""

import base64
import os
import re

from framework.descriptor import secret_key
from framework.disk import disk, enter_namespace, fill, needed
from framework.rpc import RpcError, fails
from framework.scenario import main
from framework.util import check, equal, wait_until


def plain_keys(wallet):
    """The private keys of an unencrypted wallet, as bytes and in the forms they are printed in."""
    texts = {re.search("tprv[0-9A-Za-z]+", d["desc"])[0] for d in wallet.listdescriptors(True)["descriptors"]}
    check(texts, "the wallet has private keys")
    keys = {secret_key(text) for text in texts}
    return keys | {text.encode() for text in texts} | {key.hex().encode() for key in keys} | {
        base64.b64encode(key) for key in keys}


def files_with(directory, secrets):
    """The files of a directory that hold one of the secrets."""
    return [path for path in directory.rglob("*") if path.is_file()
            and any(secret in path.read_bytes() for secret in secrets)]


def attempt(call, *args, **named):
    """The error of a call, or None."""
    try:
        call(*args, **named)
    except RpcError as error:
        return error
    return None


def is_encrypted(node, name):
    """Whether a wallet is encrypted."""
    return "unlocked_until" in node.wallet(name).getwalletinfo()


def run(t):
    t.step("encrypted while it is open: no file holds a key that was there before")
    node = t.node()
    node.start()
    node.rpc.createwallet("w")
    wallet = node.wallet("w")
    keys = plain_keys(wallet)
    directory = node.chaindir / "wallets" / "w"
    check(files_with(directory, keys), "the search finds plain keys where they are")
    wallet.encryptwallet("p")
    equal(files_with(directory, keys), [])
    wallet.walletpassphrase("p", 100)
    wallet.getnewaddress()
    equal(files_with(directory, keys), [])
    node.kill()
    equal(files_with(directory, keys), [])
    node.start("-wallet=w")
    check(is_encrypted(node, "w"), "the wallet is encrypted")
    node.stop()

    t.step("nothing that a node does ends the lock of an open wallet")
    node.start("-wallet=w")
    link = node.chaindir / "wallets" / "link"
    link.symlink_to(directory)
    node.rpc.listwalletdir()
    fails(-4, re.compile("Database already exists"), node.rpc.createwallet, "w")
    fails(-4, re.compile("Unable to obtain an exclusive lock"), node.rpc.loadwallet, "link")
    locked = directory / "wallet.dat"
    inode = locked.stat().st_ino
    with open("/proc/locks", encoding="ascii") as file:
        locks = [line for line in file if int(line.split()[5].split(":")[2]) == inode]
    equal([line.split()[1:4] for line in locks], [["OFDLCK", "ADVISORY", "WRITE"]])
    link.unlink()
    node.stop()

    needed(t)
    t.step("a disk with little room: an error means that nothing happened, an answer that it is there")
    node = t.node()
    wallets = node.directory / "wallets"
    disk(wallets, 8)
    node.start(f"-walletdir={wallets}")
    outcomes = {"encryptwallet": set(), "createwallet": set()}
    for number, room in enumerate([0, 8_000, 20_000, 40_000, 80_000, 120_000, 200_000, 400_000]):
        name, other = f"w{number}", f"other{number}"
        node.rpc.createwallet(name)
        keys = plain_keys(node.wallet(name))
        filler = fill(wallets, room)
        refused = attempt(node.wallet(name).encryptwallet, "p")
        outcomes["encryptwallet"].add(refused is None)
        equal(is_encrypted(node, name), refused is None, f"encryptwallet with {room} bytes: {refused}")
        filler.unlink()
        filler = fill(wallets, room)
        refused_creation = attempt(node.rpc.createwallet, other, passphrase="q")
        outcomes["createwallet"].add(refused_creation is None)
        filler.unlink()
        listed = {wallet["name"] for wallet in node.rpc.listwalletdir()["wallets"]}
        equal(other in listed, refused_creation is None, f"createwallet with {room} bytes: {refused_creation}")
        equal((wallets / other).exists(), refused_creation is None, "directory of the wallet")
        node.kill()
        node.start(f"-walletdir={wallets}", f"-wallet={name}")
        equal(is_encrypted(node, name), refused is None, f"after a kill, with {room} bytes")
        if refused is None:
            node.wallet(name).walletpassphrase("p", 10)
            equal(files_with(wallets / name, keys), [])
        else:
            equal(plain_keys(node.wallet(name)), keys)
            node.wallet(name).encryptwallet("p2")
        if refused_creation is not None:
            node.rpc.createwallet(other, passphrase="q")
        else:
            node.rpc.loadwallet(other)
        node.wallet(other).walletpassphrase("q", 10)
        node.rpc.unloadwallet(other)
        node.rpc.unloadwallet(name)
        for path in [*(wallets / name).iterdir(), *(wallets / other).iterdir()]:
            path.unlink()
    equal(outcomes, {"encryptwallet": {True, False}, "createwallet": {True, False}}, "outcomes met")

    t.step("a pipe in the place of a wallet file makes nobody wait")
    (wallets / "pipe").mkdir()
    os.mkfifo(wallets / "pipe" / "wallet.dat")
    check("pipe" not in {wallet["name"] for wallet in node.rpc.listwalletdir()["wallets"]}, "a pipe is no wallet")
    fails(-18, re.compile("Data is not in recognized format"), node.rpc.loadwallet, "pipe")
    wait_until(lambda: node.rpc.getblockcount() == 0, "the node answers")
    node.stop()


enter_namespace()
enter_namespace()
main(run)
