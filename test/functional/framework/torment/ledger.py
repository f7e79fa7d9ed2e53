"""What wallets have answered, and the chances that decide what is asked of them."""

import collections
import itertools
import random
import threading
import time

from .secrets import Secrets


class Chances:
    """Random numbers from one seed: each purpose has its own in each round, whatever the others have drawn."""

    def __init__(self, seed):
        self.seed, self.round = seed, 0

    def of(self, purpose):
        """The random numbers of this round for a purpose."""
        return random.Random(f"{self.seed} {self.round} {purpose}")


class Other:
    """A wallet that is made and encrypted during the run."""

    def __init__(self, phrase):
        self.made = None            # True after an answer, False after a refusal
        self.phrases = {phrase}     # those that it may have; None: not encrypted
        self.keys = set()           # its private keys while they were plain, as they may occur in files and memory
        self.imported = 0           # keys that it was given, and said so
        self.checks = 0


class Ledger:
    """What was answered. Each entry has what may be true: one thing after an answer, several without one."""

    def __init__(self, wallets, chances):
        self.wallets, self.chances = wallets, chances
        self.lock = threading.Lock()
        self._numbers = itertools.count(1)
        self.secrets = Secrets(chances)
        self.phrases = {self.secrets.phrase(self.number())}     # of "w"
        self.payments = {}      # amount in satoshis: txid, None if there was no answer, False if refused
        self.labels = {}        # address of "w": labels that it may have
        self.imported = {}      # descriptor of "watch": whether it was answered
        self.others = {}        # wallet name: Other
        self.locks = set()      # coins of "w" locked for good, as (txid, output)
        self.acknowledged, self.unanswered = collections.Counter(), collections.Counter()
        self.recent = collections.deque(maxlen=100)

    def number(self):
        """A number that no other caller gets."""
        with self.lock:
            return next(self._numbers)

    def new_phrase(self):
        """A passphrase that was never used."""
        return self.secrets.phrase(self.number())

    def note(self, kind, outcome, text):
        """Counts an action and remembers it."""
        with self.lock:
            if outcome != "refused":
                (self.acknowledged if outcome == "done" else self.unanswered)[kind] += 1
            self.recent.append(f"{time.time():.3f} {kind} {outcome} {text}")
