"""Wallets under work while processes are killed and stopped and disks are full, again and again: nothing that was answered is lost.

TORMENT_SECONDS says how long to go on (default: 60), TORMENT_SEED repeats the moments of an earlier run as far as chance
allows, TORMENT_KINDS names the disturbances (methods of Disturber, with commas between), TORMENT_PEER names a bitcoind of Bitcoin Core that has to open a copy of the wallet at the end.
"""

import collections
import os
import random
import time

from framework.disk import NAMESPACE, disk, enter_namespace
from framework.scenario import main
from framework.torment import Disturber, Ledger, Verifier, Workers
from framework.util import equal


def run(t):
    seed = int(os.environ.get("TORMENT_SEED", random.randrange(2**32)))
    print(f"seed {seed}", flush=True)
    chance = random.Random(seed)
    node = t.node()
    wallets = node.directory / "wallets"
    small = NAMESPACE in os.environ
    if small:
        disk(wallets, 64)
    else:
        wallets.mkdir()
        print("the system gives no mount namespace: no full disks")
    arguments = [f"-walletdir={wallets}", "-wallet=w", "-wallet=watch"]
    node.start(f"-walletdir={wallets}")
    ledger = Ledger(wallets)
    node.rpc.createwallet("w", passphrase=ledger.phrase)
    node.rpc.createwallet("watch", disable_private_keys=True)
    node.rpc.generatetoaddress(130, node.wallet("w").getnewaddress())
    node.sync()
    # Asking for these statistics writes everything to disk first.
    node.rpc.gettxoutsetinfo("none")
    workers, verifier = Workers(node, ledger, chance), Verifier(node, ledger)
    disturber = Disturber(node, t.split, wallets if small else None, arguments, chance)
    end = time.monotonic() + float(os.environ.get("TORMENT_SECONDS", "60"))
    done = collections.Counter()
    while time.monotonic() < end:
        workers.start()
        # Two of the sleeps of the suite: nothing in the programs is to mark the moment.
        time.sleep(chance.uniform(0.1, 1.2))
        try:
            kind = disturber.disturb()
        finally:
            workers.stop()
        disturber.recover()
        done[kind] += 1
        try:
            verifier.verify(chance)
        except BaseException:
            print(f"after {sum(done.values())} disturbances, the last one {kind}; seed {seed}")
            print("\n".join(ledger.recent))
            raise
    node.stop(stderr=None)
    verifier.files()
    print(f"disturbances: {dict(done)}")
    print(f"acknowledged: {dict(ledger.acknowledged)}; without an answer: {dict(ledger.unanswered)}; lost: 0", flush=True)
    equal(sum(done.values()) > 0, True)
    if peer := os.environ.get("TORMENT_PEER"):
        verifier.peer(t, peer)


enter_namespace()
main(run)
