"""Bitcoin Core's own opinion of a wallet."""

import contextlib
import shutil
import subprocess

from ..rpc import Rpc, RpcError
from ..util import check, equal, wait_until


def open_with(program, node, wallets, directory):
    """Checks that Bitcoin Core opens a copy of data directory and wallet, and finds the same payments and the same balance."""

    def account(rpc):
        mine = rpc.getbalances()["mine"]
        entries = rpc.listtransactions("*", 10_000_000)
        return ({kind: mine[kind] for kind in ("trusted", "untrusted_pending", "immature")},
                sorted((entry["txid"], entry["category"], entry["amount"], entry["confirmations"]) for entry in entries))

    node.start(f"-walletdir={wallets}", "-wallet=w")
    ours = account(node.wallet("w"))
    node.stop(stderr=None)
    copy = directory / "core"
    shutil.copytree(node.datadir, copy)
    shutil.copytree(wallets, copy / "wallets")
    done = subprocess.Popen([program, f"-datadir={copy}", f"-walletdir={copy / 'wallets'}", "-wallet=w"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def theirs():
            check(done.poll() is None, "Bitcoin Core ended")
            with contextlib.suppress(OSError, RpcError, AssertionError):
                return account(Rpc(node.rpc_port, (copy / node.chain / ".cookie").read_text(), "/wallet/w"))
            return None
        there = wait_until(theirs, "Bitcoin Core opens the wallet", 120)
        equal(there[0], ours[0], "balances in Bitcoin Core and here")
        equal(sorted(set(there[1]) ^ set(ours[1])), [], "entries that only one of Bitcoin Core and this has")
    finally:
        done.terminate()
        done.wait()
