"""The search for anything that was answered and is not so."""

import collections
import contextlib
import shutil
import tempfile
import time

from ..rpc import RpcError
from ..util import check, equal, wait_until
from .workers import COIN, FOREIGN, backup_holds

# Wallets that were checked are checked again this many rounds later, and removed.
AGAIN = 4
HOUR = 60 * 60


def batch(client, method, parameters):
    """The results of many calls of a method, in their order."""
    results = []
    for start in range(0, len(parameters), 1000):
        calls = [{"jsonrpc": "2.0", "id": number, "method": method, "params": each}
                 for number, each in enumerate(parameters[start:start + 1000])]
        replies = sorted(client.request(calls)[1], key=lambda reply: reply["id"])
        errors = [reply["error"] for reply in replies if reply.get("error")]
        check(not errors and len(replies) == len(calls), f"{method}: {errors[:3]}")
        results += [reply["result"] for reply in replies]
    return results


class Verifier:
    """Checks every invariant while nothing else goes on."""

    def __init__(self, node, ledger):
        self.node, self.ledger = node, ledger
        self.resends = self.scripts = 0

    def verify(self):
        """Checks all of it."""
        node, wallet, watch = self.node, self.node.wallet("w"), self.node.wallet("watch")
        wait_until(lambda: self.answers(wallet) and self.answers(watch), "the wallets are there", 60)
        self.confirm(wallet)
        transactions = wallet.listtransactions("*", 10_000_000)
        self.payments(wallet, transactions)
        self.locks(wallet)
        self.balance(wallet, transactions)
        labels = self.ledger.labels
        for info, (address, allowed) in zip(batch(wallet, "getaddressinfo", [[a] for a in labels]), labels.items()):
            check(info["ismine"], f"{address} is not the wallet's")
            check(info["labels"] and set(info["labels"]) <= allowed, f"{address} has {info['labels']}, may have {allowed}")
        listed = {entry["desc"] for entry in watch.listdescriptors()["descriptors"]}
        for descriptor, answered in self.ledger.imported.items():
            check(not answered or descriptor in listed, f"{descriptor} is not there")
        right = [phrase for phrase in self.ledger.phrases if self.opens(wallet, phrase)]
        equal(len(right), 1, f"passphrases of {self.ledger.phrases} that open the wallet")
        self.ledger.phrases = set(right)
        keys = self.others()
        wallet.walletlock()
        for client in (wallet, watch, node.rpc):
            client.close()
        for name in ("w", "watch"):
            self.sound(name, [txid for txid in self.ledger.payments.values() if txid] if name == "w" else [])
        secrets = self.ledger.secrets
        secrets.search_memory(node.process.pid, keys)
        secrets.search_files(self.ledger.wallets, keys)

    @staticmethod
    def answers(client):
        """Whether a wallet that is always open answers, and follows the chain."""
        try:
            return not any("behind" in warning for warning in client.getwalletinfo().get("warnings", []))
        except RpcError as error:
            check(error.code != -18, f"an open wallet is said not to be there: {error}")
            return False

    def confirm(self, wallet):
        """Mines until every payment can be final, and waits until the wallet has seen that.

        A node that is killed loses blocks that it had not flushed, as Core does, and payments are final only at the height
        that they were made at.
        """
        rpc = self.node.rpc
        pending = {entry["txid"] for entry in wallet.listtransactions("*", 10_000_000) if entry["confirmations"] <= 0}
        times = [int.from_bytes(bytes.fromhex(found["hex"])[-4:], "little")
                 for found in batch(wallet, "gettransaction", [[txid] for txid in pending])]
        missing = max(times, default=0) - rpc.getblockcount()
        rpc.generatetodescriptor(max(missing, 0) + 1, self.nobody())
        # Asking for these statistics writes everything to disk.
        rpc.gettxoutsetinfo("none")
        self.settle(wallet)

    def nobody(self):
        """A script of its own each time: a block like one that was taken back would be refused."""
        self.scripts += 1
        return f"raw(6a04{self.scripts:08x})"

    def settle(self, wallet):
        """Waits until the wallet has the last block."""
        self.node.sync()
        tip = self.node.rpc.getbestblockhash()
        wait_until(lambda: wallet.getwalletinfo()["lastprocessedblock"]["hash"] == tip, "the wallet has the last block", 60)

    def payments(self, wallet, transactions):
        """Each payment that was answered is there, once, and confirmed or in the mempool; none that was refused is there."""
        found, confirmed = collections.defaultdict(set), set()
        for entry in transactions:
            if entry["category"] == "send" and entry["address"] == FOREIGN:
                found[int(-entry["amount"] * COIN)].add(entry["txid"])
                if entry["confirmations"] > 0:
                    confirmed.add(entry["txid"])
        for amount, txid in self.ledger.payments.items():
            check(len(found[amount]) <= 1, f"{amount} was paid {len(found[amount])} times")
            if txid:
                equal(found[amount], {txid}, f"payment of {amount}")
            elif txid is False:
                equal(found[amount], set(), f"payment of {amount}, which was refused")
        waiting = {txid for txid in self.ledger.payments.values() if txid} - confirmed
        if self.homeless(wallet, waiting):
            self.resend(wallet, waiting)

    def homeless(self, wallet, txids):
        """Transactions that are neither confirmed nor in the mempool."""
        mempool = set(self.node.rpc.getrawmempool())
        away = [txid for txid in txids if txid not in mempool]
        return [txid for txid in away if wallet.gettransaction(txid)["confirmations"] <= 0]

    def resend(self, wallet, txids):
        """Has a day and a half go by, after which payments that no mempool took are offered again, without anyone's doing."""
        rpc, now = self.node.rpc, int(time.time())
        self.resends += 1
        rpc.setmocktime(now + HOUR // 10)
        rpc.generateblock(self.nobody(), [])
        self.settle(wallet)
        rpc.setmocktime(now + self.resends * 37 * HOUR)
        wait_until(lambda: not self.homeless(wallet, txids), f"{self.homeless(wallet, txids)} are in the mempool again", 20)
        rpc.setmocktime(0)
        self.confirm(wallet)

    def locks(self, wallet):
        """Coins locked for good are locked, unless they were spent; then unlocks them."""
        locked = {(coin["txid"], coin["vout"]) for coin in wallet.listlockunspent()}
        free = {(coin["txid"], coin["vout"]) for coin in wallet.listunspent(0)}
        equal(self.ledger.locks & free, set(), "coins that were locked and are not")
        if locked:
            wallet.lockunspent(True)
        self.ledger.locks.clear()

    def balance(self, wallet, transactions):
        """The confirmed coins of the wallet are those that the chain has for it."""
        scan = [{"desc": d["desc"], "range": d["range"]} for d in wallet.listdescriptors()["descriptors"]]
        chain = self.node.rpc.scantxoutset("start", scan)
        # Payments recorded but not answered may wait outside of the mempool: their coins are taken in the wallet alone.
        pending = {entry["txid"] for entry in transactions if entry["confirmations"] == 0 and not entry.get("abandoned")}
        spent = {(i["txid"], i.get("vout")) for txid in pending
                 for i in self.node.rpc.decoderawtransaction(wallet.gettransaction(txid)["hex"])["vin"]}
        unspent = {(u["txid"], u["vout"]): u["amount"] for u in chain["unspents"]}
        chain_sum = sum(amount for coin, amount in unspent.items() if coin not in spent)
        listed = wallet.listunspent(1, 9_999_999, [], True, {"include_immature_coinbase": True})
        wallet_sum = sum(coin["amount"] for coin in listed)
        equal(wallet_sum, chain_sum, f"confirmed coins; {len(listed)} in the wallet, {len(unspent)} in the chain")

    def others(self):
        """The wallets that were made are there and encrypted as was answered; no file holds a key that was plain.

        Returns the keys that were plain and of which nothing may be left.
        """
        there, keys = {wallet["name"] for wallet in self.node.rpc.listwalletdir()["wallets"]}, set()
        for name, other in list(self.ledger.others.items()):
            check(not other.made or name in there, f"the wallet {name} is not there")
            check(other.made is not False or name not in there, f"the wallet {name} is there, although creating it failed")
            keys |= other.keys
            other.checks += 1
            encrypted = name in there
            if name in there and other.checks in (1, AGAIN):
                encrypted = self.other(name, other)
            # One that was never encrypted has its keys in the clear.
            if not encrypted or other.checks == AGAIN:
                self.ledger.others.pop(name)
                shutil.rmtree(self.ledger.wallets / name, ignore_errors=True)
        return keys

    def other(self, name, other):
        """Checks a wallet and unloads it. Returns whether it is encrypted."""
        if name not in self.node.rpc.listwallets():
            self.node.rpc.loadwallet(name)
        wallet = self.node.wallet(name)
        with contextlib.closing(wallet):
            encrypted = "unlocked_until" in wallet.getwalletinfo()
            phrases = other.phrases - {None}
            check(phrases if encrypted else None in other.phrases, f"{name}: encrypted {encrypted}, {other.phrases}")
            if encrypted:
                right = {phrase for phrase in phrases if self.opens(wallet, phrase)}
                equal(len(right), 1, f"{name} opens with {right} of {phrases}")
                other.phrases = right
            single = [entry for entry in wallet.listdescriptors()["descriptors"] if entry["desc"].startswith("wpkh(0")]
            check(len(single) >= other.imported, f"{name} has {len(single)} of {other.imported} imported keys")
        self.node.rpc.unloadwallet(name)
        self.sound(name, [])
        return encrypted

    def sound(self, name, txids):
        """Checks the structure of a wallet's file, in a copy: it may be open."""
        with tempfile.TemporaryDirectory(dir=self.ledger.wallets.parent) as directory:
            copy = shutil.copytree(self.ledger.wallets / name, f"{directory}/copy") + "/wallet.dat"
            backup_holds(copy, txids)

    @staticmethod
    def opens(wallet, phrase):
        """Whether a passphrase is the right one."""
        try:
            wallet.walletpassphrase(phrase, 1)
        except RpcError as error:
            equal(error.code, -14, str(error))
            return False
        return True

