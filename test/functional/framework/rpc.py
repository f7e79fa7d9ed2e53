"""A JSON-RPC client over HTTP, written against the protocol and sharing no code with the programs under test."""

import base64
import decimal
import http.client
import json

from .util import Failure, shorten


class RpcError(Exception):
    """The error object of a reply."""

    def __init__(self, method, error, status):
        super().__init__(f"{method}: {error['message']} ({error['code']})")
        self.code, self.message, self.status = error["code"], error["message"], status


def encode(value):
    """JSON text; decimals keep their digits."""
    # json writes a decimal only as a float, so decimals go through placeholders.
    numbers = []

    def replace(item):
        if isinstance(item, decimal.Decimal):
            numbers.append(format(item, "f"))
            return f"\0{len(numbers) - 1}\0"
        if isinstance(item, dict):
            return {k: replace(v) for k, v in item.items()}
        if isinstance(item, (list, tuple)):
            return [replace(v) for v in item]
        return item

    text = json.dumps(replace(value))
    for index, number in enumerate(numbers):
        text = text.replace(f'"\\u0000{index}\\u0000"', number)
    return text


def decode(text):
    """The value of a JSON text; numbers with a point become decimals."""
    return json.loads(text, parse_float=decimal.Decimal)


class Rpc:
    """Calls commands as methods: `rpc.getblockhash(0)`, `rpc.getblock(blockhash=h, verbosity=0)`.

    Positional and named arguments may be mixed. Each object owns one kept-alive connection and is used from one
    thread.
    """

    def __init__(self, port, credentials, path="/", timeout=60):
        self._port, self._credentials, self._path, self._timeout = port, credentials, path, timeout
        self._connection = None

    def __getattr__(self, method):
        if method.startswith("_"):
            raise AttributeError(method)
        return lambda *args, **named: self.call(method, *args, **named)

    def on(self, path):
        """The same server under another path."""
        return Rpc(self._port, self._credentials, path, self._timeout)

    def call(self, method, *args, **named):
        """Calls `method` and returns its result, or raises `RpcError`."""
        if named:
            params = dict(named, args=list(args)) if args else named
        else:
            params = list(args)
        status, reply = self.request({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        if not isinstance(reply, dict):
            raise Failure(f"{method}: HTTP {status}, no JSON-RPC reply: {shorten(reply)}")
        if reply.get("error") is not None:
            raise RpcError(method, reply["error"], status)
        return reply["result"]

    def request(self, body):
        """Sends any JSON value (or bytes as they are) and returns the HTTP status and the decoded answer."""
        data = body if isinstance(body, bytes) else encode(body).encode()
        status, _, answer = self.http("POST", data)
        try:
            return status, decode(answer) if answer else None
        except ValueError:
            return status, answer

    def http(self, verb, body=None, headers=None, path=None):
        """One HTTP exchange on the kept connection: status, headers, text."""
        headers = dict({"Authorization": "Basic " + base64.b64encode(self._credentials.encode()).decode()}
                       if self._credentials is not None else {}, **(headers or {}))
        for attempt in (1, 2):
            fresh = self._connection is None
            if fresh:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=self._timeout)
            try:
                self._connection.request(verb, path or self._path, body, headers)
                response = self._connection.getresponse()
                text = response.read().decode("utf-8", "replace")
                break
            except (http.client.HTTPException, OSError):
                self.close()
                # The server may close an idle connection at any time; only a new one proves anything.
                if fresh or attempt == 2:
                    raise
        if response.will_close:
            self.close()
        return response.status, response.headers, text

    def close(self):
        """Closes the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def fails(code, message, call, *args, **named):
    """Checks that a call ends in the error `code` whose message equals `message` (or matches a compiled pattern)."""
    try:
        result = call(*args, **named)
    except RpcError as error:
        if error.code != code:
            raise Failure(f"error code {error.code}, expected {code}: {error.message}") from error
        if message is not None and (error.message != message if isinstance(message, str)
                                    else not message.search(error.message)):
            raise Failure(f"error message {error.message!r}, expected {message!r}") from error
        return error
    raise Failure(f"no error, got {shorten(result)}; expected {code} {message!r}")
