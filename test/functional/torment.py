"""Wallets under work while processes are killed and stopped and disks are full: nothing that was answered is lost.

TORMENT_SECONDS says how long to go on (default: 60), TORMENT_SEED repeats what an earlier run drew, as far as the order of
threads allows, TORMENT_KINDS names the disturbances (methods of Disturber, with commas between), TORMENT_PEER names a
bitcoind of Bitcoin Core that has to open a copy of the wallet at the end. When something is wrong the directories are kept.
"""

import collections
import os
import random
import shutil
import time

from framework.crypto import master_key
from framework.disk import NAMESPACE, disk, enter_namespace
from framework.scenario import main
from framework.torment.disturber import Disturber
from framework.torment.ledger import Chances, Ledger
from framework.torment.peer import open_with
from framework.torment.verifier import Verifier
from framework.torment.workers import Workers
from framework.util import check


class Run:
    """One run: what it uses, and what has happened so far."""

    def __init__(self, t, seed):
        self.t, self.node, self.begin = t, t.node(), time.monotonic()
        self.chances, self.done = Chances(seed), collections.Counter()
        self.wallets = self.node.directory / "wallets"
        self.small = NAMESPACE in os.environ
        if self.small:
            disk(self.wallets, 96)
        else:
            self.wallets.mkdir()
            print("the system gives no mount namespace: no full disks")
        self.ledger = Ledger(self.wallets, self.chances)

    def prepare(self):
        """Makes the wallets that are always open, and coins."""
        node, (phrase,) = self.node, self.ledger.phrases
        node.start(f"-walletdir={self.wallets}")
        node.rpc.createwallet("w", passphrase=phrase)
        node.rpc.createwallet("watch", disable_private_keys=True)
        wallet = node.wallet("w")
        node.rpc.generatetoaddress(130, wallet.getnewaddress())
        node.sync()
        # Asking for these statistics writes everything to disk first.
        node.rpc.gettxoutsetinfo("none")
        wallet.walletpassphrase(phrase, 60)
        keys = self.ledger.secrets.of_descriptors(wallet.listdescriptors(True))
        self.ledger.secrets.lasting.update({f"key {number} of w": key for number, key in enumerate(keys)})
        wallet.walletlock()
        wallet.close()
        self.ledger.secrets.lasting["master key"], _ = master_key(self.wallets / "w" / "wallet.dat", phrase)

    def go_on(self, seconds):
        """Disturbs and checks for so long."""
        node, ledger = self.node, self.ledger
        only = [kind for kind in os.environ.get("TORMENT_KINDS", "").split(",") if kind]
        arguments = [f"-walletdir={self.wallets}", "-wallet=w", "-wallet=watch"]
        disturber = Disturber(node, self.t.split, self.wallets if self.small else None, arguments, self.chances, only)
        workers, verifier = Workers(node, ledger), Verifier(node, ledger)
        told = self.begin
        while time.monotonic() < self.begin + seconds:
            self.chances.round += 1
            workers.start()
            try:
                self.last = disturber.disturb()
            finally:
                workers.stop()
            self.done[self.last] += 1
            disturber.recover()
            verifier.verify()
            if time.monotonic() > told + 300:
                told = time.monotonic()
                print(f"so far {self.summary()}", flush=True)

    def finish(self):
        """Checks what can be checked once the node has stopped."""
        self.node.stop(stderr=None)
        self.ledger.secrets.search_files(self.node.directory, set())
        if peer := os.environ.get("TORMENT_PEER"):
            open_with(peer, self.node, self.wallets, self.t.directory)

    def keep(self):
        """Keeps what is there for whoever looks for the cause; the small disk goes away with this process."""
        self.t.clean_up()
        if self.small:
            shutil.copytree(self.wallets, self.node.directory / "wallets-as-they-were", symlinks=True)
        self.t.keep = True

    def summary(self):
        """One line of figures."""
        def figures(counter):
            return f"{sum(counter.values())} ({', '.join(f'{count} {kind}' for kind, count in sorted(counter.items()))})"
        minutes = (time.monotonic() - self.begin) / 60
        form = "split" if self.t.split else "monolith"
        return (f"{minutes:.1f} minutes {form}, seed {self.chances.seed}: disturbances {figures(self.done)}; "
                f"acknowledged {figures(self.ledger.acknowledged)}; without an answer {figures(self.ledger.unanswered)}")


def run(t):
    seed = int(os.environ.get("TORMENT_SEED", random.randrange(2**32)))
    print(f"seed {seed}", flush=True)
    torment = Run(t, seed)
    try:
        torment.prepare()
        torment.go_on(float(os.environ.get("TORMENT_SECONDS", "60")))
        torment.finish()
    except BaseException:
        print("\n".join(torment.ledger.recent))
        print(f"round {torment.chances.round}; {torment.summary()}", flush=True)
        torment.keep()
        raise
    check(torment.done, "something was disturbed")
    print(f"{torment.summary()}; lost 0", flush=True)


enter_namespace()
main(run)
