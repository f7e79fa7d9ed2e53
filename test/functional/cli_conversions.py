"""What bitcoin-cli makes of the words it is given, numbers or text, is what the server says of each argument."""

import http.server
import json
import re
import threading

from framework.scenario import main
from framework.util import check, equal


class Recorder(http.server.BaseHTTPRequestHandler):
    """A server that runs nothing, and keeps what it was asked."""

    def do_POST(self):
        """Takes one call."""
        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked = call["method"], call["params"]
        answer = json.dumps({"result": None, "error": None, "id": call["id"]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        """Says nothing."""


def documented(text):
    """Of a command's help: for each position the names, and whether the argument is text."""
    found = {}
    for number, name, kind in re.findall(r"^(\d+)\. \"?([\w|]+)\"? +\(([\w ]+)", text.split("\nResult")[0], re.M):
        found[int(number) - 1] = name.split("|"), kind == "string"
    return found


def sent(node, server, *words):
    """The parameters that bitcoin-cli sends."""
    equal(node.cli(f"-rpcport={server.server_port}", *words), (0, "", ""), words)
    method, params = server.asked
    check(method in words, f"{words} sent {method}")
    return params


def run(t):
    t.need("bitcoin-cli")
    node = t.node()
    rpc = node.start().rpc
    dumped = [tuple(row) for row in rpc.help("dump_all_command_conversions")]
    equal(len(dumped), len(set(dumped)), "twice in the list")
    listed = {command for command, *_ in dumped}
    node_help = rpc.help().partition("== Wallet ==")[0]
    commands = {line.split()[0] for line in rpc.help().splitlines() if line and not line.startswith("==")} | listed
    # Any argument of echojson is JSON, whatever the server says; help takes the name of a command.
    commands -= {"echojson", "help"}
    arguments = {command: {(index, name, is_text) for index, (names, is_text) in documented(rpc.help(command)).items()
                           for name in names} for command in sorted(commands)}

    t.step("the server's list of all arguments is what its help says, and more of options by name")
    for command, rows in arguments.items():
        in_list = {row[1:] for row in dumped if row[0] == command}
        if command in listed or re.search(rf"^{command}\b", node_help, re.M):
            check(rows <= in_list, f"{command}: {rows - in_list}")
        rows |= in_list

    t.step("bitcoin-cli sends what is text as text, and all else as JSON")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    checked = 0
    for command, rows in arguments.items():
        if not rows:
            continue
        named = sent(node, server, "-named", command, *(f"{name}=7" for _, name, _ in rows))
        equal(named, {name: "7" if is_text else 7 for _, name, is_text in rows}, f"-named {command}")
        # Of an argument with several names or fields any may be JSON.
        count = 1 + max(index for index, _, _ in rows)
        as_json = {index for index, _, is_text in rows if not is_text}
        positional = sent(node, server, command, *["7"] * count)
        equal(positional, [7 if index in as_json else "7" for index in range(count)], command)
        checked += len(rows)
    check(checked > 150, f"{checked} arguments")
    equal(sent(node, server, "echojson", *["7"] * 10), [7] * 10)
    equal(sent(node, server, "-named", "echojson", "arg3=[7]"), {"arg3": [7]})
    server.shutdown()
    server.server_close()
    node.stop()


main(run)
