"""Options that change one thing each: background, ignored files, deployments, threads, caches, checks, the cost of relay."""

import pathlib
import re
from decimal import Decimal

from framework import process
from framework.rpc import fails
from framework.scenario import main
from framework.transaction import anyone_spends, txid
from framework.util import check, contains, equal, excludes, wait_until


def script_threads(node):
    """How many threads check scripts besides the one that connects blocks."""
    tasks = pathlib.Path(f"/proc/{node.process.pid}/task").glob("*/comm")
    return sum("scriptch" in task.read_text() for task in tasks)


def run(t):
    node = t.node()

    t.step("-daemon goes to the background at once")
    node.spawn("-daemon")
    node.wait_exit()
    equal(node.out.read_text(), "Bitcoin Core starting\n")
    equal(node.cli("-rpcwait", "getblockcount"), (0, "0\n", ""))
    daemon = int((node.chaindir / "bitcoind.pid").read_text())
    check(process.alive(daemon), "the node runs")
    equal(node.cli("stop")[0], 0)
    wait_until(lambda: not process.alive(daemon), "the node in the background ends")

    t.step("a bitcoin.conf that is not the one in use is an error, with -allowignoredconf a warning")
    used = node.directory / "used.conf"
    used.write_text(node.conf.read_text())
    ignored = f'Data directory "{node.datadir}" contains a "bitcoin.conf" file which is ignored, because a different ' \
              f'configuration file "{used}" from command line argument "-conf={used}" is being used instead. Possible ways ' \
              f'to address this would be to:\n- Delete or rename the "bitcoin.conf" file in data directory ' \
              f'"{node.datadir}".\n- Change datadir= or conf= options to specify one configuration file, not two, and use ' \
              "includeconf= to include any other configuration files."
    node.refuses_to_start(f"Error: {ignored}\n- Set allowignoredconf=1 option to treat this condition as a warning, not an "
                          "error.", f"-conf={used}")
    node.start(f"-conf={used}", "-allowignoredconf")
    contains(node.log_text(), f"[warning] {ignored}\n")
    node.stop()

    t.step("-vbparams moves a deployment")
    node.start("-vbparams=testdummy:1199145601:1230767999:288")
    info = node.rpc.getdeploymentinfo()["deployments"]["testdummy"]["bip9"]
    equal((info["start_time"], info["timeout"], info["min_activation_height"], info["status"]),
          (1199145601, 1230767999, 288, "defined"))
    node.restart("-vbparams=testdummy:-1:1230767999")
    info = node.rpc.getdeploymentinfo()["deployments"]["testdummy"]
    equal((info["bip9"]["status"], info["bip9"]["min_activation_height"], info["active"]), ("active", 0, True))
    node.stop()
    for bad, message in (
        ("testdummy:1", "Version bits parameters malformed, expecting deployment:start:end[:min_activation_height]"),
        ("testdummy:x:1", "Invalid nStartTime (x)"), ("testdummy:1:x", "Invalid nTimeout (x)"),
        ("testdummy:1:2:x", "Invalid min_activation_height (x)"), ("nosuch:1:2", "Invalid deployment (nosuch)"),
    ):
        node.refuses_to_start(f"Error: {message}", f"-vbparams={bad}")

    t.step("-par threads check scripts, -maxsigcachesize is what two caches share")
    for number in (1, 2, 5):
        node.start(f"-par={number}", f"-maxsigcachesize={10 * number}")
        equal(script_threads(node), number - 1)
        for cache in ("signature", "script execution"):
            contains(node.log_text(), re.compile(rf"Using \d+ MiB out of {5 * number} MiB requested for {cache} cache, "))
        node.mine(103 if number == 1 else 1)
        node.stop()

    t.step("-checkmempool goes through the mempool after each change, as regtest does by itself")
    node.start("-debug=mempool")
    with node.logs(r"Checking mempool with 0 transactions and 0 inputs"):
        node.mine()
    node.restart("-checkmempool=1", "-debug=mempool")
    coins = [(node.rpc.getblock(node.rpc.getblockhash(height))["tx"][0], 0) for height in (1, 2, 3)]
    with node.logs(r"Checking mempool with 1 transactions and 1 inputs", "Checking mempool with 0 transactions and 0 inputs"):
        node.rpc.sendrawtransaction(anyone_spends(coins[0], 50))
        node.mine()
    node.restart("-checkmempool=0", "-debug=mempool")
    start = node.log.stat().st_size
    node.rpc.sendrawtransaction(anyone_spends(coins[1], 50))
    node.mine()
    excludes(node.log_text()[start:], "Checking mempool with")
    node.stop()

    t.step("-incrementalrelayfee is what a replacement pays on top, and the least that is relayed")
    node.start("-incrementalrelayfee=0.00005")
    info = node.rpc.getmempoolinfo()
    equal((info["incrementalrelayfee"], info["minrelaytxfee"]), (Decimal("0.00005"), Decimal("0.00005")))
    contains(node.log_text(), "Increasing minrelaytxfee to 0.00005000 BTC/kvB to match incrementalrelayfee")
    first = anyone_spends(coins[2], 50)
    needed = (Decimal("0.00005") * (len(first) // 2) / 1000).quantize(Decimal("0.00000001"), "ROUND_CEILING")
    less = needed - Decimal("0.00000001")
    cheap = anyone_spends(coins[2], 50, Decimal("0.0001") + less)
    node.rpc.sendrawtransaction(first)
    fails(-26, f"insufficient fee, rejecting replacement {txid(cheap)}, not enough additional fees to relay; "
               f"{less.normalize():f} < {needed.normalize():f}", node.rpc.sendrawtransaction, cheap)
    better = anyone_spends(coins[2], 50, Decimal("0.0001") + needed)
    node.rpc.sendrawtransaction(better)
    equal(node.rpc.getrawmempool(), [txid(better)])
    node.stop()
    node.refuses_to_start("Error: Invalid amount for -incrementalrelayfee=<amount>: 'x'", "-incrementalrelayfee=x")

    t.step("-limitclustercount, not the older limits of ancestors and descendants, keeps chains short")
    node.start("-limitancestorcount=2", "-limitdescendantcount=2", "-persistmempool=0", "-limitclustercount=4")
    amount, coin = Decimal(50), coins[2]
    for _ in range(4):
        amount, transaction = amount - Decimal("0.0001"), anyone_spends(coin, amount)
        coin = (node.rpc.sendrawtransaction(transaction), 0)
    fails(-26, re.compile("^too-large-cluster"), node.rpc.sendrawtransaction, anyone_spends(coin, amount - 1))
    node.stop()

    t.step("commands that say that there is nothing, or wait")
    node.start()
    equal((node.rpc.getindexinfo(), node.rpc.getindexinfo("txindex")), ({}, {}))
    fails(-32601, "generate\n\nhas been replaced by the -generate cli option. Refer to -help for more information.\n",
          node.rpc.generate)
    fails(-1, node.rpc.help("generate"), node.rpc.generate, 1)
    equal(node.rpc.syncwithvalidationinterfacequeue(), None)
    fails(-1, node.rpc.help("syncwithvalidationinterfacequeue"), node.rpc.syncwithvalidationinterfacequeue, 1)
    node.stop()


main(run)
