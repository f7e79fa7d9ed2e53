"""The Python program of doc/examples, which knows nothing but pycapnp and the installed schemas, on a live node."""

import json

from framework.install import Example, Installation, interpreter
from framework.programs import ROOT
from framework.scenario import main
from framework.util import check, equal


def run(t):
    t.skip_unless_split()
    python = interpreter(t)
    there = Installation(t.directory / "installed")
    node = t.node()
    node.start("-ipcbind=unix")
    node.mine(1)

    t.step("the example prints the tip, asks, and sees the next block")
    example = Example(python, ROOT / "doc/examples/tip.py", node.chaindir / "node.sock", there.schemadir)
    tip, rpc = example.lines(2)
    equal(tip, f"tip 1 {node.rpc.getbestblockhash()}")
    answer = json.loads(rpc.removeprefix("rpc "))
    check(answer["error"] is None and answer["result"] >= 0, answer)
    new = node.mine(1)[0]
    equal(example.end(), (0, f"new 2 {new}\n", ""))
    node.stop()


main(run)
