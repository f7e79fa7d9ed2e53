"""A wallet process that is stopped and does nothing: the node ends it, goes on with another, and can itself be stopped."""

import base64
import json
import os
import select
import signal
import socket
import time

from framework import process
from framework.rpc import RpcError
from framework.scenario import main
from framework.util import check, equal, wait_until

CALLS = 600  # of a hung wallet process; more than there are workers and places to wait
LIMIT = 120  # seconds until it is noticed, and more
PATIENCE = 10  # seconds that a container's end takes before it is a kill


def call(method, *params):
    """The body of a call."""
    return {"id": 1, "method": method, "params": params}


def send(node, body):
    """Sends a request and returns the connection."""
    body = json.dumps(body)
    user = base64.b64encode(node.cookie().encode()).decode()
    connection = socket.create_connection(("127.0.0.1", node.rpc_port), timeout=LIMIT)
    connection.sendall(f"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {user}\r\nConnection: close\r\n"
                       f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
    return connection


def answer(connection):
    """All that comes on a connection."""
    got = b""
    while part := connection.recv(65536):
        got += part
    connection.close()
    return got.decode()


def run(t):
    t.skip_unless_split()
    node = t.node()
    node.start()
    node.rpc.createwallet("w", load_on_startup=True)
    address = node.wallet("w").getnewaddress()
    node.rpc.generatetoaddress(1, address)
    node.mine(99)

    t.step("however many calls wait for a stopped wallet process, the node's own are answered")
    node.rpc.help()
    pid = node.wallet_pid
    os.kill(pid, signal.SIGSTOP)
    bodies = [call("getbalance"), call("unloadwallet", "none"), [call("getblockcount"), call("getbalance")]]
    waiting = [send(node, bodies[number % len(bodies)]) for number in range(CALLS)]
    for _ in range(20):
        for body in (call("getblockcount"), call("getnetworkinfo"), call("help"), [call("getblockhash", 0)]):
            status, reply = node.rpc.request(body)
            equal(status, 200, f"{body}: {reply}")
    wait_until(lambda: len(select.select(waiting, [], [], 0)[0]) > CALLS // 4, "calls over the limit are answered")
    for connection in select.select(waiting, [], [], 0)[0]:
        waiting.remove(connection)
        text = answer(connection)
        check(text.startswith("HTTP/1.1 503") and text.endswith("Work queue depth exceeded"), text)
    os.kill(pid, signal.SIGCONT)
    for connection in waiting:
        text = answer(connection)
        check('"result":0.00000000' in text or '"code":-18' in text, text)
    check(process.alive(pid), "the wallet process goes on where it was")

    t.step("a stopped wallet process holds up the chain for a while, and is replaced")
    pid = node.wallet_pid
    os.kill(pid, signal.SIGSTOP)
    with node.logs(f"the wallet process {pid} does not answer; it is killed", timeout=LIMIT):
        # More events than wait for a subscriber: this call ends only when the process has been.
        node.rpc.generatetodescriptor(99, "raw(51)")
        equal(node.rpc.getblockcount(), 199)
        node.mine(1)

    def balance():
        try:
            return node.wallet("w").getbalance()
        except RpcError as error:
            equal(error.code, -9)
            return None

    wait_until(lambda: balance() == 50, "the wallet has followed", timeout=LIMIT)
    check(not process.alive(pid), "the stopped process is gone")

    t.step("a node stops although its wallet process does nothing")
    pid = node.wallet_pid
    os.kill(pid, signal.SIGSTOP)
    start = time.monotonic()
    node.rpc.stop()
    node.timeout = LIMIT
    node.wait_exit()
    took = time.monotonic() - start
    check(took < PATIENCE, f"the end took {took} s")
    check(not process.alive(pid), "the stopped process is gone")
    node.start()
    equal(node.wallet("w").getbalance(), 50)
    node.stop()


main(run)
