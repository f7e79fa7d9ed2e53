"""The Rust program of doc/examples, which calls from the threads of a pool, on a live node."""

import json

from framework.install import Example, run as command
from framework.programs import ROOT
from framework.scenario import main
from framework.util import equal


def run(t):
    t.skip_unless_split()
    t.step("the example is built with the crates that the programs are built from")
    command("cargo", "xtask", "build", "examples", cwd=ROOT)
    metadata = command("cargo", "metadata", "--format-version=1", "--no-deps", "--offline", cwd=ROOT)
    program = f"{json.loads(metadata)['target_directory']}/release/tip"
    node = t.node()
    node.start("-ipcbind=unix")
    node.mine(1)

    t.step("it prints the tip, asks, and sees the next block")
    example = Example(program, f"unix:{node.chaindir}/node.sock")
    tip, *answers = example.lines(4)
    equal(tip, f"tip 1 {node.rpc.getbestblockhash()}")
    results = [json.loads(answer.removeprefix("rpc "))["result"] for answer in answers]
    equal([found for found in (1, node.rpc.getbestblockhash()) if found in results], [1, node.rpc.getbestblockhash()])
    new = node.mine(1)[0]
    equal(example.end(), (0, f"new 2 {new}\n", ""))
    node.stop()


main(run)
