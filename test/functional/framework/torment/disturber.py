"""What happens to programs: they are killed and stopped, started again, and their disk is full."""

import contextlib
import os
import signal
import time

from .. import process
from ..disk import fill
from ..util import check


class Disturber:
    """Disturbs a node, its wallets, or both, in ways that are drawn at random."""

    def __init__(self, node, split, small_disk, arguments, chances, only):
        self.node, self.small_disk, self.arguments, self.chances = node, small_disk, arguments, chances
        self.kinds = [self.kill_node, self.kill_node, self.kill_node_twice, self.restart, self.stop_node]
        if small_disk is not None:
            self.kinds += [self.full_disk, self.kill_node_of_full_disk]
        if split:
            self.kinds += [self.kill_wallet, self.kill_wallet, self.stop_wallet, self.kill_node_of_stopped_wallet,
                           self.kill_wallet_of_stopped_node, self.kill_both]
            if small_disk is not None:
                self.kinds.append(self.kill_wallet_of_full_disk)
        self.kinds = [kind for kind in self.kinds if not only or kind.__name__ in only]
        check(self.kinds, f"no disturbance is called one of {only}")

    def disturb(self):
        """Does something at a moment of its own choice, and returns what."""
        chance = self.chances.of("disturbance")
        kind = chance.choice(self.kinds)
        # The sleeps of this file are the purpose: nothing in the programs is to mark the moment.
        time.sleep(chance.uniform(0.1, 1.2))
        kind(chance)
        return kind.__name__.replace("_", " ")

    def recover(self):
        """Sees to it that a node runs with the wallets that are always open."""
        if self.node.process is None:
            self.node.start(*self.arguments)

    def kill_node(self, _):
        self.node.kill()

    def kill_node_twice(self, chance):
        self.node.kill()
        self.node.spawn(*self.arguments)
        time.sleep(chance.uniform(0, 0.5))
        self.node.kill()

    def restart(self, _):
        self.node.stop(stderr=None)

    @contextlib.contextmanager
    def stopped(self, pid):
        """Stops a process, and has it go on afterwards if it is still there."""
        os.kill(pid, signal.SIGSTOP)
        yield
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    def stop_node(self, chance):
        with self.stopped(self.node.process.pid):
            time.sleep(chance.uniform(0, 0.7))

    def stop_wallet(self, chance):
        with self.stopped(self.node.wallet_pid):
            time.sleep(chance.uniform(0, 0.7))

    def kill_wallet(self, _):
        os.kill(self.node.wallet_pid, signal.SIGKILL)

    def kill_both(self, _):
        os.kill(self.node.wallet_pid, signal.SIGKILL)
        self.node.kill()

    def kill_node_of_stopped_wallet(self, chance):
        pid = self.node.wallet_pid
        with self.stopped(pid):
            time.sleep(chance.uniform(0, 0.2))
            self.node.kill()
            self.recover()
        check(not process.alive(pid), "a wallet process outlived its node")

    def kill_wallet_of_stopped_node(self, chance):
        pid = self.node.wallet_pid
        with self.stopped(self.node.process.pid):
            time.sleep(chance.uniform(0, 0.2))
            os.kill(pid, signal.SIGKILL)
            time.sleep(chance.uniform(0, 0.2))

    @contextlib.contextmanager
    def filled(self, chance):
        """Takes up the disk of the wallets, or all but a little of it, for a while."""
        # What the wallets write meanwhile may take the room first: then the disk is full, too.
        with contextlib.suppress(OSError):
            fill(self.small_disk, chance.choice([0, 4_000, 30_000, 200_000]))
        time.sleep(chance.uniform(0.2, 1))
        yield
        (self.small_disk / "filler").unlink()

    def full_disk(self, chance):
        with self.filled(chance):
            pass

    def kill_node_of_full_disk(self, chance):
        with self.filled(chance):
            self.node.kill()

    def kill_wallet_of_full_disk(self, chance):
        with self.filled(chance):
            os.kill(self.node.wallet_pid, signal.SIGKILL)
            # It may be started, and open its wallets, while there is no room.
            time.sleep(chance.uniform(0, 0.5))
