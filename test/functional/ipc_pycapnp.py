"""The Python program of doc/examples, which knows nothing but pycapnp and the installed schemas, on a live node."""

import json

from framework.install import Example, Installation, interpreter, run as command
from framework.programs import ROOT
from framework.scenario import main
from framework.util import check, equal

INTRODUCE = """
import asyncio, capnp, json, sys

async def main(path, schemadir):
    schema = capnp.load(f"{schemadir}/client/introduction.capnp", imports=[schemadir])
    client = capnp.TwoPartyClient(await capnp.AsyncIoStream.create_unix_connection(path))
    init = client.bootstrap().cast_as(schema.Introduction)
    threads = (await init.construct()).threadMap
    context = {"thread": (await threads.makeThread("introduction")).result}
    print(json.dumps((await init.introduce(context, {"program": "a test", "version": "v1"})).result.to_dict()))

asyncio.run(capnp.run(main(*sys.argv[1:])))
"""


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

    t.step("introduces itself with nothing but the installed schemas")
    said = json.loads(command(python, "-c", INTRODUCE, node.chaindir / "node.sock", there.schemadir))
    equal((said["program"], said["network"]), ("bitcoin-node", "regtest"))
    check(said["version"] and said["build"], said)
    node.stop()


main(run)
