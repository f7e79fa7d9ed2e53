"""Mining over the socket as pools do it, by clients that know only schemas: today's, and those of Bitcoin Core 30."""

import pathlib
import subprocess

from framework.install import interpreter
from framework.programs import ROOT
from framework.scenario import main
from framework.transaction import anyone_spends
from framework.util import equal


def run(t):
    t.skip_unless_split()
    python = interpreter(t)
    node = t.node()
    node.start("-ipcbind=unix")
    coin = node.rpc.getblock(node.mine(101)[0])["tx"][0]
    raw = anyone_spends((coin, 0), 50)
    txid = node.rpc.sendrawtransaction(raw)
    wtxid = node.rpc.getmempoolentry(txid)["wtxid"]

    t.step("two miners, one of each version, find blocks and see each other's")
    command = [python, "-m", "framework.miner", node.chaindir / "node.sock", ROOT / "schemas", raw, txid, wtxid]
    done = subprocess.run(command, cwd=pathlib.Path(__file__).parent, capture_output=True, text=True, timeout=t.timeout,
                          check=False)
    equal((done.returncode, done.stderr), (0, ""))
    equal(done.stdout, f"tip {node.rpc.getbestblockhash()}\n")
    equal((node.rpc.getblockcount(), node.rpc.getrawmempool()), (104, []))
    node.stop()


main(run)
