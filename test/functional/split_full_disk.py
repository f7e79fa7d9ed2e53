"""A wallet process that dies while the disk of its wallets is full: its wallets open again by themselves once there is room."""

import os
import signal

from framework.disk import disk, enter_namespace, fill, needed
from framework.rpc import RpcError, fails
from framework.scenario import main
from framework.util import check, equal, wait_until


def run(t):
    t.skip_unless_split()
    needed(t)
    node = t.node()
    wallets = node.directory / "wallets"
    disk(wallets, 6)
    node.start(f"-walletdir={wallets}")
    for name in ("w", "other", "unwanted"):
        node.rpc.createwallet(name)
    address = node.wallet("w").getnewaddress()
    node.mine(3)

    t.step("the process dies, and its wallets cannot be opened")
    filler = fill(wallets, 0)
    os.kill(node.wallet_pid, signal.SIGKILL)
    node.mine()

    def reason():
        try:
            return node.wallet("w").getbalances() and None
        except RpcError as error:
            check(error.code in (-4, -9), f"what is said of an open wallet: {error}")
            return error.code == -4 and error.message

    expected = 'The wallet "w" could not be opened again, and is tried again: '
    check(wait_until(reason, "it is said why the wallet is not open").startswith(expected), reason())
    fails(-18, "Requested wallet does not exist or is not loaded", node.wallet("never").getbalances)

    t.step("one is not wanted any more")
    equal(node.rpc.unloadwallet("unwanted"), {})
    fails(-18, "Requested wallet does not exist or is not loaded", node.wallet("unwanted").getbalances)

    t.step("there is room again")
    filler.unlink()
    wait_until(lambda: sorted(node.rpc.listwallets()) == ["other", "w"], "the wallets are open again")
    equal(node.wallet("w").getaddressinfo(address)["ismine"], True)
    equal(node.wallet("w").getwalletinfo()["lastprocessedblock"]["height"], 4)
    node.stop()


enter_namespace()
main(run)
