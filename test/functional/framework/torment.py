"""What torment.py consists of: a ledger of what wallets have answered, threads that use them, disturbances, and the search for
anything that was lost.
"""

import collections
import contextlib
import decimal
import http.client
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

from . import process
from .descriptor import secret_key, with_checksum
from .disk import fill
from .memory import all_copies
from .rpc import Rpc, RpcError
from .util import check, equal, wait_until

FOREIGN = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
COIN = decimal.Decimal(100_000_000)
# Errors that say that the wallet looked at the request and did not carry it out. Others, such as that of a wallet process
# that is gone, say nothing of the kind.
REFUSALS = {-3, -4, -5, -6, -8, -12, -13, -14, -15, -16, -17, -36}


class Ledger:
    """What was answered. Each entry has what may be true: one thing after an answer, several without one."""

    def __init__(self, wallets):
        self.wallets = wallets
        self.phrase = "torment-71c0a9-phrase"
        self.lock = threading.Lock()
        self.numbers = iter(range(1, 1 << 30))
        self.payments = {}      # amount in satoshis: txid, None if there was no answer, False if refused
        self.labels = {}        # address of "w": labels that it may have
        self.imported = {}      # descriptor of "watch": whether it was answered
        self.others = {}        # wallet name: passphrases it may have (None: not encrypted)
        self.keys = {}          # wallet name: its private keys while they were plain
        self.acknowledged, self.unanswered = collections.Counter(), collections.Counter()
        self.recent = collections.deque(maxlen=60)

    def number(self):
        """A number that no other caller gets."""
        with self.lock:
            return next(self.numbers)

    def note(self, kind, outcome, text):
        """Counts an action and remembers it."""
        with self.lock:
            (self.acknowledged if outcome == "done" else self.unanswered if outcome == "unknown"
             else collections.Counter())[kind] += 1
            self.recent.append(f"{time.time():.3f} {kind} {outcome} {text}")


class Interrupted(Exception):
    """The node or its wallets went away, or the worker is to stop."""


class Workers:
    """Threads that use the wallets until they are stopped."""

    def __init__(self, node, ledger, chance):
        self.node, self.ledger, self.seeds = node, ledger, chance
        self.stopping, self.threads = threading.Event(), []

    def start(self):
        """Starts the threads, each with chances of its own."""
        self.stopping.clear()
        actions = [self.pay, self.pay, self.address, self.label, self.watch, self.encrypt, self.mine, self.look]
        self.threads = [threading.Thread(target=self._run, args=(action, self.seeds.randrange(2**32))) for action in actions]
        for thread in self.threads:
            thread.start()

    def stop(self):
        """Has the threads finish what they are doing, and waits for that."""
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def _run(self, action, seed):
        import random  # pylint: disable=import-outside-toplevel
        chance = random.Random(seed)
        while not self.stopping.is_set():
            with contextlib.suppress(Interrupted, OSError):
                rpc = Rpc(self.node.rpc_port, self.node.cookie(), timeout=60)
                try:
                    while not self.stopping.is_set():
                        action(rpc, chance)
                finally:
                    rpc.close()
            # The node may be away for a while.
            self.stopping.wait(0.05)

    def call(self, kind, rpc, method, *args, **named):
        """One call: ("done", result), ("refused", error) or ("unknown", error)."""
        try:
            result = rpc.call(method, *args, **named)
        except RpcError as error:
            outcome, result = ("refused" if error.code in REFUSALS else "unknown"), error
        except (OSError, http.client.HTTPException, ValueError) as error:
            outcome, result = "unknown", error
        except AssertionError as error:  # no JSON came
            outcome, result = "unknown", error
        else:
            outcome = "done"
        self.ledger.note(kind, outcome, f"{method} {str(result)[:100]}")
        return outcome, result

    def pay(self, rpc, _):
        """Pays an amount that no other payment has."""
        wallet, amount = rpc.on("/wallet/w"), 100_000 + self.ledger.number()
        with contextlib.closing(wallet):
            self.ledger.payments[amount] = None
            outcome, result = self.call("payment", wallet, "sendtoaddress", FOREIGN, decimal.Decimal(amount) / COIN)
            if outcome == "done":
                self.ledger.payments[amount] = result
            elif outcome == "refused":
                self.ledger.payments[amount] = False
                if result.code == -13:
                    self.call("unlock", wallet, "walletpassphrase", self.ledger.phrase, 600)
            else:
                raise Interrupted

    def address(self, rpc, chance):
        """Asks for an address with a label."""
        label, kind = f"label {self.ledger.number()}", chance.choice(["legacy", "p2sh-segwit", "bech32", "bech32m"])
        with contextlib.closing(rpc.on("/wallet/w")) as wallet:
            outcome, result = self.call("address", wallet, "getnewaddress", label, kind)
        if outcome == "done":
            with self.ledger.lock:
                check(result not in self.ledger.labels, f"{result} was handed out twice")
                self.ledger.labels[result] = {label}
        elif outcome == "unknown":
            raise Interrupted

    def label(self, rpc, chance):
        """Gives an address another label."""
        with self.ledger.lock:
            if not self.ledger.labels:
                return
            address = chance.choice(sorted(self.ledger.labels))
            label = f"renamed {next(self.ledger.numbers)}"
            before = self.ledger.labels[address]
            self.ledger.labels[address] = before | {label}
        with contextlib.closing(rpc.on("/wallet/w")) as wallet:
            outcome, _ = self.call("label", wallet, "setlabel", address, label)
        if outcome == "unknown":
            raise Interrupted
        self.ledger.labels[address] = {label} if outcome == "done" else before

    def watch(self, rpc, _):
        """Imports a script to watch."""
        script = "0014" + f"{self.ledger.number():040x}"
        descriptor = with_checksum(f"raw({script})")
        self.ledger.imported[descriptor] = False
        with contextlib.closing(rpc.on("/wallet/watch")) as wallet:
            outcome, result = self.call("import", wallet, "importdescriptors", [{"desc": descriptor, "timestamp": "now"}])
        if outcome == "done":
            self.ledger.imported[descriptor] = result[0]["success"]
        elif outcome == "unknown":
            raise Interrupted

    def encrypt(self, rpc, _):
        """Makes a wallet, encrypts it, gives it another passphrase."""
        name = f"other{self.ledger.number()}"
        outcome, _ = self.call("creation", rpc, "createwallet", name)
        if outcome != "done":
            raise Interrupted
        self.ledger.others[name] = {None}
        with contextlib.closing(rpc.on(f"/wallet/{name}")) as wallet:
            outcome, result = self.call("keys", wallet, "listdescriptors", True)
            if outcome != "done":
                raise Interrupted
            texts = {d["desc"].split("tprv")[1].split("/")[0] for d in result["descriptors"]}
            self.ledger.keys[name] = {secret_key("tprv" + text) for text in texts} | {f"tprv{t}".encode() for t in texts}
            phrase = None
            for step in ("encryptwallet", "walletpassphrasechange"):
                new = f"torment-{self.ledger.number()}-secret"
                self.ledger.others[name] = {phrase, new}
                arguments = [new] if phrase is None else [phrase, new]
                outcome, _ = self.call(step, wallet, step, *arguments)
                # An error that came from the wallet means that nothing happened.
                if outcome == "unknown":
                    raise Interrupted
                if outcome == "refused":
                    self.ledger.others[name] = {phrase}
                    return
                phrase = new
                self.ledger.others[name] = {phrase}
        self.call("unloading", rpc, "unloadwallet", name)

    def mine(self, rpc, chance):
        """Mines, now and then on a block before the last."""
        with self.ledger.lock:
            own = chance.choice(sorted(self.ledger.labels)) if self.ledger.labels else FOREIGN
        if chance.random() < 0.15:
            outcome, tip = self.call("tip", rpc, "getbestblockhash")
            if outcome == "done":
                self.call("reorganisation", rpc, "invalidateblock", tip)
                self.call("block", rpc, "generatetoaddress", 2, FOREIGN)
        outcome, _ = self.call("block", rpc, "generatetoaddress", 1, chance.choice([own, FOREIGN]))
        if outcome == "unknown":
            raise Interrupted
        self.stopping.wait(0.05)

    def look(self, rpc, chance):
        """Reads what there is, backs up, rescans."""
        with contextlib.closing(rpc.on("/wallet/w")) as wallet:
            method = chance.choice(["listtransactions", "getbalances", "listunspent", "backup", "rescanblockchain"])
            if method == "backup":
                target = self.ledger.wallets.parent / "backup.dat"
                outcome, _ = self.call("backup", wallet, "backupwallet", str(target))
                if outcome == "done":
                    sound(target)
            elif method == "rescanblockchain":
                outcome, _ = self.call("rescan", wallet, method, 100)
            else:
                outcome, _ = self.call("look", wallet, method)
        if outcome == "unknown":
            raise Interrupted


def sound(path):
    """Checks the structure of a wallet file that nobody has open."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
        equal(file.execute("PRAGMA integrity_check").fetchall(), [("ok",)], str(path))


class Disturber:
    """Does what happens to programs."""

    def __init__(self, node, split, small_disk, arguments, chance):
        self.node, self.small_disk, self.arguments, self.chance = node, small_disk, arguments, chance
        self.kinds = [self.kill_node, self.kill_node_twice, self.restart]
        if small_disk is not None:
            self.kinds.append(self.full_disk)
        if split:
            self.kinds += [self.kill_wallet, self.kill_wallet, self.stop_wallet, self.kill_node_of_stopped_wallet, self.kill_both]
        wanted = [kind for kind in os.environ.get("TORMENT_KINDS", "").split(",") if kind]
        self.kinds = [kind for kind in self.kinds if not wanted or kind.__name__ in wanted]

    def disturb(self):
        """Does something, and returns what."""
        kind = self.chance.choice(self.kinds)
        kind()
        return kind.__name__.replace("_", " ")

    def recover(self):
        """Sees to it that a node runs with the wallets that are always open."""
        if self.node.process is None:
            self.node.start(*self.arguments)

    def kill_node(self):
        self.node.kill()

    def kill_node_twice(self):
        self.node.kill()
        self.node.spawn(*self.arguments)
        time.sleep(self.chance.uniform(0, 0.5))
        self.node.kill()

    def restart(self):
        self.node.stop(stderr=None)

    def full_disk(self):
        left = self.chance.choice([0, 4_000, 30_000, 200_000])
        # What the wallets write meanwhile may take the room first: then the disk is full, too.
        with contextlib.suppress(OSError):
            fill(self.small_disk, left)
        time.sleep(self.chance.uniform(0.2, 1))
        (self.small_disk / "filler").unlink()

    def kill_wallet(self):
        os.kill(self.node.wallet_pid, signal.SIGKILL)

    def stop_wallet(self):
        pid = self.node.wallet_pid
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(self.chance.uniform(0, 0.7))
            os.kill(pid, signal.SIGCONT)

    def kill_node_of_stopped_wallet(self):
        pid = self.node.wallet_pid
        os.kill(pid, signal.SIGSTOP)
        time.sleep(self.chance.uniform(0, 0.2))
        self.node.kill()
        self.recover()
        check(not process.alive(pid), "a wallet process outlived its node")

    def kill_both(self):
        os.kill(self.node.wallet_pid, signal.SIGKILL)
        self.node.kill()


class Verifier:
    """Looks for anything that was answered and is not so."""

    def __init__(self, node, ledger):
        self.node, self.ledger = node, ledger

    def verify(self, chance):
        """Checks every invariant while nothing else goes on."""
        wallet = self.node.wallet("w")

        def answers(client):
            try:
                return client.getwalletinfo()
            except RpcError as error:
                check(error.code != -18, f"an open wallet is said not to be there: {error}")
                return None

        wait_until(lambda: answers(wallet) and answers(self.node.wallet("watch")), "the wallets are there", 60)
        # A node that is killed loses blocks that it had not flushed, as Core does, and payments are final only at the
        # height that they were made at.
        pending = {entry["txid"] for entry in wallet.listtransactions("*", 1_000_000) if entry["confirmations"] <= 0}
        times = [int.from_bytes(bytes.fromhex(wallet.gettransaction(txid)["hex"])[-4:], "little") for txid in pending]
        missing = max(times, default=0) - self.node.rpc.getblockcount()
        self.node.rpc.generatetodescriptor(max(missing, 0) + 1, "raw(51)")
        self.node.rpc.gettxoutsetinfo("none")
        self.node.sync()
        tip = self.node.rpc.getbestblockhash()
        wait_until(lambda: wallet.getwalletinfo()["lastprocessedblock"]["hash"] == tip, "the wallet has the last block", 60)
        self.payments(wallet)
        self.balance(wallet)
        labels = self.ledger.labels
        for address in chance.sample(sorted(labels), min(40, len(labels))):
            info = wallet.getaddressinfo(address)
            check(info["ismine"], f"{address} is not the wallet's")
            check(info["labels"] and set(info["labels"]) <= labels[address], f"{address} has {info['labels']}, may have {labels[address]}")
        listed = {d["desc"] for d in self.node.wallet("watch").listdescriptors()["descriptors"]}
        for descriptor, answered in self.ledger.imported.items():
            check(not answered or descriptor in listed, f"{descriptor} is not there")
        self.others(chance)
        wallet.walletlock()
        for client in (wallet, self.node.rpc):
            client.close()
        wait_until(lambda: not all_copies(self.node.process.pid, {"passphrase": self.ledger.phrase.encode()}),
                   "no process has the passphrase of a locked wallet", 10)

    def payments(self, wallet):
        """Each payment that was answered is there, once; none that was refused is."""
        found = collections.defaultdict(set)
        for entry in wallet.listtransactions("*", 1_000_000):
            if entry["category"] == "send" and entry["address"] == FOREIGN:
                found[int(-entry["amount"] * COIN)].add(entry["txid"])
        for amount, txid in self.ledger.payments.items():
            check(len(found[amount]) <= 1, f"{amount} was paid {len(found[amount])} times")
            if txid:
                equal(found[amount], {txid}, f"payment of {amount}")
            elif txid is False:
                equal(found[amount], set(), f"payment of {amount}, which was refused")
        last = sorted((amount for amount, txid in self.ledger.payments.items() if txid), reverse=True)[:50]
        txids = [self.ledger.payments[amount] for amount in last]
        if self.homeless(wallet, txids):
            # One that could not enter the mempool is offered again when the wallet is opened.
            self.node.rpc.unloadwallet("w")
            self.node.rpc.loadwallet("w")
            equal(self.homeless(wallet, txids), [], "payments neither confirmed nor in the mempool")

    def homeless(self, wallet, txids):
        """Transactions that are neither confirmed nor in the mempool."""
        mempool = set(self.node.rpc.getrawmempool())
        return [txid for txid in txids if txid not in mempool and wallet.gettransaction(txid)["confirmations"] <= 0]

    def balance(self, wallet):
        """The confirmed coins of the wallet are those that the chain has for it."""
        scan = [{"desc": d["desc"], "range": d["range"]} for d in wallet.listdescriptors()["descriptors"]]
        chain = self.node.rpc.scantxoutset("start", scan)
        # Payments recorded but not answered may wait outside of the mempool: their coins are taken in the wallet alone.
        pending = {entry["txid"] for entry in wallet.listtransactions("*", 1_000_000)
                   if entry["confirmations"] == 0 and not entry.get("abandoned")}
        spent = {(i["txid"], i.get("vout")) for txid in pending
                 for i in self.node.rpc.decoderawtransaction(wallet.gettransaction(txid)["hex"])["vin"]}
        unspent = {(u["txid"], u["vout"]): u["amount"] for u in chain["unspents"]}
        chain_sum = sum(amount for coin, amount in unspent.items() if coin not in spent)
        listed = wallet.listunspent(1, 9_999_999, [], True, {"include_immature_coinbase": True})
        wallet_sum = sum(coin["amount"] for coin in listed)
        equal(wallet_sum, chain_sum, f"confirmed coins; {len(listed)} in the wallet, {len(unspent)} in the chain")

    def others(self, chance):
        """The wallets that were made are there and encrypted as was answered; no file holds a key that was plain."""
        there = {wallet["name"] for wallet in self.node.rpc.listwalletdir()["wallets"]}
        names = [name for name in self.ledger.others if not self.ledger.others[name] == {"checked"}]
        for name in chance.sample(names, min(10, len(names))):
            check(name in there, f"the wallet {name} is not there")
            if name not in self.node.rpc.listwallets():
                self.node.rpc.loadwallet(name)
            wallet, phrases = self.node.wallet(name), self.ledger.others[name]
            encrypted = "unlocked_until" in wallet.getwalletinfo()
            check((not encrypted and None in phrases) or (encrypted and phrases - {None}), f"{name}: encrypted {encrypted}, {phrases}")
            if encrypted:
                check(any(self.opens(wallet, phrase) for phrase in phrases if phrase), f"{name} opens with none of {phrases}")
                for path in (self.ledger.wallets / name).iterdir():
                    data = path.read_bytes()
                    check(not any(key in data for key in self.ledger.keys[name]), f"{path} holds a plain key")
            wallet.close()
            self.node.rpc.unloadwallet(name)
            sound(self.ledger.wallets / name / "wallet.dat")
            self.ledger.others.pop(name)
            shutil.rmtree(self.ledger.wallets / name)

    @staticmethod
    def opens(wallet, phrase):
        """Whether a passphrase is the right one."""
        try:
            wallet.walletpassphrase(phrase, 1)
        except RpcError as error:
            equal(error.code, -14, str(error))
            return False
        return True

    def files(self):
        """Every wallet file is sound once the node has stopped."""
        for path in self.ledger.wallets.glob("*/wallet.dat"):
            sound(path)

    def peer(self, t, program):
        """Bitcoin Core opens a copy of data directory and wallet, and finds the same balance."""
        node = self.node
        node.start(f"-walletdir={self.ledger.wallets}", "-wallet=w")
        ours = node.wallet("w").getbalances()["mine"]
        node.stop(stderr=None)
        copy = t.directory / "core"
        shutil.copytree(node.datadir, copy)
        shutil.copytree(self.ledger.wallets, copy / "wallets")
        done = subprocess.Popen([program, f"-datadir={copy}", f"-walletdir={copy / 'wallets'}", "-wallet=w"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            def ready():
                check(done.poll() is None, "Bitcoin Core ended")
                with contextlib.suppress(OSError, RpcError, AssertionError):
                    rpc = Rpc(node.rpc_port, (copy / node.chain / ".cookie").read_text(), "/wallet/w")
                    return rpc.getbalances()["mine"]
                return None
            theirs = wait_until(ready, "Bitcoin Core opens the wallet", 60)
            equal({k: theirs[k] for k in ("trusted", "untrusted_pending", "immature")},
                  {k: ours[k] for k in ("trusted", "untrusted_pending", "immature")}, json.dumps(theirs, default=str))
        finally:
            done.terminate()
            done.wait()
