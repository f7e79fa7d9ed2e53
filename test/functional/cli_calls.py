"""bitcoin-cli: what it prints, what it exits with, where it takes arguments and credentials from."""

import re
import time

from framework.node import free_port
from framework.scenario import main
from framework.util import check, contains, equal


def run(t):
    t.need("bitcoin-cli")
    node = t.node()

    t.step("without a node")
    code, out, err = node.cli("getblockcount")
    equal((code, out), (1, ""))
    equal(err, f"error: Error while attempting to communicate with server 127.0.0.1:{node.rpc_port} (Could not connect "
               "to the server)\n\nMake sure the bitcoind server is running and that you are connecting to the correct "
               'RPC port.\nUse "bitcoin-cli -help" for more info.\n')
    start = time.monotonic()
    code, out, err = node.cli("-rpcwait", "-rpcwaittimeout=1", "getblockcount")
    equal((code, out), (1, ""))
    contains(err, "error: timeout on transient error: Error while attempting to communicate with server")
    check(1 <= time.monotonic() - start < 10, "-rpcwaittimeout=1 waits a second")
    code, out, _ = node.cli("-version")
    check(code == 0 and out.startswith("Bitcoin Core RPC client version v31.99.0"), out)
    code, out, _ = node.cli("-help", conf=False)
    check(code == 0 and "  -rpcwallet=<walletname>\n" in out, out)
    code, _, err = node.cli("-nosuchoption", "getblockcount")
    equal((code, err), (1, "Error parsing command line arguments: Invalid parameter -nosuchoption\n"))
    code, _, err = node.cli(f"-datadir={node.directory}/missing", "getblockcount", conf=False)
    equal((code, err), (1, f'Error: Specified data directory "{node.directory}/missing" does not exist.\n'))

    t.step("-rpcwait while the node starts")
    node.spawn()
    equal(node.cli("-rpcwait", "getblockcount"), (0, "0\n", ""))
    node.wait_ready()
    hashes = node.mine(3)

    t.step("results: text raw, JSON indented by two, nothing for null")
    equal(node.cli("getblockhash", 3), (0, hashes[2] + "\n", ""))
    equal(node.cli("echojson", '{"a":[1,{}],"b":null}', "[]", "0.10000000"),
          (0, '[\n  {\n    "a": [\n      1,\n      {\n      }\n    ],\n    "b": null\n  },\n  [\n  ],\n'
              '  0.10000000\n]\n', ""))
    equal(node.cli("setmocktime", 0), (0, "", ""))
    equal(node.cli_json("getblockchaininfo")["bestblockhash"], hashes[2])
    equal(node.cli("getblockchaininfo")[1], node.cli("getblockchaininfo")[1], "the same call prints the same text")
    equal(node.cli("help", "nosuch"), (0, "help: unknown command: nosuch\n", ""))

    t.step("errors: code and message on standard error, the code as exit status")
    equal(node.cli("getblockhash", 99), (8, "", "error code: -8\nerror message:\nBlock height out of range\n"))
    equal(node.cli("nosuch"), (32601 & 0xff, "", "error code: -32601\nerror message:\nMethod not found\n"))
    equal(node.cli("getblockhash"), (1, "", f"error code: -1\nerror message:\n{node.rpc.help('getblockhash')}\n"))
    equal(node.cli("getblockhash", "foo"), (1, "", "error: Error parsing JSON: foo\n"))
    equal(node.cli(), (1, "", "error: too few parameters (need at least command)\n"))

    t.step("-named")
    equal(node.cli("-named", "getblockhash", "height=1"), (0, hashes[0] + "\n", ""))
    equal(node.cli_json("-named", "echo", "arg0=0", "arg1=1", "arg2=2", "arg1=3"), ["0", "3", "2"])
    equal(node.cli_json("-named", "echo", "0", "arg3=3"), ["0", None, None, "3"])
    equal(node.cli_json("-named", "echojson", '["key=value"]', "42"), [["key=value"], 42])
    for words in (("echo", "args=[0]", "4"), ("echo", "args=[0,1]", "2", "3")):
        equal(node.cli("-named", *words)[::2],
              (8, "error code: -8\nerror message:\nParameter args specified multiple times\n"))
    equal(node.cli("-named", "echo", "0", "1", "arg1=1")[::2],
          (8, "error code: -8\nerror message:\nParameter arg1 specified twice both as positional and named argument\n"))

    t.step("includeconf is the node's: the client reads no such file, and needs none")
    conf = node.conf.read_text()
    node.conf.write_text("includeconf=nothere.conf\n" + conf)
    equal(node.cli("getblockcount"), (0, "3\n", ""))
    (node.datadir / "more.conf").write_text("[regtest]\nrpcport=1\n")
    node.conf.write_text("includeconf=more.conf\n" + conf)
    equal(node.cli("getblockcount"), (0, "3\n", ""))
    node.conf.write_text(conf)
    equal(node.cli("-noincludeconf", "getblockcount"),
          (1, "", "Error parsing command line arguments: Invalid parameter -noincludeconf\n"))

    t.step("-stdin")
    equal(node.cli_json("-stdin", "echo", "a", stdin="b c\n\nd"), ["a", "b c", "", "d"])
    equal(node.cli("-stdin", stdin=f"getblockhash\n2\n"), (0, hashes[1] + "\n", ""))

    t.step("credentials")
    user, password = node.cookie().split(":")
    login = (f"-rpcuser={user}", "-stdinrpcpass")
    equal(node.cli(*login, "getblockcount", stdin=password)[:2], (0, "3\n"))
    equal(node.cli_json(*login, "-stdin", "echo", stdin=f"{password}\nfoo\nbar"), ["foo", "bar"])
    configuration = f" Configuration file: ({node.conf})\n"
    for words, reason in (
        ((f"-rpcuser={user}", "-rpcpassword=x"), "Incorrect rpcuser or rpcpassword were specified."),
        (("-rpccookiefile=nosuch",), "Failed to read cookie file and no rpcpassword was specified."),
        (("-norpccookiefile",), "Cookie file was disabled via -norpccookiefile and no rpcpassword was specified."),
        ((f"-rpccookiefile={node.conf}",), "Cookie file credentials were invalid and no rpcpassword was specified."),
    ):
        equal(node.cli(*words, "getblockcount"), (1, "", f"error: Authorization failed: {reason}{configuration}"))
    equal(node.cli(*login, "getblockcount", stdin="")[::2],
          (1, "error: -stdinrpcpass specified but failed to read from standard input\n"))
    equal(node.cli("-stdinwalletpassphrase", "getblockcount", stdin="x\n")[::2],
          (1, "error: -stdinwalletpassphrase is only applicable for walletpassphrase(change)\n"))

    t.step("addresses")
    for bad in ("127.0.0.1:notaport", "127.0.0.1:-1", "127.0.0.1:0", "127.0.0.1:65536"):
        equal(node.cli(f"-rpcconnect={bad}", "getblockcount")[::2],
              (1, f"error: Invalid port provided in -rpcconnect: {bad}\n"))
    for bad in ("notaport", "-1", "0", "65536"):
        equal(node.cli(f"-rpcport={bad}", "getblockcount")[::2],
              (1, f"error: Invalid port provided in -rpcport: {bad}\n"))
    other = free_port()
    code, out, err = node.cli(f"-rpcconnect=127.0.0.1:{other}", f"-rpcport={node.rpc_port}", "getblockcount")
    equal((code, out), (0, "3\n"))
    equal(err, f"Warning: Port specified in both -rpcconnect and -rpcport. Using -rpcport {node.rpc_port}\n")
    code, _, err = node.cli(f"-rpcport={other}", "getblockcount")
    contains(err, f"server 127.0.0.1:{other} (Could not connect to the server)")

    t.step("-getinfo")
    code, out, err = node.cli("-getinfo", "-color=never")
    equal((code, err), (0, ""))
    fields = dict(line.split(": ", 1) for line in out.splitlines() if ": " in line)
    equal([fields[name] for name in ("Chain", "Blocks", "Headers", "Network", "Version", "Proxies")],
          ["regtest", "3", "3", "in 0, out 0, total 0", "319900", "n/a"])
    equal(fields["Verification progress"], "100.0000%")
    check(re.fullmatch(r"0\.\d{8}", fields["Min tx relay fee rate (BTC/kvB)"]), out)
    equal(fields["Warnings"], "(none)", "of a list, as Core's client shows it")
    code, colored, _ = node.cli("-getinfo", "-color=always")
    equal(re.sub(r"\x1b\[\d+m", "", colored), out, "colour changes nothing else")
    check("\x1b[34mChain: regtest\x1b[0m\n" in colored, "the chain is blue")
    equal(node.cli("-getinfo", "-color=pink")[::2],
          (1, "error: Invalid value for -color option. Valid values: always, auto, never.\n"))
    equal(node.cli("-getinfo", "x")[::2], (1, "error: -getinfo takes no arguments\n"))
    equal(node.cli("-getinfo", "-generate")[::2], (1, "error: Only one of -generate, -getinfo may be specified.\n"))

    t.step("-netinfo")
    code, out, err = node.cli("-netinfo")
    equal((code, err), (0, ""))
    check(re.match(r"Bitcoin Core client v31\.99\.0\S* regtest - server 70017/Satoshi:31\.99\.0/\n\n", out), out)
    contains(out, re.compile(r"^total .*0\n\nLocal services: ", re.M))
    contains(node.cli("-netinfo", "1")[1].splitlines()[0], " - services")
    equal(node.cli("-netinfo", "help")[0], 0)
    equal(node.cli("-netinfo", "x")[::2], (1, "error: invalid -netinfo level argument: x\nFor more information, run: "
                                              "bitcoin-cli -netinfo help\n"))

    t.step("an id of one's own appears in the log")
    node.rpc.logging(["rpc"])
    with node.logs(r"ThreadRPCServer method=getblockcount .*id=mine"):
        equal(node.cli("-rpcid=mine", "getblockcount")[1], "3\n")
    with node.logs(r"ThreadRPCServer method=getblockcount .*id=abcdef$"):
        equal(node.cli("-rpcid=abc<\n>def", "getblockcount")[1], "3\n")

    t.step("stop")
    equal(node.cli("stop"), (0, "Bitcoin Core stopping\n", ""))
    node.wait_exit()


main(run)
