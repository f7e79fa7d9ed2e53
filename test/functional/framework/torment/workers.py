"""Threads that use wallets, and put down in the ledger what was answered."""

import contextlib
import decimal
import http.client
import sqlite3
import threading

from ..descriptor import wif, with_checksum
from ..rpc import Rpc, RpcError
from ..util import check, equal
from .ledger import Other

FOREIGN = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
COIN = decimal.Decimal(100_000_000)
# Errors that say that the wallet looked at the request and did not carry it out. Others, such as that of a wallet process
# that is gone, say nothing of the kind.
REFUSALS = {-3, -4, -5, -6, -8, -12, -13, -14, -15, -16, -17, -36}
KINDS = ("legacy", "p2sh-segwit", "bech32", "bech32m")


class Interrupted(Exception):
    """The node or its wallets went away, or the worker is to stop."""


def backup_holds(path, txids):
    """Checks that a copy of a wallet file is sound and holds these transactions."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
        equal(file.execute("PRAGMA integrity_check").fetchall(), [("ok",)], str(path))
        found = {key for key, in file.execute("SELECT key FROM main WHERE substr(key, 1, 3) = x'027478'")}
    missing = [txid for txid in txids if b"\2tx" + bytes.fromhex(txid)[::-1] not in found]
    equal(missing, [], f"payments that {path} lacks")


class Workers:
    """Threads that use the wallets until they are stopped."""

    def __init__(self, node, ledger):
        self.node, self.ledger = node, ledger
        self.stopping, self.threads, self.faults = threading.Event(), [], []

    def start(self):
        """Starts the threads, each with random numbers of its own."""
        self.stopping.clear()
        actions = [self.pay, self.pay, self.address, self.label, self.watch, self.lock, self.other, self.phrase, self.mine,
                   self.look]
        self.threads = []
        for number, action in enumerate(actions):
            chance = self.ledger.chances.of(f"worker {number}")
            self.threads.append(threading.Thread(target=self._run, args=(action, chance)))
        for thread in self.threads:
            thread.start()

    def stop(self):
        """Has the threads finish what they are doing, waits for that, and raises what they found wrong."""
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        for fault in self.faults:
            raise fault

    def _run(self, action, chance):
        while not self.stopping.is_set():
            try:
                action(chance)
            except (Interrupted, OSError):
                # The node may be away for a while.
                self.stopping.wait(0.05)
            except Exception as fault:  # pylint: disable=broad-except  # it belongs to the main thread
                self.faults.append(fault)
                return

    def call(self, kind, wallet, method, *args):
        """One call of a wallet, or of the node for `None`: ("done", result), ("refused", error) or ("unknown", error)."""
        # A connection of its own: one that is kept is tried anew when it breaks, and so the call may be made twice.
        try:
            with contextlib.closing(Rpc(self.node.rpc_port, self.node.cookie(), f"/wallet/{wallet}" if wallet else "/")) as rpc:
                result = rpc.call(method, *args)
            outcome = "done"
        except RpcError as error:
            outcome, result = ("refused" if error.code in REFUSALS else "unknown"), error
        except (OSError, http.client.HTTPException, ValueError, AssertionError) as error:
            # An assertion: no JSON came.
            outcome, result = "unknown", error
        self.ledger.note(kind, outcome, f"{method} {str(result)[:100]}")
        return outcome, result

    def wanted(self, *call):
        """A call without which the action cannot go on: its result."""
        outcome, result = self.call(*call)
        if outcome != "done":
            raise Interrupted
        return result

    def pay(self, chance):
        """Pays an amount that no other payment has."""
        amount = chance.choice([100_000, 100_000, 100_000, 60_000_000]) + self.ledger.number()
        self.ledger.payments[amount] = None
        outcome, result = self.call("payment", "w", "sendtoaddress", FOREIGN, decimal.Decimal(amount) / COIN)
        if outcome == "unknown":
            raise Interrupted
        self.ledger.payments[amount] = result if outcome == "done" else False
        if outcome == "refused" and result.code == -13:
            for phrase in sorted(self.ledger.phrases):
                self.call("unlocking", "w", "walletpassphrase", phrase, 600)

    def address(self, chance):
        """Asks for an address with a label."""
        label = f"label {self.ledger.number()}"
        address = self.wanted("address", "w", "getnewaddress", label, chance.choice(KINDS))
        with self.ledger.lock:
            check(address not in self.ledger.labels, f"{address} was handed out twice")
            self.ledger.labels[address] = {label}
        self.stopping.wait(0.02)

    def label(self, chance):
        """Gives an address another label."""
        with self.ledger.lock:
            if not self.ledger.labels:
                return
            address = chance.choice(list(self.ledger.labels))
            before = self.ledger.labels[address]
        label = f"renamed {self.ledger.number()}"
        self.ledger.labels[address] = before | {label}
        outcome, _ = self.call("label", "w", "setlabel", address, label)
        if outcome == "unknown":
            raise Interrupted
        self.ledger.labels[address] = {label} if outcome == "done" else before
        self.stopping.wait(0.02)

    def watch(self, _):
        """Imports a script to watch."""
        script = "0014" + f"{self.ledger.number():040x}"
        descriptor = with_checksum(f"raw({script})")
        self.ledger.imported[descriptor] = False
        result = self.wanted("import", "watch", "importdescriptors", [{"desc": descriptor, "timestamp": "now"}])
        self.ledger.imported[descriptor] = result[0]["success"]
        self.stopping.wait(0.02)

    def lock(self, chance):
        """Locks a coin for good."""
        coins = self.wanted("look", "w", "listunspent", 100)
        if coins:
            coin = chance.choice(coins)
            self.wanted("lock", "w", "lockunspent", False, [{"txid": coin["txid"], "vout": coin["vout"]}], True)
            self.ledger.locks.add((coin["txid"], coin["vout"]))
        self.stopping.wait(0.3)

    def phrase(self, _):
        """Gives the wallet that pays another passphrase."""
        if len(self.ledger.phrases) == 1:
            old, new = *self.ledger.phrases, self.ledger.new_phrase()
            self.ledger.phrases = {old, new}
            outcome, _ = self.call("passphrase", "w", "walletpassphrasechange", old, new)
            if outcome != "unknown":
                self.ledger.phrases = {new if outcome == "done" else old}
        self.stopping.wait(0.5)

    def other(self, chance):
        """Makes a wallet, imports a key, encrypts it, gives it another passphrase, unloads it."""
        name = f"other{self.ledger.number()}"
        first = self.ledger.new_phrase() if chance.random() < 0.3 else None
        other = self.ledger.others[name] = Other(first)
        outcome, _ = self.call("wallet", None, "createwallet", name, False, False, first or "")
        if outcome != "unknown":
            other.made = outcome == "done"
        if not other.made:
            raise Interrupted
        if first is None:
            other.keys = self.ledger.secrets.of_descriptors(self.wanted("look", name, "listdescriptors", True))
            if chance.random() < 0.5:
                key = wif(self.ledger.secrets.key(self.ledger.number()))
                entry = [{"desc": with_checksum(f"wpkh({key})"), "timestamp": "now"}]
                if self.wanted("key", name, "importdescriptors", entry)[0]["success"]:
                    other.imported += 1
        for method, kind in [("encryptwallet", "encryption")] * (first is None) + [("walletpassphrasechange", "passphrase")]:
            old, new = *other.phrases, self.ledger.new_phrase()
            other.phrases = {old, new}
            outcome, _ = self.call(kind, name, method, *([old, new] if old else [new]))
            if outcome == "unknown":
                raise Interrupted
            # An error that came from the wallet means that nothing happened.
            other.phrases = {new if outcome == "done" else old}
            if outcome == "refused":
                break
        self.call("unloading", None, "unloadwallet", name)

    def mine(self, chance):
        """Mines, now and then on a block before the last ones, which may come back."""
        with self.ledger.lock:
            own = chance.choice(list(self.ledger.labels)) if self.ledger.labels else FOREIGN
        if chance.random() < 0.15:
            depth = chance.randint(1, 4)
            height = self.wanted("look", None, "getblockcount")
            first = self.wanted("look", None, "getblockhash", height - depth + 1)
            self.wanted("reorganisation", None, "invalidateblock", first)
            self.wanted("block", None, "generatetoaddress", chance.randint(1, depth + 1), FOREIGN)
            if chance.random() < 0.5:
                self.wanted("reorganisation", None, "reconsiderblock", first)
        self.wanted("block", None, "generatetoaddress", 1, chance.choice([own, FOREIGN]))
        self.stopping.wait(0.05)

    def look(self, chance):
        """Reads what there is, backs up, rescans, locks the keys."""
        kind = chance.choice(["read", "read", "list", "backup", "rescan", "locking"])
        if kind == "read":
            self.wanted("look", "w", chance.choice(["listtransactions", "getbalances", "listunspent"]))
        elif kind == "list":
            self.wanted("look", None, chance.choice(["listwalletdir", "listwallets"]))
        elif kind == "backup":
            target = self.ledger.wallets.parent / "backup.dat"
            before = [txid for txid in list(self.ledger.payments.values()) if txid]
            self.wanted("backup", "w", "backupwallet", str(target))
            backup_holds(target, before)
        elif kind == "rescan":
            self.wanted("rescan", "w", "rescanblockchain", self.wanted("look", None, "getblockcount") // 2)
        elif chance.random() < 0.3:
            self.wanted("locking", "w", "walletlock")
