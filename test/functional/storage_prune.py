"""Pruning: by hand and by itself, what is told of it, and what cannot be asked any more."""

import re

from framework.rpc import fails
from framework.scenario import main
from framework.util import check, equal, wait_until


def block_files(node):
    """The numbers of the block files that are there."""
    return [int(file.name[3:8]) for file in sorted((node.chaindir / "blocks").glob("blk*.dat"))]


def run(t):
    node = t.node()

    t.step("what -prune refuses")
    node.refuses_to_start("Error: Prune cannot be configured with a negative value.", "-prune=-1")
    node.refuses_to_start("Error: Prune configured below the minimum of 550 MiB.  Please use a higher number.",
                          "-prune=549")
    node.refuses_to_start("Error: Prune mode is incompatible with -txindex.", "-prune=550", "-txindex")
    node.refuses_to_start("Error: Prune mode is incompatible with -reindex-chainstate. Use full -reindex instead.",
                          "-prune=550", "-reindex-chainstate")

    t.step("a node that keeps everything deletes nothing")
    rpc = node.start("-fastprune").rpc
    hashes = node.mine(100)
    fails(-1, "Cannot prune blocks because node is not in prune mode.", rpc.pruneblockchain, 10)

    t.step("a chain that is too short")
    node.restart("-fastprune", "-prune=1")
    rpc = node.rpc
    # With -fastprune the blocks to keep are still 288.
    fails(-8, "Blockchain is shorter than the attempted prune height.", rpc.pruneblockchain, 101)
    fails(-8, "Negative block height.", rpc.pruneblockchain, -1)

    t.step("by hand")
    hashes += node.mine(500)
    before = block_files(node)
    check(len(before) > 2, before)
    last = rpc.pruneblockchain(300)
    check(0 < last <= 300, last)
    check(block_files(node)[0] > before[0], "the first files are gone")
    info = rpc.getblockchaininfo()
    equal((info["pruned"], info["automatic_pruning"], info["pruneheight"]), (True, False, last + 1))
    check("prune_target_size" not in info, info)
    fails(-1, "Block not available (pruned data)", rpc.getblock, hashes[0])
    fails(-1, "Block not available (pruned data)", rpc.getblockstats, 1)
    equal(rpc.getblockheader(hashes[0])["height"], 1, "headers stay")
    equal(rpc.getblock(rpc.getblockhash(last + 1))["height"], last + 1)
    check(rpc.verifychain(4, 200), "what is left can be verified")

    t.step("never the last 288 blocks")
    rpc.pruneblockchain(600)
    check(rpc.getblockchaininfo()["pruneheight"] <= 600 - 288 + 1, rpc.getblockchaininfo())

    t.step("a pruned directory needs a node that prunes, or a reindex")
    node.stop()
    node.refuses_to_start(re.compile("^Error: .*You need to rebuild the database using -reindex to go back to unpruned "
                                     "mode|^You need to rebuild the database using -reindex", re.S), "-fastprune")

    t.step("by size")
    node.start("-fastprune", "-prune=550")
    info = node.rpc.getblockchaininfo()
    equal((info["automatic_pruning"], info["prune_target_size"]), (True, 550 * 1024 * 1024))
    node.restart("-fastprune", "-prune=1", "-reindex")
    wait_until(lambda: node.rpc.getblockcount() == 0, "the blocks before are gone, so the chain starts again")
    node.stop()


main(run)
