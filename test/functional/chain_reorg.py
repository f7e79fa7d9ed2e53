"""Taking blocks back and forth: invalidateblock, reconsiderblock, a longer branch, and the mempool that follows."""

from framework.rpc import fails
from framework.scenario import main
from framework.transaction import anyone_spends, txid
from framework.util import equal


def tips(rpc):
    """Status and branch length by hash."""
    return {tip["hash"]: (tip["status"], tip["branchlen"]) for tip in rpc.getchaintips()}


def run(t):
    node = t.node()
    rpc = node.start().rpc
    hashes = node.mine(105)
    coin = (rpc.getblock(hashes[0])["tx"][0], 0)
    payment = anyone_spends(coin, 50)

    t.step("a payment is mined and taken back into the mempool")
    rpc.sendrawtransaction(payment)
    mined = node.mine(2)
    equal(rpc.getrawmempool(), [])
    rpc.invalidateblock(mined[0])
    node.sync()
    equal((rpc.getblockcount(), rpc.getbestblockhash()), (105, hashes[-1]))
    equal(rpc.getrawmempool(), [txid(payment)])
    equal(tips(rpc), {hashes[-1]: ("active", 0), mined[1]: ("invalid", 2)})
    equal(rpc.getblockheader(mined[1])["confirmations"], -1)

    t.step("a second branch grows past the first")
    # To another script: the same block again would be the one that is marked invalid.
    branch = node.mine(3, "raw(52)")
    equal(rpc.getrawmempool(), [])
    equal(tips(rpc), {branch[-1]: ("active", 0), mined[1]: ("invalid", 2)})

    t.step("the first branch may come back, but is the shorter one")
    rpc.reconsiderblock(mined[0])
    node.sync()
    equal(rpc.getbestblockhash(), branch[-1])
    equal(tips(rpc), {branch[-1]: ("active", 0), mined[1]: ("valid-fork", 2)})

    t.step("without the second branch it is the best again")
    rpc.invalidateblock(branch[0])
    node.sync()
    equal(rpc.getbestblockhash(), mined[1])
    equal(rpc.getblockheader(mined[1])["confirmations"], 1)
    equal(rpc.getrawmempool(), [])

    t.step("the state survives a restart")
    node.restart()
    rpc = node.rpc
    equal(rpc.getbestblockhash(), mined[1])
    equal(tips(rpc)[branch[-1]][0], "invalid")
    rpc.reconsiderblock(branch[0])
    node.sync()
    equal(rpc.getbestblockhash(), branch[-1])

    t.step("a mempool transaction whose coin is gone with a block is dropped")
    child = anyone_spends((txid(payment), 0), "49.9999")
    rpc.sendrawtransaction(child)
    rpc.invalidateblock(rpc.getblockhash(1))
    node.sync()
    equal((rpc.getblockcount(), rpc.getrawmempool()), (0, []))
    rpc.reconsiderblock(hashes[0])
    node.sync()
    equal(rpc.getbestblockhash(), branch[-1])

    t.step("errors")
    fails(-5, "Block not found", rpc.invalidateblock, "00" * 32)
    fails(-5, "Block not found", rpc.reconsiderblock, "00" * 32)
    node.stop()


main(run)
