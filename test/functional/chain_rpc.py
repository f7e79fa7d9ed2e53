"""The chain as the RPC shows it: every view of a block agrees with the block's own bytes."""

from decimal import Decimal

from framework.rpc import fails
from framework.scenario import main
from framework.transaction import ANYONE, anyone_spends, block_hash, txid
from framework.util import check, equal

GENESIS = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"


def run(t):
    node = t.node()
    rpc = node.start().rpc

    t.step("the empty chain")
    info = rpc.getblockchaininfo()
    equal((info["chain"], info["blocks"], info["headers"], info["bestblockhash"]), ("regtest", 0, 0, GENESIS))
    equal((info["pruned"], info["initialblockdownload"]), (False, True))
    equal(info["chainwork"], f"{2:064x}")
    equal((info["bits"], info["target"]), ("207fffff", "7fffff" + "0" * 58))
    check(info["size_on_disk"] > 0 and info["time"] == 1296688602 == info["mediantime"], info)
    equal(rpc.getchaintips(), [{"height": 0, "hash": GENESIS, "branchlen": 0, "status": "active"}])
    check(abs(float(rpc.getdifficulty()) / 4.656542373906925e-10 - 1) < 1e-12, "difficulty")

    t.step("blocks, seen by height and by hash")
    hashes = node.mine(110)
    equal((rpc.getblockcount(), rpc.getbestblockhash()), (110, hashes[-1]))
    equal([rpc.getblockhash(height) for height in (0, 1, 110)], [GENESIS, hashes[0], hashes[-1]])
    for height in (-1, 111):
        fails(-8, "Block height out of range", rpc.getblockhash, height)
    info = rpc.getblockchaininfo()
    equal((info["blocks"], info["initialblockdownload"], info["verificationprogress"]), (110, False, 1))
    equal(info["chainwork"], f"{222:064x}")

    t.step("header: hex and fields")
    middle = hashes[9]
    header_hex = rpc.getblockheader(middle, False)
    equal((len(header_hex), block_hash(header_hex)), (160, middle))
    header = rpc.getblockheader(middle)
    equal((header["hash"], header["height"], header["confirmations"], header["nTx"]), (middle, 10, 101, 1))
    equal((header["previousblockhash"], header["nextblockhash"]), (hashes[8], hashes[10]))
    equal((header["time"], header["nonce"]),
          tuple(int.from_bytes(bytes.fromhex(header_hex)[a:a + 4], "little") for a in (68, 76)))
    equal(header["versionHex"], f"{header['version']:08x}")
    check("nextblockhash" not in rpc.getblockheader(hashes[-1]), "the tip has no next block")
    check("previousblockhash" not in rpc.getblockheader(GENESIS), "the genesis block has no previous block")

    t.step("a block with a payment, in the four verbosities")
    coinbase = rpc.getblock(hashes[0])["tx"][0]
    payment = anyone_spends((coinbase, 0), 50)
    mined = rpc.generateblock("raw(51)", [payment])["hash"]
    raw = rpc.getblock(mined, 0)
    equal((block_hash(raw), rpc.getblock(mined, False)), (mined, raw))
    check(raw.endswith(payment), "the block ends with its last transaction")
    one = rpc.getblock(mined)
    equal((one, one["tx"][1], one["nTx"], one["size"]), (rpc.getblock(mined, 1), txid(payment), 2, len(raw) // 2))
    equal(one["weight"], 3 * one["strippedsize"] + one["size"])
    two, three = rpc.getblock(mined, 2), rpc.getblock(mined, 3)
    spending = two["tx"][1]
    equal((spending["txid"], spending["hex"], spending["fee"]), (txid(payment), payment, Decimal("0.0001")))
    check("prevout" not in spending["vin"][0], "verbosity 2 shows no previous output")
    prevout = three["tx"][1]["vin"][0]["prevout"]
    equal((prevout["generated"], prevout["height"], prevout["value"]), (True, 1, Decimal(50)))
    equal(prevout["scriptPubKey"]["hex"], ANYONE)
    equal(three["tx"][0]["txid"], one["tx"][0])
    fails(-5, "Block not found", rpc.getblock, "ab" * 32)

    t.step("coins")
    best = rpc.getbestblockhash()
    coin = rpc.gettxout(txid(payment), 0)
    equal((coin["bestblock"], coin["confirmations"], coin["value"], coin["coinbase"]),
          (best, 1, Decimal("49.9999"), False))
    equal((coin["scriptPubKey"]["hex"], coin["scriptPubKey"]["type"]), (ANYONE, "nonstandard"))
    equal(rpc.gettxout(coinbase, 0), None, "a spent coin")
    equal(rpc.gettxout(txid(payment), 1), None, "an output that can never be spent")
    check(rpc.gettxout(rpc.getblock(hashes[1])["tx"][0], 0)["coinbase"], "a coinbase coin")

    t.step("scantxoutset")
    scan = rpc.scantxoutset("start", ["raw(51)"])
    equal((scan["success"], scan["height"], scan["bestblock"]), (True, 111, best))
    # 111 coinbases of which one is spent, and what it was spent into; generateblock leaves the fee to nobody.
    equal((len(scan["unspents"]), scan["total_amount"]), (111, Decimal(111 * 50) - Decimal("0.0001")))
    found = [u for u in scan["unspents"] if u["txid"] == txid(payment)]
    equal([(u["vout"], u["amount"], u["height"], u["coinbase"]) for u in found], [(0, Decimal("49.9999"), 111, False)])
    equal(rpc.scantxoutset("start", ["raw(52)"])["unspents"], [])
    equal((rpc.scantxoutset("status"), rpc.scantxoutset("abort")), (None, False))
    fails(-8, "Invalid action 'jump'", rpc.scantxoutset, "jump")
    fails(-1, "scanobjects argument is required for the start action", rpc.scantxoutset, "start")

    t.step("addresses")
    good = rpc.validateaddress("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080")
    equal((good["isvalid"], good["iswitness"], good["witness_version"], good["scriptPubKey"]),
          (True, True, 0, "0014751e76e8199196d454941c45d1b3a323f1433bd6"))
    equal(good["witness_program"], "751e76e8199196d454941c45d1b3a323f1433bd6")
    bad = rpc.validateaddress("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt081")
    equal((bad["isvalid"], bad["error_locations"]), (False, [43]))
    check(bad["error"], "an invalid address has a reason")
    other_chain = rpc.validateaddress("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4")
    equal(other_chain["isvalid"], False, "an address of another chain")

    t.step("nothing of it is lost by a restart")
    before = (rpc.getblockchaininfo(), rpc.gettxout(txid(payment), 0), rpc.getblock(mined, 3))
    node.restart()
    equal((node.rpc.getblockchaininfo(), node.rpc.gettxout(txid(payment), 0), node.rpc.getblock(mined, 3)), before)
    node.stop()


main(run)
