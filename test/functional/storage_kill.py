"""A node that is killed at random moments, again and again: its chain reopens, and nothing it had written is lost.

STORAGE_KILL_SECONDS says how long to go on (default: 60).
"""

import http.client
import os
import random
import threading
import time

from framework.rpc import RpcError
from framework.scenario import main
from framework.util import check, equal


def run(t):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    node = t.node()
    node.start()
    hashes = [node.rpc.getblockhash(0)] + node.mine(101)
    end = time.monotonic() + float(os.environ.get("STORAGE_KILL_SECONDS", "60"))
    rounds = 0
    while time.monotonic() < end:
        rounds += 1
        # Asking for these statistics writes everything to disk first: from here on it must not be lost.
        written = node.rpc.gettxoutsetinfo("none")
        equal(hashes[written["height"]], written["bestblock"])

        def work(rpc):
            try:
                while True:
                    hashes.extend(rpc.generatetodescriptor(chance.randint(1, 5), "raw(51)"))
                    if chance.random() < 0.3:
                        rpc.gettxoutsetinfo("none")
                    if chance.random() < 0.1:
                        lost = rpc.getbestblockhash()
                        rpc.invalidateblock(lost)
                        rpc.reconsiderblock(lost)
            except (OSError, http.client.HTTPException, RpcError, ValueError):
                pass  # the node is gone

        worker = threading.Thread(target=work, args=(node.new_rpc(),))
        worker.start()
        # The only sleeps of the suite: the moment is to be one that nothing in the node marks.
        time.sleep(chance.uniform(0, 0.4))
        node.kill()
        worker.join()
        # Half of the times it is killed once more while it starts.
        if chance.random() < 0.5:
            node.spawn()
            time.sleep(chance.uniform(0, 0.3))
            node.kill()
        node.start("-checkblocks=50", "-checklevel=4")
        height = node.rpc.getblockcount()
        check(height >= written["height"], f"round {rounds}: {height} of {written['height']} blocks that were written")
        equal(node.rpc.getblockhash(written["height"]), written["bestblock"])
        hashes = [node.rpc.getblockhash(at) for at in range(height + 1)] if rounds % 20 == 0 else \
            hashes[:written["height"] + 1] + [node.rpc.getblockhash(at)
                                              for at in range(written["height"] + 1, height + 1)]
    t.step(f"{rounds} times killed, {node.rpc.getblockcount()} blocks")
    check(node.rpc.verifychain(4, 0), "all of it is valid")
    node.stop()


main(run)
