"""HTTP: who may talk, what a request must look like, and what bad ones do not break."""

import base64
import concurrent.futures
import hashlib
import hmac
import json
import socket

from framework.scenario import main
from framework.util import check, contains, equal, wait_until


def call(method="getblockcount", version=None, **extra):
    """The body of a request."""
    body = dict({"id": 7, "method": method, "params": []}, **extra)
    return dict(body, jsonrpc=version) if version else body


def raw(node, data, answer=True):
    """Sends bytes on a connection of its own; the answer up to the end of the connection."""
    with socket.create_connection(("127.0.0.1", node.rpc_port), timeout=30) as connection:
        connection.sendall(data)
        got = b""
        while answer:
            try:
                part = connection.recv(65536)
            except ConnectionResetError:
                break
            if not part:
                break
            got += part
        return got


def head(node, length, extra=""):
    """The head of an authorized request."""
    user = base64.b64encode(node.cookie().encode()).decode()
    return (f"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {user}\r\nContent-Length: {length}\r\n{extra}"
            "\r\n").encode()


def run(t):
    node = t.node()
    salted = hmac.new(b"5a17", b"secret", hashlib.sha256).hexdigest()
    node.start(f"-rpcauth=alice:5a17${salted}", "-rpcservertimeout=2")

    t.step("credentials")
    for credentials, status in (
        (node.cookie(), 200), ("alice:secret", 200), ("alice:wrong", 401), ("__cookie__:wrong", 401),
        ("bob:secret", 401), (":", 401), ("alice", 401),
    ):
        equal(node.new_rpc(credentials=credentials).request(call())[0], status, credentials)
    anonymous = node.new_rpc(credentials="x:y")
    status, headers, _ = anonymous.http("POST", b"{}")
    equal((status, headers["WWW-Authenticate"]), (401, 'Basic realm="jsonrpc"'))
    for header in ("Bearer abc", "Basic !!!", "Basic"):
        equal(anonymous.http("POST", b"{}", {"Authorization": header})[0], 401, header)

    t.step("verbs and paths")
    rpc = node.new_rpc()
    equal(rpc.http("GET")[::2], (405, "JSONRPC server handles only POST requests"))
    equal(rpc.http("POST", b"{}", path="/nosuch")[0], 404)

    t.step("what is not a request")
    for body, status, code, message in (
        (b"", 500, -32700, "Parse error"),
        (b"{", 500, -32700, "Parse error"),
        (b"\xff\xfe", 500, -32700, "Parse error"),
        (b'"text"', 500, -32700, "Top-level object parse error"),
        (b"{}", 400, -32600, "Missing method"),
        (b'{"method": 5}', 400, -32600, "Method must be a string"),
        (b'{"method": "uptime", "params": 5}', 400, -32600, "Params must be an array or object"),
        (b'{"method": "nosuch"}', 404, -32601, "Method not found"),
        (b'{"method": "getblockhash", "params": [99]}', 500, -8, "Block height out of range"),
    ):
        got_status, reply = rpc.request(body)
        equal((got_status, reply["error"]["code"], reply["error"]["message"], reply["result"]),
              (status, code, message, None), repr(body))

    t.step("versions 1 and 2 of JSON-RPC")
    equal(rpc.request(call()), (200, {"result": 0, "error": None, "id": 7}))
    equal(rpc.request(call(version="2.0")), (200, {"jsonrpc": "2.0", "result": 0, "id": 7}))
    status, reply = rpc.request(call("nosuch", "2.0"))
    equal((status, sorted(reply), reply["error"]["code"]), (200, ["error", "id", "jsonrpc"], -32601))
    equal(rpc.request({"jsonrpc": "2.0", "method": "getblockcount"}), (204, None), "notification")
    status, reply = rpc.request(call(version="3.0"))
    equal((status, reply["error"]["code"]), (400, -32600), "unknown version")

    t.step("batches")
    status, replies = rpc.request([call(version="2.0"), call("nosuch"), 5, {"jsonrpc": "2.0", "method": "uptime"}])
    equal((status, len(replies)), (200, 3))
    equal(replies[0], {"jsonrpc": "2.0", "result": 0, "id": 7})
    equal([r["error"]["code"] for r in replies[1:]], [-32601, -32600])
    equal(rpc.request([]), (200, []))

    t.step("a kept connection answers again and again, also two requests sent at once")
    request = head(node, 40) + b'{"method":"getblockcount","params":[]}  '
    answers = raw(node, request + request.replace(b"Content", b"Connection: close\r\nContent"))
    equal(answers.count(b'"result":0'), 2, "answers")

    t.step("control characters are escaped, the one past ASCII's letters too")
    body = b'{"method":"echo","id":1,"params":["a\\u0000\\u007f\\u0080\x7f"]}'
    equal(rpc.http("POST", body)[2], '{"result":["a\\u0000\\u007f\x80\\u007f"],"error":null,"id":1}\n')

    t.step("too big: announced, and sent in chunks")
    contains(raw(node, head(node, 32 * 1024 * 1024 + 1)).decode(), "HTTP/1.1 413 Content too large\r\n")
    contains(raw(node, head(node, 0, "X-Long: " + "y" * 9000 + "\r\n")).decode(), "HTTP/1.1 4")

    t.step("half a request, then silence: the server gives up the connection and nothing else")
    check(b'"result"' not in raw(node, head(node, 100) + b'{"method":'), "half a request was answered")
    raw(node, head(node, 100) + b'{"method":', answer=False)
    raw(node, b"POST / HTTP/1.1\r\nHost", answer=False)
    contains(raw(node, b"nonsense\r\n\r\n").decode(), "HTTP/1.1 400")
    raw(node, bytes(range(256)) * 64, answer=False)
    equal(node.new_rpc().getblockcount(), 0)

    t.step("many idle connections do not keep others out")
    idle = [socket.create_connection(("127.0.0.1", node.rpc_port)) for _ in range(60)]
    equal(node.new_rpc().getblockcount(), 0)
    for connection in idle:
        connection.settimeout(30)
    wait_until(lambda: all(connection.recv(1) == b"" for connection in idle), "the server closes idle connections")

    t.step("many clients at once each get their own answers")

    def talk(number):
        client = node.new_rpc()
        answers = []
        for i in range(25):
            answer = client.request({"id": f"{number}.{i}", "method": "echo", "params": [f"{number}.{i}"]})[1]
            answers.append((answer["id"], answer["result"]))
        client.close()
        return answers

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        for number, answers in enumerate(pool.map(talk, range(12))):
            equal(answers, [(f"{number}.{i}", [f"{number}.{i}"]) for i in range(25)])

    t.step("a command that waits does not keep others waiting")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(node.new_rpc().waitforblockheight, 1, 60_000)
        active = wait_until(lambda: [c for c in rpc.getrpcinfo()["active_commands"]
                                     if c["method"] == "waitforblockheight"], "the command is active")
        check(active[0]["duration"] >= 0 and not waiting.done(), "the command waits")
        tip = node.mine(1)[0]
        equal(waiting.result(30), {"hash": tip, "height": 1})

    t.step("what was asked for is done, also for clients that do not wait for the answer")
    rpc.createwallet("w")
    addresses = [rpc.getnewaddress() for _ in range(40)]
    for address in addresses:
        body = json.dumps(call("setlabel", params=[address, "left"])).encode()
        raw(node, head(node, len(body)) + body, answer=False)
    wait_until(lambda: all(rpc.getaddressinfo(address)["labels"] == ["left"] for address in addresses), "all labels")
    node.stop()

    t.step("-rpcuser and -rpcpassword replace the cookie")
    node.spawn("-rpcuser=carol", "-rpcpassword=pw:with:colons")
    carol = node.new_rpc(credentials="carol:pw:with:colons")

    def answers_carol():
        try:
            return carol.request(call())[0] == 200
        except OSError:
            return False

    wait_until(answers_carol, "the node answers carol")
    check(not (node.chaindir / ".cookie").exists(), "a cookie was made")
    equal(node.new_rpc(credentials="carol:pw").request(call())[0], 401)
    equal(carol.stop(), "Bitcoin Core stopping")
    node.wait_exit()


main(run)
