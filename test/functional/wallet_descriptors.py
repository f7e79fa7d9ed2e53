"""Importing descriptors: watched scripts, keys, what a rescan finds, and what is refused."""

import re
import time
from decimal import Decimal

from framework.descriptor import with_checksum
from framework.rpc import fails
from framework.scenario import main
from framework.util import check, contains, equal

# The private key 1: its public key is the generator point.
KEY = "cMahea7zqjxrtgAbB7LSGbcQUr1uX1ojuat9jZodMN87JcbXMTcA"
PUBLIC = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
P2PKH = "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r"
P2SH = "2NAUYAHhujozruyzpsFRP63mbrdaU5wnEpN"
P2WPKH = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


def request(descriptor, timestamp=0, **more):
    """One import request."""
    return dict({"desc": with_checksum(descriptor), "timestamp": timestamp}, **more)


def succeed(wallet, *requests):
    """Imports and checks that every request succeeded."""
    results = wallet.importdescriptors(list(requests))
    equal([r["success"] for r in results], [True] * len(requests), str(results))
    return results


def run(t):
    node = t.node()
    # Most of the chain is made twenty days ago, so that it is older than an import of now.
    rpc = node.start(f"-mocktime={int(time.time()) - 20 * 24 * 3600}").rpc

    t.step("coins for one key in its four forms, and for anyone")
    rpc.generatetoaddress(1, P2PKH)
    rpc.generatetoaddress(1, P2SH)
    rpc.generatetoaddress(1, P2WPKH)
    rpc.generatetodescriptor(1, f"pk({PUBLIC})")
    node.mine(101)

    t.step("combo() with the key finds and spends all four")
    rpc.createwallet("combo", blank=True)
    combo = node.wallet("combo")
    equal(combo.getbalance(), 0)
    succeed(combo, request(f"combo({KEY})", label="all"))
    equal(combo.getbalance(), 200)
    coins = combo.listunspent()
    # A bare public key has no address.
    equal(sorted(c.get("address", "-") for c in coins), sorted([P2PKH, P2SH, P2WPKH, "-"]))
    equal({c["spendable"] for c in coins}, {True})
    rpc.createwallet("other")
    other = node.wallet("other").getnewaddress()
    fails(-6, re.compile("^Transaction needs a change address, but we can't generate it"), combo.sendtoaddress, other,
          199)
    txid = combo.sendtoaddress(other, 200, subtractfeefromamount=True, fee_rate=2)
    equal(len(rpc.getrawtransaction(txid, 1)["vin"]), 4)
    node.mine(1)
    equal((combo.getbalance(), node.wallet("other").getbalance()), (0, 200 + combo.gettransaction(txid)["fee"]))
    rpc.generatetoaddress(1, P2WPKH)
    node.mine(100)
    equal(combo.getbalance(), 50)

    t.step("the same without the private key is watched and not spent")
    rpc.createwallet("watch", disable_private_keys=True)
    watch = node.wallet("watch")
    succeed(watch, request(f"combo({PUBLIC})"))
    equal(watch.getbalance(), combo.getbalance())
    fails(-4, "Error: Private keys are disabled for this wallet", watch.sendtoaddress, P2WPKH, "0.1")

    t.step("raw()")
    rpc.createwallet("raw", disable_private_keys=True)
    raw = node.wallet("raw")
    succeed(raw, request("raw(51)"))
    total = raw.getbalances()["mine"]
    equal(total["trusted"] + total["immature"], sum(
        (u["amount"] for u in rpc.scantxoutset("start", ["raw(51)"])["unspents"]), Decimal(0)))

    t.step("a ranged, active descriptor gives addresses")
    rpc.createwallet("ranged", blank=True)
    ranged = node.wallet("ranged")
    fails(-4, "Error: This wallet has no available keys", ranged.getnewaddress)
    key = ("tprv8ZgxMBicQKsPd7Uf69XL1XwhmjHopUGep8GuEiJDZmbQz6o58LninorQAfcKZWARbtRtfnLcJ5MQ2AtHcQJCCRUcMRvmDUjyEmNU"
           "Wwx8UbK")
    succeed(ranged, request(f"wpkh({key}/0/*)", "now", active=True, range=[0, 9]),
            request(f"wpkh({key}/1/*)", "now", active=True, internal=True))
    first = ranged.getnewaddress()
    equal(ranged.getaddressinfo(first)["desc"].split("/")[-1].split(")")[0].split("]")[0], "0")
    listed = ranged.listdescriptors()["descriptors"]
    equal(sorted((d["active"], d["internal"], d["next"]) for d in listed), [(True, False, 1), (True, True, 0)])
    check(all("tprv" not in d["desc"] for d in listed), "private keys are shown unasked")
    private = ranged.listdescriptors(True)["descriptors"]
    equal(sorted(d["desc"] for d in private), sorted(with_checksum(f"wpkh({key}/{i}/*)") for i in (0, 1)))

    t.step("a timestamp of now does not look back, a rescan does")
    rpc.createwallet("late", disable_private_keys=True)
    late = node.wallet("late")
    rpc.setmocktime(0)
    node.mine(12)
    succeed(late, request(f"wpkh({PUBLIC})", "now"))
    equal(late.listtransactions(), [])
    equal(late.rescanblockchain(4), {"start_height": 4, "stop_height": rpc.getblockcount()})
    spending = [x["txid"] for x in late.listtransactions("*", 100)]
    equal(late.rescanblockchain(0, 3), {"start_height": 0, "stop_height": 3})
    check(len(late.listtransactions("*", 100)) > len(spending), "the rescan found the first coin")
    late.rescanblockchain()
    for arguments, message in (
        ((-1,), "Invalid start_height"), ((9999,), "Invalid start_height"), ((0, 9999), "Invalid stop_height"),
        ((5, 4), "stop_height must be greater than start_height"),
    ):
        fails(-8, message, late.rescanblockchain, *arguments)

    t.step("refusals, each by itself")
    results = combo.importdescriptors([
        {"desc": f"combo({KEY})#aaaaaaaa", "timestamp": "now"},
        {"desc": f"combo({KEY})", "timestamp": "now"},
        request("wpkh(nonsense)", "now"),
        request("raw(52)", "now"),
    ])
    equal([r["success"] for r in results], [False, False, False, False])
    equal(results[1]["error"], {"code": -5, "message": "Missing checksum"})
    contains(results[0]["error"]["message"], "Provided checksum 'aaaaaaaa' does not match computed checksum")
    equal(results[2]["error"]["code"], -5)
    equal(results[3]["error"]["code"], -4)
    results = watch.importdescriptors([request(f"wpkh({KEY})", "now")])
    equal(results[0]["error"],
          {"code": -4, "message": "Cannot import private keys to a wallet with private keys disabled"})
    fails(-3, None, watch.importdescriptors, [{"desc": with_checksum("raw(51)")}])

    t.step("imports survive a restart")
    names = ("combo", "watch", "raw", "ranged", "late")
    before = {name: (node.wallet(name).listdescriptors(), node.wallet(name).getbalances()) for name in names}
    node.restart(*(f"-wallet={name}" for name in names))
    equal({name: (node.wallet(name).listdescriptors(), node.wallet(name).getbalances()) for name in names}, before)
    node.stop()


main(run)
