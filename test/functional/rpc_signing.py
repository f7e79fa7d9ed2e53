"""Transactions and messages are signed with keys that are given, and signatures of several signers are put together."""

from decimal import Decimal

from framework.rpc import fails
from framework.scenario import main
from framework.util import check, equal

# The keys 1 and 2.
WIF = ["cMahea7zqjxrtgAbB7LSGbcQUr1uX1ojuat9jZodMN87JcbXMTcA", "cMahea7zqjxrtgAbB7LSGbcQUr1uX1ojuat9jZodMN87K7XCyj5v"]
KEYS = ["0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
        "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"]


def run(t):
    node = t.node()
    rpc = node.start().rpc
    multisig = [rpc.createmultisig(2, KEYS, kind) for kind in ("legacy", "p2sh-segwit", "bech32")]
    descriptors = [f"{kind}({KEYS[0]})" for kind in ("pk", "pkh", "wpkh")] + [f"sh(wpkh({KEYS[0]}))"] \
        + [entry["descriptor"] for entry in multisig]
    coins = [rpc.getblock(rpc.generatetodescriptor(1, rpc.getdescriptorinfo(text)["descriptor"])[0], 2)["tx"][0]
             for text in descriptors]
    node.mine(100)
    target = rpc.deriveaddresses(rpc.getdescriptorinfo(f"wpkh({KEYS[1]})")["descriptor"])[0]

    def spend(coin, **other):
        unsigned = rpc.createrawtransaction([{"txid": coin["txid"], "vout": 0}], {target: Decimal("49.99")})
        return rpc.signrawtransactionwithkey(hexstring=unsigned, **other)

    t.step("one key")
    for coin, nested in zip(coins[:4], (False, False, False, True)):
        prevtxs = [{"txid": coin["txid"], "vout": 0, "scriptPubKey": coin["vout"][0]["scriptPubKey"]["hex"], "amount": 50,
                    "redeemScript": "0014751e76e8199196d454941c45d1b3a323f1433bd6"}] if nested else None
        signed = spend(coin, privkeys=WIF[:1], prevtxs=prevtxs)
        check(signed["complete"] and "errors" not in signed, signed)
        check(rpc.testmempoolaccept([signed["hex"]])[0]["allowed"], "the mempool takes it")
        wrong = spend(coin, privkeys=WIF[1:], prevtxs=prevtxs)
        check(not wrong["complete"] and len(wrong["errors"]) == 1, wrong)

    t.step("two keys, of one signer and of two")
    for coin, entry, kind in zip(coins[4:], multisig, ("redeemScript", "witnessScript", "witnessScript")):
        prevtxs = [{"txid": coin["txid"], "vout": 0, "scriptPubKey": coin["vout"][0]["scriptPubKey"]["hex"], "amount": 50,
                    kind: entry["redeemScript"]}]
        whole = spend(coin, privkeys=WIF, prevtxs=prevtxs)
        check(whole["complete"], whole)
        parts = [spend(coin, privkeys=[key], prevtxs=prevtxs) for key in WIF]
        for part in parts:
            check(not part["complete"], part)
            equal(part["errors"][0]["txid"], coin["txid"])
        equal(rpc.combinerawtransaction([part["hex"] for part in parts]), whole["hex"])
        again = rpc.signrawtransactionwithkey(parts[0]["hex"], WIF[1:], prevtxs)
        equal((again["complete"], again["hex"]), (True, whole["hex"]))
        rpc.sendrawtransaction(whole["hex"])

    t.step("what is refused")
    coin = coins[0]
    fails(-5, "Invalid private key", spend, coin, privkeys=["x"])
    fails(-8, "'all' is not a valid sighash parameter.", spend, coin, privkeys=WIF[:1], sighashtype="all")
    fails(-22, "TX decode failed. Make sure the tx has at least one input.", rpc.signrawtransactionwithkey, "00", [])
    fails(-22, "Missing transactions. At least two transactions required.", rpc.combinerawtransaction, ["00"])
    unknown = rpc.createrawtransaction([{"txid": "11" * 32, "vout": 1}], {target: 1})
    equal(rpc.signrawtransactionwithkey(unknown, WIF)["errors"][0]["error"], "Input not found or already spent")
    fails(-25, "Input not found or already spent", rpc.combinerawtransaction, [unknown, unknown])
    fails(-3, "Missing vout", rpc.signrawtransactionwithkey, unknown, WIF, [{"txid": "11" * 32, "scriptPubKey": "51"}])

    t.step("messages are signed with a key, always alike, and verified with its address")
    address = rpc.deriveaddresses(rpc.getdescriptorinfo(f"pkh({KEYS[0]})")["descriptor"])[0]
    for message, signature in (
        ("a message", "H++WnlF0h+yhRpWuKoBDuZSWSuEkJ4d2iqMWbzZ/xfFzSHpXOeTQSZZkpWX3634apVCAHyGfQcHdBvzcIzsuMnA="),
        ("", "H/ekWyEiNs+vsqOX5k7LH3pPZfy9izgt6UYvcEGT9tf2FrGCBH9ZB1O0JtiULTJoDxEmmBJSI2FTGZQaBn83kbM="),
        ("\u00fcbung", "H6/BqmHHDL4uYLGTtm/+ChQtNb5MLPTZLNJBbXlXZE6+MeZvjIeKHvF61ygf2JYmhTd+WuCTDBRTPNC0hopCKVk="),
    ):
        equal(rpc.signmessagewithprivkey(WIF[0], message), signature)
        equal(rpc.verifymessage(address, signature, message), True)
        equal(rpc.verifymessage(address, signature, message + "x"), False)
        equal(rpc.verifymessage(address, rpc.signmessagewithprivkey(WIF[1], message), message), False)
    equal(rpc.verifymessage(address, "AAAA", "x"), False)
    fails(-3, "Malformed base64 encoding", rpc.verifymessage, address, "x", "x")
    fails(-3, "Address does not refer to key", rpc.verifymessage, target, signature, message)
    fails(-5, "Invalid address", rpc.verifymessage, address[:-1], signature, message)
    fails(-5, "Invalid private key", rpc.signmessagewithprivkey, address, "x")

    t.step("the chain states, of which there is one")
    states = rpc.getchainstates()
    equal((states["headers"], len(states["chainstates"])), (107, 1))
    state = states["chainstates"][0]
    equal((state["blocks"], state["bestblockhash"], state["validated"]), (107, rpc.getbestblockhash(), True))
    check(state["coins_db_cache_bytes"] > 0 and state["coins_tip_cache_bytes"] > 0, state)
    node.stop()


main(run)
