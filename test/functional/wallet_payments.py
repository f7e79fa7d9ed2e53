"""A wallet's daily work: addresses, receiving, paying, confirming, and every list agreeing with the balances."""

import re
from decimal import Decimal

from framework.rpc import fails
from framework.scenario import main
from framework.util import check, equal

ANCHOR = "bcrt1pfeesnyr2tx"
FOREIGN = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


def state(wallet):
    """All of a wallet's money, seen from several sides."""
    mine = wallet.getbalances()["mine"]
    return mine["trusted"], mine["untrusted_pending"], mine["immature"]


def run(t):
    node = t.node()
    rpc = node.start().rpc

    t.step("a new wallet")
    equal(rpc.listwallets(), [])
    equal(rpc.createwallet("main")["name"], "main")
    equal(rpc.listwallets(), ["main"])
    wallet = node.wallet("main")
    info = wallet.getwalletinfo()
    equal((info["walletname"], info["txcount"], info["private_keys_enabled"], info["descriptors"], info["format"]),
          ("main", 0, True, True, "sqlite"))
    check("unlocked_until" not in info, "an unencrypted wallet has no unlocked_until")
    equal(state(wallet), (0, 0, 0))
    equal((wallet.listunspent(), wallet.listtransactions()), ([], []))

    t.step("addresses of each kind, never the same twice")
    kinds = {"legacy": "[mn]", "p2sh-segwit": "2", "bech32": "bcrt1q", "bech32m": "bcrt1p"}
    for kind, start in kinds.items():
        one, two = wallet.getnewaddress("", kind), wallet.getnewaddress(address_type=kind)
        check(one != two and re.match(start, one), f"{kind}: {one} {two}")
        check(rpc.validateaddress(one)["isvalid"], one)
        known = wallet.getaddressinfo(one)
        equal((known["address"], known["ismine"], known["solvable"], known["ischange"]), (one, True, True, False))
        check(known["hdkeypath"].startswith("m/"), known)
    labelled = wallet.getnewaddress("rent")
    equal(wallet.getaddressinfo(labelled)["labels"], ["rent"])
    equal(wallet.getaddressinfo(FOREIGN)["ismine"], False)
    fails(-5, "Unknown address type 'nosuch'", wallet.getnewaddress, "", "nosuch")
    fails(-5, None, wallet.getaddressinfo, "nonsense")

    t.step("mining: immature, then trusted")
    miner = wallet.getnewaddress()
    hashes = rpc.generatetoaddress(1, miner)
    node.sync()
    equal(state(wallet), (0, 0, 50))
    check(wallet.listtransactions()[0]["category"] == "immature", "a new coinbase is immature")
    node.mine(99)
    equal((state(wallet), wallet.listunspent()), ((0, 0, 50), []))
    node.mine(1)
    equal((state(wallet), wallet.getbalance()), ((50, 0, 0), 50))
    coin = wallet.listunspent()[0]
    equal((coin["address"], coin["amount"], coin["confirmations"], coin["spendable"], coin["safe"]),
          (miner, 50, 101, True, True))
    equal(coin["txid"], rpc.getblock(hashes[0])["tx"][0])
    mined = wallet.listtransactions()[0]
    equal((mined["category"], mined["amount"], mined["blockhash"], mined["generated"]),
          ("generate", 50, hashes[0], True))

    t.step("a payment to another wallet")
    rpc.createwallet("shop")
    shop = node.wallet("shop")
    till = shop.getnewaddress("till")
    txid = wallet.sendtoaddress(till, Decimal("1.25"), "coffee", "the shop")
    node.sync()
    equal(rpc.getrawmempool(), [txid])
    sent = wallet.gettransaction(txid)
    fee = -sent["fee"]
    check(0 < fee < Decimal("0.001"), f"fee {fee}")
    equal((sent["amount"], sent["confirmations"], sent["comment"], sent["to"]),
          (Decimal("-1.25"), 0, "coffee", "the shop"))
    equal([(d["category"], d["address"], d["amount"], d["fee"]) for d in sent["details"]],
          [("send", till, Decimal("-1.25"), -fee)])
    equal(rpc.getrawtransaction(txid), sent["hex"])
    left = Decimal("48.75") - fee
    equal(state(wallet), (left, 0, 0))
    equal((state(shop), shop.getbalance()), ((0, Decimal("1.25"), 0), 0))
    equal(shop.listunspent(), [])
    waiting = shop.listunspent(0)
    equal([(c["txid"], c["amount"], c["confirmations"], c["label"], c["safe"]) for c in waiting],
          [(txid, Decimal("1.25"), 0, "till", False)])
    received = shop.listtransactions()
    equal([(x["category"], x["label"], x["amount"], x["confirmations"]) for x in received],
          [("receive", "till", Decimal("1.25"), 0)])

    t.step("confirmed by a block")
    block = node.mine(1)[0]
    equal(rpc.getrawmempool(), [])
    equal((state(shop), shop.getbalance(), shop.getbalance("*", 2)), ((Decimal("1.25"), 0, 0), Decimal("1.25"), 0))
    for seen in (wallet.gettransaction(txid), shop.gettransaction(txid)):
        equal((seen["confirmations"], seen["blockhash"], seen["blockheight"]), (1, block, 102))

    t.step("fee taken from the amount; all of it; with a fee rate")
    before = wallet.getbalance()
    txid = wallet.sendtoaddress(till, 1, subtractfeefromamount=True)
    node.sync()
    got = [c["amount"] for c in shop.listunspent(0) if c["txid"] == txid][0]
    fee = -wallet.gettransaction(txid)["fee"]
    equal(before - wallet.getbalance(), got + fee)
    check(0 < fee, f"fee {fee}")
    equal(got, 1 - fee)
    txid = wallet.sendtoaddress(FOREIGN, "0.5", fee_rate=25)
    decoded = rpc.decoderawtransaction(wallet.gettransaction(txid)["hex"])
    # It spends the change of the payment before, at a lower rate, and lifts that as well.
    entry = rpc.getmempoolentry(txid)
    rate = entry["fees"]["ancestor"] * 100_000_000 / entry["ancestorsize"]
    check(entry["ancestorcount"] == 2 and 25 <= rate < 26, f"fee rate {rate}")
    check(all(i["sequence"] == 0xfffffffd for i in decoded["vin"]), "a payment can be replaced")
    node.mine(1)
    shop.sendtoaddress(FOREIGN, shop.getbalance(), subtractfeefromamount=True)
    equal((shop.getbalance(), shop.listunspent(0)), (0, []))

    t.step("refusals")
    fails(-6, "Insufficient funds", wallet.sendtoaddress, FOREIGN, 5000)
    fails(-5, re.compile("^Invalid Bitcoin address: nonsense|^Invalid address"), wallet.sendtoaddress, "nonsense", 1)
    fails(-3, re.compile("^Invalid amount|^Amount"), wallet.sendtoaddress, FOREIGN, "x")
    fails(-3, "Amount out of range", wallet.sendtoaddress, FOREIGN, -1)
    fails(-5, "Invalid or non-wallet transaction id", wallet.gettransaction, "00" * 32)
    fails(-8, "Negative count", wallet.listtransactions, "*", -1)

    t.step("pay-to-anchor is known by its name")
    info = wallet.getaddressinfo(ANCHOR)
    equal({key: info.get(key) for key in ("scriptPubKey", "ismine", "isscript", "iswitness", "witness_version")},
          {"scriptPubKey": "51024e73", "ismine": False, "isscript": True, "iswitness": True, "witness_version": None})
    paid = wallet.gettransaction(wallet.sendtoaddress(ANCHOR, 1), True, True)["decoded"]
    script, = (output["scriptPubKey"] for output in paid["vout"] if output["value"] == 1)
    equal((script["type"], script["address"]), ("anchor", ANCHOR))

    t.step("lists can be paged and filtered")
    history = wallet.listtransactions("*", 100)
    equal(wallet.listtransactions("*", 2, 1), history[-3:-1])
    equal(shop.listtransactions("till", 10), [x for x in shop.listtransactions("*", 100) if x.get("label") == "till"])
    equal(wallet.listunspent(9999), [])
    equal({c["address"] for c in wallet.listunspent(0, 9999, [miner])} <= {miner}, True)

    t.step("everything is there after a restart")
    node.mine(1)
    wallets = (wallet, shop)
    before = [(w.getbalances(), sorted(map(str, w.listunspent(0))), w.listtransactions("*", 100)) for w in wallets]
    node.restart("-wallet=main", "-wallet=shop")
    wallets = (node.wallet("main"), node.wallet("shop"))
    after = [(w.getbalances(), sorted(map(str, w.listunspent(0))), w.listtransactions("*", 100)) for w in wallets]
    equal(after, before)
    check(node.wallet("main").getnewaddress() not in str(before), "an address is never handed out twice")

    t.step("blocks taken back take confirmations back")
    node.rpc.invalidateblock(node.rpc.getblockhash(102))
    node.sync()
    paid = [x for x in node.wallet("main").listtransactions("*", 100) if x.get("comment") == "coffee"][0]
    equal(paid["confirmations"], 0)
    node.rpc.reconsiderblock(block)
    node.sync()
    equal(node.wallet("main").getbalances()["mine"], before[0][0]["mine"])
    node.stop()


main(run)
