"""Disks that are full or read-only, and files that cannot be written: one clear line, and everything reopens afterwards.

Needs small disks of its own, mounted in a mount namespace; skips where the system gives none.
"""

import contextlib
import http.client
import os
import pathlib
import re
import tempfile

from framework.disk import NAMESPACE, disk, enter_namespace, fill, needed, remount
from framework.rpc import RpcError, fails
from framework.scenario import main
from framework.util import check, contains, equal

NOBODY = 65534


def node_on_disk(t, size):
    """A node whose data directory is a disk of so many MB."""
    node = t.node()
    disk(node.datadir, size)
    node.write_conf()
    return node


def run(t):
    needed(t)

    t.step("a disk that is nearly full at the start")
    node = node_on_disk(t, 40)
    too_low = "Error: A fatal internal error occurred, see debug.log for details: Disk space is too low!"
    node.refuses_to_start(too_low)
    remount(node.datadir, "size=200m")
    node.start()
    hashes = node.mine(110)
    node.rpc.gettxoutsetinfo("none")
    equal(node.rpc.getblockcount(), 110)

    t.step("a disk that becomes full while the node runs: it ends by itself, with Core's line and exit code")
    filler = fill(node.datadir, 20_000_000)
    # Asks for what is to be written first; whether that answers before the node is gone is another matter.
    with contextlib.suppress(RpcError, OSError, http.client.HTTPException):
        node.mine(5)
        node.rpc.gettxoutsetinfo("none")
    node.wait_exit(1, f"{too_low}\n")
    node.refuses_to_start(re.compile("^Error: [^\n]*Disk space is (too )?low[^\n]*\n$"))
    filler.unlink()
    node.start("-checklevel=4", "-checkblocks=0")
    height = node.rpc.getblockcount()
    check(height >= 110, f"{height} blocks: what was written before is there")
    equal(node.rpc.getblockhash(110), hashes[109])
    node.mine(3)

    t.step("a disk that is seen to become full while nothing is written ends the node too")
    filler = fill(node.datadir, 20_000_000)
    node.rpc.mockscheduler(3600)
    node.wait_exit(1, f"{too_low}\n")
    contains(node.log_text(), "Shutting down due to lack of disk space!")
    filler.unlink()
    node.start("-checklevel=4", "-checkblocks=0")
    check(node.rpc.getblockcount() >= height, "nothing that was written is lost")

    t.step("a disk without a byte left: the log has no room, and the node goes on")
    filler = fill(node.datadir, 0)
    equal(node.rpc.getblockcount(), node.rpc.getblockchaininfo()["blocks"])
    fails(-1, re.compile("Unable to dump mempool to disk"), node.rpc.savemempool)
    filler.unlink()
    node.rpc.savemempool()
    node.stop()
    node.start("-checklevel=4", "-checkblocks=0")
    node.stop()

    t.step("a wallet on a full disk: what could not be written is refused, and what was is kept")
    node = t.node()
    wallets = node.directory / "wallets"
    disk(wallets, 4)
    node.start(f"-walletdir={wallets}")
    node.rpc.createwallet("w")
    wallet = node.wallet("w")
    node.rpc.generatetoaddress(101, wallet.getnewaddress())
    node.sync()
    equal(wallet.getbalance(), 50)
    filler = fill(wallets, 0)
    refused = None
    for _ in range(2000):
        try:
            wallet.getnewaddress()
        except RpcError as error:
            refused = error
            break
    check(refused is not None, "a full disk took 2000 addresses")
    check(refused.code in (-1, -4, -12) and "\n" not in refused.message, f"{refused.code} {refused.message}")
    equal(wallet.getbalance(), 50)
    refused = None
    try:
        node.rpc.createwallet("other")
    except RpcError as error:
        refused = error
    check(refused is not None and refused.code == -4, refused)
    filler.unlink()
    wallet.getnewaddress()
    equal(wallet.getbalance(), 50)
    node.stop()
    node.start(f"-walletdir={wallets}", "-wallet=w")
    equal(node.wallet("w").getbalance(), 50)
    txid = node.wallet("w").sendtoaddress(node.wallet("w").getnewaddress(), 1)
    check(txid in node.rpc.getrawmempool(), "it can still spend")
    node.stop()

    t.step("a data directory that can only be read")
    node = node_on_disk(t, 200)
    node.start()
    node.mine(1)
    node.stop()
    remount(node.datadir, "ro")
    settings = node.chaindir / "settings.json"
    node.refuses_to_start("Error: Settings file could not be written:\n"
                          f"- Error: Unable to open settings file {settings}.tmp for writing")
    node.refuses_to_start(f"Error: Cannot write to directory '{node.chaindir}'; check permissions.", "-nosettings")
    remount(node.datadir, "rw")
    node.start()
    equal(node.rpc.getblockcount(), 1)
    node.stop()

    t.step("block files on a disk that can only be read")
    blocks = node.directory / "elsewhere"
    disk(blocks, 200)
    node = t.node()
    node.start(f"-blocksdir={blocks}")
    node.mine(1)
    node.stop()
    remount(blocks, "ro")
    where = blocks / "regtest" / "blocks"
    node.refuses_to_start(f"Error: Cannot write to directory '{where}'; check permissions.", f"-blocksdir={blocks}")
    remount(blocks, "rw")
    node.start(f"-blocksdir={blocks}")
    equal(node.rpc.getblockcount(), 1)
    node.stop()

    t.step("a log that cannot be written")
    node.log.unlink()
    node.log.mkdir()
    node.refuses_to_start(f"Error: Could not open debug log file {node.log}", f"-blocksdir={blocks}")
    node.log.rmdir()
    elsewhere = node.directory / "nowhere" / "debug.log"
    node.refuses_to_start(f"Error: Could not open debug log file {elsewhere}", f"-blocksdir={blocks}",
                          f"-debuglogfile={elsewhere}")
    node.start(f"-blocksdir={blocks}", "-nodebuglogfile")
    check(not node.log.exists(), "no log was asked for")
    node.stop()

    if os.environ[NAMESPACE] == "root":
        as_nobody(t)


def as_nobody(t):
    """What a user other than root meets, for whom permissions are more than advice."""
    prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
    t.step("another user's data directory, and one of its own with files that are not")
    node = t.node()
    # Below the system's directory for temporary files, which everybody can enter, wherever --tmpdir is.
    with tempfile.TemporaryDirectory(dir="/tmp") as reachable:
        os.chmod(reachable, 0o755)
        node.programs = t.programs.copied(pathlib.Path(reachable) / "programs").prefixed(prefix)
        with_programs_of_another_user(t, node)


def with_programs_of_another_user(t, node):
    """The part of the above in which the node runs."""
    for path in (t.directory, node.directory, node.datadir, node.conf):
        path.chmod(0o755)
    node.refuses_to_start(re.compile(rf"^Error: [^\n]*{node.chaindir}[^\n]*\n$"))
    os.chown(node.datadir, NOBODY, NOBODY)
    node.start()
    node.mine(1)
    node.stop()
    os.chown(node.log, 0, 0)
    node.log.chmod(0o600)
    node.refuses_to_start(f"Error: Could not open debug log file {node.log}")
    os.chown(node.log, NOBODY, NOBODY)
    node.chaindir.chmod(0o500)
    node.refuses_to_start(re.compile(rf"^Error: Settings file could not be written:\n- [^\n]*{node.chaindir}[^\n]*\n$"))
    node.chaindir.chmod(0o700)
    node.start()
    equal(node.rpc.getblockcount(), 1)
    node.stop()


enter_namespace()
main(run)
