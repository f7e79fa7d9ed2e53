"""Two miners of one node, as programs that know nothing but Cap'n Proto and schemas: one has those that are installed,
the other those of Bitcoin Core 30. Each sees the blocks of the other.

A program of its own, because it needs pycapnp and the interpreter that has it: `ipc_mining.py` runs it.
"""

import asyncio
import pathlib
import struct
import sys

import capnp

from framework.transaction import COIN, compact, hash256
from framework.util import check, contains, equal

FOREVER = 1.7976931348623157e308
MAX_MONEY = 21_000_000 * COIN

# What the schemas of Bitcoin Core 30 say, written down from what its clients send: the same files and names as today's,
# hence the same ids, with other methods. Nothing had a default.
CORE_30 = {
    "init.capnp": """
        @0xf2c5cfa319406aa6;
        interface Init {
            construct @0 (threadMap :import "/mp/proxy.capnp".ThreadMap) -> (threadMap :import "/mp/proxy.capnp".ThreadMap);
            makeEcho @1 (context :import "/mp/proxy.capnp".Context) -> (result :import "/echo.capnp".Echo);
            makeMining @2 (context :import "/mp/proxy.capnp".Context) -> (result :import "mining.capnp".Mining);
        }
    """,
    "mining.capnp": """
        @0xc77d03df6a41b505;
        using Context = import "/mp/proxy.capnp".Context;
        using BlockRef = import "/common.capnp".BlockRef;
        interface Mining {
            isTestChain @0 (context :Context) -> (result :Bool);
            isInitialBlockDownload @1 (context :Context) -> (result :Bool);
            getTip @2 (context :Context) -> (result :BlockRef, hasResult :Bool);
            waitTipChanged @3 (context :Context, currentTip :Data, timeout :Float64) -> (result :BlockRef);
            createNewBlock @4 (options :BlockCreateOptions) -> (result :BlockTemplate);
            checkBlock @5 (block :Data, options :BlockCheckOptions) -> (reason :Text, debug :Text, result :Bool);
        }
        interface BlockTemplate {
            destroy @0 (context :Context) -> ();
            getBlockHeader @1 (context :Context) -> (result :Data);
            getBlock @2 (context :Context) -> (result :Data);
            getTxFees @3 (context :Context) -> (result :List(Int64));
            getTxSigops @4 (context :Context) -> (result :List(Int64));
            getCoinbaseTx @5 (context :Context) -> (result :Data);
            getCoinbaseCommitment @6 (context :Context) -> (result :Data);
            getWitnessCommitmentIndex @7 (context :Context) -> (result :Int32);
            getCoinbaseMerklePath @8 (context :Context) -> (result :List(Data));
            submitSolution @9 (context :Context, version :UInt32, timestamp :UInt32, nonce :UInt32, coinbase :Data)
                -> (result :Bool);
            waitNext @10 (context :Context, options :BlockWaitOptions) -> (result :BlockTemplate);
            interruptWait @11 () -> ();
        }
        struct BlockCreateOptions {
            useMempool @0 :Bool;
            blockReservedWeight @1 :UInt64;
            coinbaseOutputMaxAdditionalSigops @2 :UInt64;
        }
        struct BlockWaitOptions { timeout @0 :Float64; feeThreshold @1 :Int64; }
        struct BlockCheckOptions { checkMerkleRoot @0 :Bool; checkPow @1 :Bool; }
    """,
}


class Miner:
    """A client with one set of schemas: `mining`, and the threads its calls run on."""

    @classmethod
    async def connect(cls, path, schemas, imports):
        """Connects to a socket."""
        self = cls()
        # Of its own, because the ids are the same.
        self.schema = capnp.SchemaParser().load(f"{schemas}/init.capnp", imports=imports)
        self.client = capnp.TwoPartyClient(await capnp.AsyncIoStream.create_unix_connection(path))
        init = self.client.bootstrap().cast_as(self.schema.Init)
        threads = (await init.construct()).threadMap
        # A wait keeps its thread, so that what is called meanwhile needs another.
        self.now, self.wait, self.wait_too = [{"thread": (await threads.makeThread(name)).result}
                                              for name in ("now", "wait", "wait too")]
        self.mining = (await init.makeMining(self.now)).result
        return self

    async def tip(self):
        """Hash and height."""
        tip = (await self.mining.getTip(self.now)).result
        return bytes(tip.hash), tip.height

    async def solve(self, template, coinbase, txid):
        """Completes a template's block with a coinbase."""
        root = txid
        for step in (await template.getCoinbaseMerklePath(self.now)).result:
            root = hash256(root + bytes(step))
        header = bytes((await template.getBlockHeader(self.now)).result)
        equal(header[36:68], bytes(32), "the merkle root depends on the miner's coinbase")
        solved = Header(header[:36] + root + header[68:])
        block = bytes((await template.getBlock(self.now)).result)
        placeholder = coinbase_of(block)
        return solved, solved.data + block[80:].replace(placeholder, coinbase, 1)

    async def submit(self, template, header, coinbase):
        """Hands a solution in."""
        return (await template.submitSolution(self.now, header.version, header.time, header.nonce, coinbase)).result


class Header:
    """A header with proof of work."""

    def __init__(self, data):
        self.version, = struct.unpack_from("<I", data)
        self.time, bits, _ = struct.unpack_from("<III", data, 68)
        target = (bits & 0xffffff) << 8 * ((bits >> 24) - 3)
        self.nonce = 0
        while True:
            self.data = data[:76] + struct.pack("<I", self.nonce)
            self.hash = hash256(self.data)
            if int.from_bytes(self.hash, "little") <= target:
                return
            self.nonce += 1


def coinbase_of(block):
    """The first transaction of a block: one input, few outputs, at most one element of witness."""
    at = 81 if block[80] < 0xfd else 83
    start, segwit = at, block[at + 4] == 0
    at += 4 + 2 * segwit + 1 + 36
    at += 1 + block[at] + 4
    outputs = block[at]
    at += 1
    for _ in range(outputs):
        at += 8
        at += 1 + block[at]
    if segwit:
        at += 1 + 1 + block[at + 1]
    return block[start:at + 4]


def without_witness(coinbase):
    """What is hashed for the id."""
    if coinbase[4] != 0:
        return coinbase
    return coinbase[:4] + coinbase[6:-4 - 34] + coinbase[-4:]


async def coinbase_31(miner, template):
    """The coinbase that today's schema describes by its parts."""
    wanted = (await template.getCoinbaseTx(miner.now)).result
    script = bytes(wanted.scriptSigPrefix) + b"\x02\xaa\xbb"
    outputs = [struct.pack("<q", wanted.blockRewardRemaining) + b"\x01\x51", *map(bytes, wanted.requiredOutputs)]
    witness = bytes(wanted.witness)
    equal(len(witness), 32)
    body = (b"\x01" + bytes(32) + b"\xff" * 4 + compact(len(script)) + script + struct.pack("<I", wanted.sequence)
            + compact(len(outputs)) + b"".join(outputs))
    version, lock_time = struct.pack("<I", wanted.version), struct.pack("<I", wanted.lockTime)
    return version + b"\x00\x01" + body + b"\x01\x20" + witness + lock_time, hash256(version + body + lock_time)


async def coinbase_30(miner, template):
    """The coinbase as the schema of version 30 has it, as a whole."""
    coinbase = bytes((await template.getCoinbaseTx(miner.now)).result)
    commitment = bytes((await template.getCoinbaseCommitment(miner.now)).result)
    equal((await template.getWitnessCommitmentIndex(miner.now)).result, 1)
    check(commitment.startswith(bytes.fromhex("6a24aa21a9ed")) and commitment in coinbase, commitment.hex())
    return coinbase, hash256(without_witness(coinbase))


async def nothing(call):
    """A wait that ends without a result."""
    check(not (await call)._has("result"), "there is a result")


async def refused(call, reason):
    """A call that fails with a reason of the node's."""
    try:
        await call
    except capnp.KjException as error:
        contains(str(error), reason)
    else:
        check(False, f"not refused: {reason}")


async def ends_of_waits(miner, template, forever):
    """Waits that end by themselves and by an interruption."""
    await nothing(template.waitNext(miner.now, {"timeout": 1, "feeThreshold": MAX_MONEY}))
    waiting = template.waitNext(miner.wait, forever)
    await template.interruptWait()
    await nothing(waiting)
    tip = await miner.tip()
    same = (await miner.mining.waitTipChanged(miner.now, tip[0], 1)).result
    equal((bytes(same.hash), same.height), tip)


async def block_of(miner, template, coinbase, other, others, forever):
    """Mines a block; both miners wait for it, in both ways. Returns the block, and the next templates of
    the other and of the miner."""
    old, height = await miner.tip()
    waits = [who.mining.waitTipChanged(who.wait, old, FOREVER) for who in (miner, other)]
    nexts = [others.waitNext(other.wait_too, forever), template.waitNext(miner.wait_too, forever)]
    made, txid = await coinbase(miner, template)
    header, block = await miner.solve(template, made, txid)
    check(not await miner.submit(template, header, b""), "a solution needs a coinbase")
    check(await miner.submit(template, header, made), "the solution is good")
    for wait in waits:
        new = (await wait).result
        equal((bytes(new.hash), new.height), (header.hash, height + 1))
    nexts = [(await wait).result for wait in nexts]
    for who, after in zip((other, miner), nexts):
        equal(bytes((await after.getBlockHeader(who.now)).result)[4:36], header.hash)
    return block, *nexts


async def main(path, schemadir, raw, txid, wtxid):
    """Both miners, on a node with one transaction waiting, given with its ids."""
    raw, txid, wtxid = bytes.fromhex(raw), bytes.fromhex(txid)[::-1], bytes.fromhex(wtxid)[::-1]
    old = pathlib.Path(path).parent / "core30"
    old.mkdir()
    for name, text in CORE_30.items():
        (old / name).write_text(text)
    new = await Miner.connect(path, schemadir, [schemadir])
    old = await Miner.connect(path, old, [schemadir])
    for miner in (new, old):
        check((await miner.mining.isTestChain(miner.now)).result, "regtest is a chain for tests")
        check(not (await miner.mining.isInitialBlockDownload(miner.now)).result, "the node has caught up")
    equal(await new.tip(), await old.tip())

    # What they get from the mempool.
    found = (await new.mining.getTransactionsByTxID(new.now, [txid, bytes(32)])).result
    equal([bytes(one) for one in found], [raw, b""])
    found = (await new.mining.getTransactionsByWitnessID(new.now, [bytes(32), wtxid])).result
    equal([bytes(one) for one in found], [b"", raw])
    usual = {"useMempool": True, "blockReservedWeight": 8000, "coinbaseOutputMaxAdditionalSigops": 400}
    template = (await new.mining.createNewBlock(new.now, {}, cooldown=False)).result
    template_old = (await old.mining.createNewBlock(usual)).result
    for miner, made in ((new, template), (old, template_old)):
        check(raw in bytes((await made.getBlock(miner.now)).result), "the transaction is in the template")
        equal(len((await made.getTxFees(miner.now)).result), 1)
        equal(len((await made.getTxSigops(miner.now)).result), 1)
    equal(list((await template.getTxFees(new.now)).result), list((await template_old.getTxFees(old.now)).result))
    empty = (await new.mining.createNewBlock(new.now, {"useMempool": False}, cooldown=False)).result
    equal(len((await empty.getTxFees(new.now)).result), 0)
    await empty.destroy(new.now)
    low = "block_reserved_weight (0) is lower than minimum safety value of (2000)"
    await refused(new.mining.createNewBlock(new.now, {"blockReservedWeight": 0}, cooldown=False), low)
    # Zero is what a client of version 30 gets that sets nothing.
    await refused(old.mining.createNewBlock({}), low)

    # Waits that end by themselves, and by an interruption.
    forever = {"timeout": FOREVER, "feeThreshold": MAX_MONEY}
    await ends_of_waits(new, template, {})
    await ends_of_waits(old, template_old, forever)
    waiting = new.mining.waitTipChanged(new.wait, (await new.tip())[0])
    await new.mining.interrupt()
    await nothing(waiting)

    # Each finds a block.
    block, next_old, next_new = await block_of(new, template, coinbase_31, old, template_old, forever)
    await template.destroy(new.now)
    check(raw in block, "the transaction is in the block")
    again = await new.mining.submitBlock(new.now, block)
    equal((again.result, again.reason), (False, "duplicate"))
    _, next_new, _ = await block_of(old, next_old, coinbase_30, new, next_new, forever)

    # What is wrong with blocks. Version 30 has no defaults: what it sets is checked.
    both = {"checkMerkleRoot": True, "checkPow": True}
    made, made_id = await coinbase_31(new, next_new)
    header, block = await new.solve(next_new, made, made_id)
    damaged = Header(header.data[:36] + bytes(32) + header.data[68:]).data + block[80:]
    for call in (lambda block: new.mining.checkBlock(new.now, block, {}), lambda block: old.mining.checkBlock(block, both)):
        good, bad = await call(block), await call(damaged)
        equal((good.result, good.reason), (True, ""))
        equal((bad.result, bad.reason), (False, "bad-txnmrklroot"))
    check((await old.mining.checkBlock(damaged, {})).result, "nothing is checked that is not asked for")
    taken = await new.mining.submitBlock(new.now, block)
    equal((taken.result, taken.reason), (True, ""))
    print("tip", header.hash[::-1].hex())


if __name__ == "__main__":
    asyncio.run(capnp.run(main(*sys.argv[1:])))
