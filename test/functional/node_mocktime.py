"""setmocktime: what follows it, and what it refuses."""

import re
import time

from framework.rpc import fails
from framework.scenario import main
from framework.util import check, equal

START = 1_900_000_000


def run(t):
    node = t.node()
    rpc = node.start().rpc

    t.step("blocks are made at the mocked time")
    rpc.setmocktime(START)
    first = rpc.getblockheader(node.mine(1)[0])["time"]
    equal(first, START)
    rpc.setmocktime(START + 1000)
    equal(rpc.getblockheader(node.mine(1)[0])["time"], START + 1000)

    t.step("never before the median of the chain")
    rpc.setmocktime(START - 5000)
    node.mine(1)
    tip = rpc.getblockheader(rpc.getbestblockhash())
    check(tip["time"] > START, "a block older than the median")

    t.step("0 returns to the clock")
    rpc.setmocktime(0)
    check(0 <= rpc.uptime() < 300, "uptime follows the clock")
    # By the clock the chain's median is years ahead, so no block can follow: older ones are invalid, newer ones too.
    check(time.time() < START, "the test's time has come")
    fails(-1, re.compile("^TestBlockValidity failed: time-too-new"), rpc.generatetodescriptor, 1, "raw(51)")

    t.step("-mocktime does the same from the start")
    node.restart(f"-mocktime={START + 7}")
    equal(node.rpc.getblockheader(node.mine(1)[0])["time"] >= START + 7, True)

    t.step("refused")
    limit = 0xffffffff
    fails(-8, f"Mocktime must be in the range [0, {limit}], not -1.", node.rpc.setmocktime, -1)
    fails(-8, f"Mocktime must be in the range [0, {limit}], not {limit + 1}.", node.rpc.setmocktime, limit + 1)
    node.stop()


main(run)
