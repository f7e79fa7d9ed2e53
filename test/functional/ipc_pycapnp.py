"""The Python program of doc/examples, which knows nothing but pycapnp and the installed schemas, on a live node."""

import json
import os
import subprocess
import sys

from framework.install import Example, Installation
from framework.programs import ROOT
from framework.scenario import main
from framework.util import check, equal


def interpreter():
    """A Python that has pycapnp: this one, or the one that `cargo xtask test` makes; `None` if there is none."""
    for python in (sys.executable, ROOT / "build/python/bin/python"):
        try:
            done = subprocess.run([python, "-c", "import capnp; capnp.AsyncIoStream"], capture_output=True, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return python
    return None


def run(t):
    t.skip_unless_split()
    python = interpreter()
    if python is None:
        check(not os.environ.get("CI"), "pycapnp is not there, and cargo xtask test should have installed it")
        t.skip("there is no pycapnp (2.0 or later); cargo xtask test installs it, or pip install pycapnp does")
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
