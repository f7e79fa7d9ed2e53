"""Wallet files: made, closed, opened, opened at the start, damaged, of another chain."""

import re
import shutil

from framework.rpc import RpcError, fails
from framework.scenario import main
from framework.util import Failure, check, contains, equal

MISSING = "Requested wallet does not exist or is not loaded"


def run(t):
    node = t.node()
    rpc = node.start().rpc
    directory = node.chaindir / "wallets"

    t.step("made and closed")
    equal(rpc.createwallet("a")["name"], "a")
    check((directory / "a" / "wallet.dat").read_bytes().startswith(b"SQLite format 3\0"), "the format of wallet.dat")
    fails(-4, re.compile(r"Database already exists\.$"), rpc.createwallet, "a")
    address = node.wallet("a").getnewaddress()
    rpc.generatetoaddress(1, address)
    node.mine(100)
    rpc.unloadwallet("a")
    equal(rpc.listwallets(), [])
    fails(-18, MISSING, node.wallet("a").getbalance)
    fails(-18, MISSING, rpc.unloadwallet, "a")
    fails(-8, "Either the RPC endpoint wallet or the wallet name parameter must be provided", rpc.unloadwallet)

    t.step("opened again")
    equal(rpc.loadwallet("a")["name"], "a")
    equal(node.wallet("a").getbalance(), 50)
    fails(-35, 'Wallet "a" is already loaded.', rpc.loadwallet, "a")
    fails(-18, f"Wallet file verification failed. Failed to load database path '{directory}/none'. "
               "Path does not exist.", rpc.loadwallet, "none")

    t.step("blocks that came while it was closed are caught up with")
    node.wallet("a").unloadwallet()
    rpc.generatetoaddress(1, address)
    node.mine(100)
    rpc.loadwallet("a")
    equal(node.wallet("a").getbalance(), 100)

    t.step("opened at the start if asked for")
    rpc.createwallet("b", load_on_startup=True)
    node.restart()
    equal(node.rpc.listwallets(), ["b"])
    node.rpc.loadwallet("a", True)
    node.restart()
    equal(sorted(node.rpc.listwallets()), ["a", "b"])
    node.rpc.unloadwallet("b", False)
    node.restart()
    equal(node.rpc.listwallets(), ["a"])
    node.restart("-nowallet")
    equal(node.rpc.listwallets(), [])
    node.restart("-wallet=b")
    equal(sorted(node.rpc.listwallets()), ["a", "b"])
    node.restart("-disablewallet")
    fails(-32601, "Method not found", node.rpc.listwallets)
    node.stop()
    (node.chaindir / "settings.json").unlink()

    t.step("names that are paths")
    node.start()
    rpc = node.rpc
    outside = node.directory / "outside"
    rpc.createwallet(str(outside))
    check((outside / "wallet.dat").exists(), "a wallet outside the wallet directory")
    equal(rpc.listwallets(), [str(outside)])
    rpc.unloadwallet(str(outside))
    for name in ("../a", "../../a", "..", "."):
        fails(-4, re.compile("relative path cannot begin with"), rpc.createwallet, name)
    for name in ("./a", "./", "../", "a/./b", "a/../b", "/a/../b", "../a/../b"):
        fails(-4, re.compile("must be normalized"), rpc.createwallet, name)
    fails(-4, re.compile("cannot be the root path"), rpc.createwallet, "/")
    fails(-8, "Wallet name cannot be empty", rpc.createwallet, "")

    t.step("a truncated file")
    good = (directory / "a" / "wallet.dat").read_bytes()
    (directory / "cut").mkdir()
    (directory / "cut" / "wallet.dat").write_bytes(good[:len(good) // 2])
    error = loading_fails(rpc, "cut")
    check(error.code in (-4, -18), f"code {error.code}")
    contains(error.message, re.compile("^Wallet file verification failed|^Wallet loading failed"))
    (directory / "cut" / "wallet.dat").write_bytes(good[:100])
    contains(loading_fails(rpc, "cut").message, "Wallet file verification failed")

    t.step("not a database, and nothing at all")
    (directory / "text").mkdir()
    (directory / "text" / "wallet.dat").write_text("not a wallet, but longer than sixteen bytes" * 100)
    contains(loading_fails(rpc, "text").message, "Data is not in recognized format.")
    (directory / "empty").mkdir()
    contains(loading_fails(rpc, "empty").message, "Data is not in recognized format.")

    t.step("a wallet of another chain")
    moon = t.node("testnet4").start("-prune=550")
    moon.rpc.createwallet("moon")
    moon.stop()
    shutil.copytree(moon.chaindir / "wallets" / "moon", directory / "moon")
    error = loading_fails(rpc, "moon")
    contains(error.message, f"Failed to load database path '{directory}/moon'. Data is not in recognized format.")
    contains(error.message, "another chain")
    equal(rpc.listwallets(), [], "a wallet that failed is not listed")

    t.step("the same at the start: one clear message, exit code 1")
    node.stop()
    for name, message in (("moon", "another chain"), ("text", "not in recognized format"),
                          ("cut", "")):
        node.refuses_to_start(re.compile(rf"^Error: [^\n]*{message}"), f"-wallet={name}")
    node.spawn("-wallet=none")
    node.wait_ready()
    equal(node.rpc.listwallets(), [])
    contains("\n".join(node.all_logs().values()),
             f"Skipping -wallet path that doesn't exist. Failed to load database path '{directory}/none'")
    node.stop(stderr=re.compile(r"^(Warning: Skipping -wallet path that doesn't exist\. [^\n]*none[^\n]*\n)?$"))

    t.step("the good one is still good")
    node.start("-wallet=a")
    equal(node.wallet("a").getbalance(), 100)
    node.stop()


def loading_fails(rpc, name):
    """The error that loadwallet ends in."""
    try:
        rpc.loadwallet(name)
    except RpcError as error:
        return error
    raise Failure(f"the wallet {name} was loaded")


main(run)
