"""Who may use RPC, and how much at a time: whitelists, the cookie's permissions, threads, the queue, no server at all."""

import base64
import hashlib
import hmac
import json
import re
import select
import signal
import socket
import stat
import threading
import time

from framework.p2p import Peer
from framework.scenario import main
from framework.util import check, equal, wait_until

GUESSERS = 150  # connections over which passwords are guessed at a time
GUESSES = 40  # passwords that are checked in a second, at most


def login(name):
    """`-rpcauth` for a user whose password is the name."""
    return f"-rpcauth={name}:5a17${hmac.new(b'5a17', name.encode(), hashlib.sha256).hexdigest()}"


def status(node, user, *methods, batch=False):
    """The HTTP status a user gets for a call, or for several at once."""
    calls = [{"id": 1, "method": method, "params": []} for method in methods]
    client = node.new_rpc(credentials=f"{user}:{user}")
    return client.http("POST", json.dumps(calls if batch else calls[0]).encode())[::2]


def send(node, method, *params):
    """Sends a call and returns the connection."""
    body = json.dumps({"id": 1, "method": method, "params": params})
    user = base64.b64encode(node.cookie().encode()).decode()
    connection = socket.create_connection(("127.0.0.1", node.rpc_port), timeout=30)
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


def waiting(node, height):
    """Sends a call that waits for a block, and sees it begin."""
    with node.logs(r"ThreadRPCServer method=waitforblockheight "):
        connection = send(node, "waitforblockheight", height, 60_000)
    return connection


def deliver(node, block):
    """Sends a block as a peer does, since RPC is busy."""
    peer = Peer(node)
    peer.send("block", bytes.fromhex(block))
    peer.sync()
    peer.close()


class Guesser:
    """Tries passwords over a connection of its own until told to end."""

    def __init__(self, node, user, number):
        self.node, self.user, self.number, self.answers = node, user, number, []
        self.ended, self.thread = threading.Event(), threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        """Tries one password after the other."""
        client = self.node.new_rpc(credentials=f"{self.user}:{self.number}")
        while not self.ended.is_set():
            self.answers.append(client.http("POST", b'{"method":"uptime"}')[0])


def run(t):
    node = t.node()
    users = [login(name) for name in ("reader", "writer", "both", "other", "none")]
    lists = ("-rpcwhitelist=reader:getblockcount,getblockhash", "-rpcwhitelist=writer:stop, setmocktime",
             "-rpcwhitelist=both:getblockcount,uptime", "-rpcwhitelist=both:uptime,stop", "-rpcwhitelist=none")

    t.step("-rpcwhitelist names what a user may call; two lists leave what is in both")
    node.spawn(*users, *lists, "-rpcwhitelist=__cookie__:getblockcount,getmempoolinfo,stop")
    node.wait_ready()
    for user, method, expected in (
        ("reader", "getblockcount", 200), ("reader", "getblockhash", 500), ("reader", "uptime", 403),
        ("reader", "nosuch", 403), ("writer", "setmocktime", 500), ("writer", "getblockcount", 403),
        ("both", "uptime", 200), ("both", "getblockcount", 403), ("both", "stop", 403), ("none", "uptime", 403),
    ):
        equal(status(node, user, method)[0], expected, f"{user} {method}")
    equal(status(node, "reader", "uptime"), (403, ""))
    with node.logs(r"RPC User reader not allowed to call method getbestblockhash$",
                   r"RPC User other not allowed to call any methods$"):
        status(node, "reader", "getbestblockhash")
        equal(status(node, "other", "getblockcount"), (403, ""), "no list is an empty list")

    t.step("a batch with one call that is not allowed is refused as a whole")
    equal(status(node, "reader", "getblockcount", "getblockcount", batch=True)[0], 200)
    equal(status(node, "reader", "getblockcount", "uptime", batch=True), (403, ""))
    equal(status(node, "other", "uptime", batch=True)[0], 403)
    equal(node.cli("uptime"), (1, "", "error: server returned HTTP error 403\n"))
    node.stop()

    t.step("-rpcwhitelistdefault=0 leaves users without a list alone, 1 without any list allows nothing")
    node.start(*users, *lists, "-rpcwhitelistdefault=0")
    equal((status(node, "other", "uptime")[0], status(node, "reader", "uptime")[0]), (200, 403))
    node.stop()
    node.start(*users, "-rpcwhitelistdefault=1", "-rpcwhitelist=__cookie__:getblockcount,getmempoolinfo,stop")
    equal(status(node, "reader", "getblockcount")[0], 403)
    node.stop()

    t.step("passwords are guessed at one rate, however many connections there are; who has the right one is let in")
    node.start(login("user"))
    known = node.new_rpc(credentials="user:user")
    equal(known.getblockcount(), 0)
    began, guessers = time.monotonic(), [Guesser(node, "user", number) for number in range(GUESSERS)]
    wait_until(lambda: sum(len(guesser.answers) for guesser in guessers) >= GUESSERS, "guesses are answered")
    for _ in range(2):
        equal((known.getblockcount(), node.new_rpc().getblockcount()), (0, 0), "with a known connection, or the cookie")
        equal(status(node, "user", "getblockcount")[0], 200, "with a new connection")
    for guesser in guessers:
        guesser.ended.set()
    for guesser in guessers:
        guesser.thread.join()
    took, answers = time.monotonic() - began, [answer for guesser in guessers for answer in guesser.answers]
    equal(set(answers), {401}, "answers to guesses")
    check(len(answers) <= GUESSES * (took + 1), f"{len(answers)} guesses in {took} s")
    node.stop()

    t.step("-rpccookieperms says who may read the cookie")
    for value, mode in (("owner", 0o600), ("group", 0o640), ("all", 0o644)):
        node.start(f"-rpccookieperms={value}")
        equal(stat.S_IMODE((node.chaindir / ".cookie").stat().st_mode), mode, value)
        node.stop()
    node.refuses_to_start(re.compile(r"^Error: Unable to start HTTP server\. See debug log for details\.\n$"),
                          "-rpccookieperms=world")
    check("Invalid -rpccookieperms=world; must be one of 'owner', 'group', or 'all'." in node.log_text(), "the log says why")

    t.step("one thread, and one place to wait: what comes then is turned away")
    node.start(*node.LISTEN, "-debug=rpc", "-rpcthreads=1", "-rpcworkqueue=1")
    block = node.rpc.generateblock("raw(51)#8lvh9jxk", [], False)["hex"]
    busy = waiting(node, 1)
    late = [send(node, "getblockcount") for _ in "12"]
    turned_away, = select.select(late, [], [], 30)[0]
    late.remove(turned_away)
    text = answer(turned_away)
    check(text.startswith("HTTP/1.1 503") and text.endswith("\r\n\r\nWork queue depth exceeded"), text)
    deliver(node, block)
    check('"height":1' in answer(busy), "the wait ended")
    check('"result":1' in answer(late[0]), "whoever waited was answered, after the wait")
    node.stop()
    check("it can be increased with the -rpcworkqueue= setting" in node.log_text(), "the log says what helps")

    t.step("a second thread answers while the first waits")
    node.start(*node.LISTEN, "-debug=rpc", "-rpcthreads=2", "-rpcworkqueue=1")
    busy = waiting(node, 2)
    for _ in range(3):
        check('"result":1' in answer(send(node, "getblockcount")), "answered at once")
    node.mine(1)
    check('"height":2' in answer(busy), "the wait ended")
    node.stop()

    t.step("-deprecatedrpc brings back what was in results")
    node.start()
    check(isinstance(node.rpc.getnetworkinfo()["warnings"], list) and "fullrbf" not in node.rpc.getmempoolinfo(), "new")
    node.restart("-deprecatedrpc=warnings", "-deprecatedrpc=fullrbf")
    for info in (node.rpc.getnetworkinfo(), node.rpc.getblockchaininfo(), node.rpc.getmininginfo()):
        check(isinstance(info["warnings"], str), info)
    equal(node.rpc.getmempoolinfo()["fullrbf"], True)
    node.stop()

    t.step("-server=0: nobody listens, and no cookie is made")
    with node.logs("Done loading"):
        node.spawn("-server=0")
    with socket.socket() as probe:
        check(probe.connect_ex(("127.0.0.1", node.rpc_port)) != 0, "somebody listens")
    check(not (node.chaindir / ".cookie").exists(), "a cookie was made")
    node.signal(signal.SIGTERM)
    node.wait_exit()


main(run)
