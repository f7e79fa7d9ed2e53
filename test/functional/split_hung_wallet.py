"""A wallet process that is stopped and does nothing: the node ends it, goes on with another, and can itself be stopped."""

import os
import signal
import time

from framework import process
from framework.rpc import RpcError
from framework.scenario import main
from framework.util import check, equal, wait_until

LIMIT = 120  # seconds until it is noticed, and more
PATIENCE = 10  # seconds that a container's end takes before it is a kill


def run(t):
    t.skip_unless_split()
    node = t.node()
    node.start()
    node.rpc.createwallet("w", load_on_startup=True)
    address = node.wallet("w").getnewaddress()
    node.rpc.generatetoaddress(1, address)

    t.step("a stopped wallet process holds up the chain for a while, and is replaced")
    pid = node.wallet_pid
    os.kill(pid, signal.SIGSTOP)
    with node.logs(f"the wallet process {pid} does not answer; it is killed", timeout=LIMIT):
        # More events than wait for a subscriber: this call ends only when the process has been.
        node.rpc.generatetodescriptor(99, "raw(51)")
        equal(node.rpc.getblockcount(), 100)
        node.mine(1)

    def balance():
        try:
            return node.wallet("w").getbalance()
        except RpcError as error:
            equal(error.code, -9)
            return None

    wait_until(lambda: balance() == 50, "the wallet has followed", timeout=LIMIT)
    check(not process.alive(pid), "the stopped process is gone")

    t.step("a node stops although its wallet process does nothing")
    pid = node.wallet_pid
    os.kill(pid, signal.SIGSTOP)
    start = time.monotonic()
    node.rpc.stop()
    node.timeout = LIMIT
    node.wait_exit()
    took = time.monotonic() - start
    check(took < PATIENCE, f"the end took {took} s")
    check(not process.alive(pid), "the stopped process is gone")
    node.start()
    equal(node.wallet("w").getbalance(), 50)
    node.stop()


main(run)
