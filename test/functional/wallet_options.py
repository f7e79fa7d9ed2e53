"""Options of wallets: kinds of addresses and change, addresses made ahead, what is broadcast, replaced and synchronized."""

import re

from framework.rpc import fails
from framework.scenario import main
from framework.util import check, contains, equal, excludes

FOREIGN = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
KINDS = {"legacy": "[mn]", "p2sh-segwit": "2", "bech32": "bcrt1q", "bech32m": "bcrt1p"}


def change_of(node, txid):
    """The address of the output that does not go to FOREIGN."""
    outputs = node.rpc.decoderawtransaction(node.wallet("w").gettransaction(txid)["hex"])["vout"]
    return [output["scriptPubKey"]["address"] for output in outputs if output["scriptPubKey"]["address"] != FOREIGN]


def run(t):
    node = t.node()
    node.start()
    made = node.rpc.createwallet("w", load_on_startup=True)
    equal(made, {"name": "w"})
    node.rpc.generatetoaddress(10, node.wallet("w").getnewaddress())
    node.mine(100)

    t.step("-addresstype and -changetype say what kind addresses and change are of")
    for kind, other in (("p2sh-segwit", "bech32m"), ("bech32m", "p2sh-segwit")):
        node.restart(f"-addresstype={kind}", f"-changetype={other}")
        wallet = node.wallet("w")
        check(re.match(KINDS[kind], wallet.getnewaddress()), kind)
        check(re.match(KINDS[other], wallet.getrawchangeaddress()), other)
        change, = change_of(node, wallet.sendtoaddress(FOREIGN, 1))
        check(re.match(KINDS[other], change), f"{other}: {change}")
        check(re.match("bcrt1q", wallet.getnewaddress("", "bech32")), "a kind that is asked for")
    node.restart("-addresstype=legacy")
    wallet = node.wallet("w")
    check(re.match("[mn]", wallet.getrawchangeaddress()), "change is as addresses are")
    change, = change_of(node, wallet.sendtoaddress(FOREIGN, 1))
    check(re.match("[mn]", change), change)
    node.stop()
    node.refuses_to_start(re.compile(r"^Error: .*Unknown address type 'p2pkh'\n$"), "-addresstype=p2pkh")
    node.refuses_to_start(re.compile(r"^Error: .*Unknown change type 'x'\n$"), "-changetype=x")

    t.step("-keypool is how many addresses are made ahead, for each kind")
    node.start("-keypool=3", "-nowallet")
    node.rpc.createwallet("small")
    info = node.wallet("small").getwalletinfo()
    equal((info["keypoolsize"], info["keypoolsize_hd_internal"]), (12, 12))
    equal({tuple(entry["range"]) for entry in node.wallet("small").listdescriptors()["descriptors"]}, {(0, 2)})
    node.wallet("small").getnewaddress()
    equal(node.wallet("small").getwalletinfo()["keypoolsize"], 11)
    node.restart("-keypool=7", "-wallet=small")
    equal(node.wallet("small").getwalletinfo()["keypoolsize_hd_internal"], 28)
    node.restart("-keypool=0", "-nowallet")
    node.rpc.createwallet("least")
    equal(node.wallet("least").getwalletinfo()["keypoolsize"], 4)

    t.step("-walletrbf=0 makes payments that do not say that they can be replaced")
    node.restart("-walletrbf=0", "-nowallet")
    node.rpc.loadwallet("w")
    wallet = node.wallet("w")
    for options, sequence in (({}, 0xfffffffe), ({"replaceable": True}, 0xfffffffd)):
        decoded = node.rpc.decoderawtransaction(wallet.gettransaction(wallet.sendtoaddress(FOREIGN, 1, **options))["hex"])
        equal({entry["sequence"] for entry in decoded["vin"]}, {sequence})
    node.stop()
    node.start("-walletrbf=1")
    decoded = node.rpc.decoderawtransaction(node.wallet("w").gettransaction(node.wallet("w").sendtoaddress(FOREIGN, 1))["hex"])
    equal({entry["sequence"] for entry in decoded["vin"]}, {0xfffffffd})
    node.stop(stderr=re.compile(r"^(Warning: -walletrbf is deprecated .*\n)?$"))

    t.step("-walletbroadcast=0 keeps payments back until there is a start without it")
    node.start("-walletbroadcast=0")
    node.mine()
    kept = node.wallet("w").sendtoaddress(FOREIGN, 2)
    equal((node.rpc.getrawmempool(), node.wallet("w").gettransaction(kept)["confirmations"]), ([], 0))
    node.restart()
    equal(node.rpc.getrawmempool(), [kept])
    node.mine()

    t.step("-unsafesqlitesync does not wait for the disk, and says so")
    warning = "SQLite is configured to not wait for data to be flushed to disk. Data loss and corruption may occur."
    excludes("".join(node.all_logs().values()), warning)
    node.restart("-unsafesqlitesync")
    node.wallet("w").getnewaddress("saved")
    node.stop()
    contains("".join(node.all_logs().values()), warning)

    t.step("-walletcrosschain does not open what is of another network")
    moon = t.node("testnet4").start("-prune=550")
    moon.rpc.createwallet("moon")
    moon.rpc.backupwallet(str(node.directory / "moon.dat"))
    moon.stop()
    directory = node.chaindir / "wallets" / "moon"
    directory.mkdir()
    (node.directory / "moon.dat").rename(directory / "wallet.dat")
    for option in ("-walletcrosschain=0", "-walletcrosschain"):
        node.start(option)
        fails(-18, re.compile(r"^Wallet file verification failed\. Failed to load database path .*Data is not in recognized"),
              node.rpc.loadwallet, "moon")
        node.stop()


main(run)
