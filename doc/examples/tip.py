#!/usr/bin/env python3
"""Prints the tip of a node and what an RPC command says, then waits for a block.

Needs pycapnp and the installed schemas:

    bitcoin-node -regtest -ipcbind=unix
    tip.py ~/.bitcoin/regtest/node.sock $(pkg-config --variable=schemadir bitcoin-ipc)
"""

import asyncio
import sys

import capnp

LIMIT = 10_000  # milliseconds


async def main(path, schemadir):
    """Connects and asks."""
    schema = capnp.load(f"{schemadir}/init.capnp", imports=[schemadir])
    client = capnp.TwoPartyClient(await capnp.AsyncIoStream.create_unix_connection(path))
    init = client.bootstrap().cast_as(schema.Init)

    # Calls run on a thread of the node's, made for this client.
    threads = (await init.construct()).threadMap
    context = {"thread": (await threads.makeThread("tip.py")).result}

    mining = (await init.makeMining(context)).result
    tip = (await mining.getTip(context)).result
    print("tip", tip.height, tip.hash[::-1].hex())

    rpc = (await init.makeRpc(context)).result
    print("rpc", (await rpc.executeRpc(context, '{"method": "uptime", "params": []}', "/", "")).result, flush=True)

    new = (await mining.waitTipChanged(context, tip.hash, LIMIT)).result
    if new.hash != tip.hash:
        print("new", new.height, new.hash[::-1].hex())


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} SOCKET SCHEMADIR")
    asyncio.run(capnp.run(main(*sys.argv[1:])))
