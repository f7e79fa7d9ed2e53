"""Arguments of commands: count, type, names; the list of commands and their help."""

import re

from framework.rpc import fails
from framework.scenario import main
from framework.util import check, contains, equal

COMMANDS = """
help stop uptime getrpcinfo getblockchaininfo getblockcount getbestblockhash getblockhash getblock getblockheader
getchaintips getdifficulty getmempoolinfo getrawmempool getmempoolentry getrawtransaction sendrawtransaction
testmempoolaccept decoderawtransaction gettxout scantxoutset submitblock validateaddress getnetworkinfo getpeerinfo
logging getmemoryinfo createwallet loadwallet unloadwallet listwallets getwalletinfo getnewaddress getaddressinfo getbalance
getbalances listunspent sendtoaddress gettransaction listtransactions importdescriptors listdescriptors encryptwallet
walletpassphrase walletlock rescanblockchain
""".split()
HIDDEN = "generatetoaddress generateblock generatetodescriptor invalidateblock reconsiderblock setmocktime " \
         "syncwithvalidationinterfacequeue echo echojson sendmsgtopeer".split()


def wrong_type(where, found, expected):
    """The message for an argument of another type."""
    return f'Wrong type passed:\n{{\n    "{where}": "JSON value of type {found} is not of expected type {expected}"\n}}'


def run(t):
    node = t.node()
    rpc = node.start().rpc

    t.step("help lists every command once, hidden ones not at all")
    listed = [line.split()[0] for line in rpc.help().splitlines() if line and not line.startswith("==")]
    equal(len(listed), len(set(listed)), "duplicates in help")
    for command in COMMANDS:
        check(command in listed, f"{command} is not listed")
    for command in HIDDEN:
        check(command not in listed, f"{command} is listed")
    sections = [line for line in rpc.help().splitlines() if line.startswith("==")]
    for section in ("Blockchain", "Control", "Mining", "Network", "Rawtransactions", "Util", "Wallet"):
        check(f"== {section} ==" in sections, f"no section {section} in {sections}")

    t.step("help of each command starts with its signature and has the usual parts")
    for command in COMMANDS + HIDDEN:
        text = rpc.help(command)
        check(text.startswith(command), f"help {command}: {text[:80]!r}")
        if command not in ("echo", "echojson"):
            contains(text, re.compile(r"\n(Result|Arguments|Examples)[^\n]*:\n"), f"help {command}")
    equal(rpc.help("getblock").splitlines()[0], 'getblock "blockhash" ( verbosity )')
    equal(rpc.help("stop").splitlines()[0], "stop")
    equal(rpc.help("nosuch"), "help: unknown command: nosuch")

    t.step("help of results: in full once, then what is different; nothing of what is not shown unless asked for")
    text = rpc.help("getblock")
    equal(text.count('"merkleroot"'), 1)
    contains(text, re.compile(r'verbosity = 2\):\n\{ .*\n  \.\.\., .*verbosity = 1\n  "tx" : \['))
    equal(rpc.help("getrawtransaction").count('"prevout"'), 1)
    for command in ("getmempoolentry", "getrawmempool", "getmempoolancestors"):
        check("bip125-replaceable" not in rpc.help(command), f"help {command}")
    check("fullrbf" not in rpc.help("getmempoolinfo"), "help getmempoolinfo")

    t.step("wrong count: the help text under code -1")
    fails(-1, rpc.help("getblockhash"), rpc.getblockhash)
    fails(-1, rpc.help("getblockhash"), rpc.getblockhash, 0, 1)
    fails(-1, rpc.help("getblockcount"), rpc.getblockcount, 1)
    fails(-1, rpc.help("setmocktime"), rpc.setmocktime)
    fails(-32601, "Method not found", rpc.nosuch)

    t.step("wrong type")
    genesis = rpc.getblockhash(0)
    fails(-3, wrong_type("Position 1 (height)", "string", "number"), rpc.getblockhash, "0")
    fails(-3, wrong_type("Position 1 (blockhash)", "number", "string"), rpc.getblock, 5)
    fails(-3, wrong_type("Position 1 (blockhash)", "null", "string"), rpc.getblockheader, None)
    fails(-3, wrong_type("Position 2 (verbose)", "number", "bool"), rpc.getblockheader, genesis, 1)
    fails(-3, wrong_type("Position 1 (verbose)", "array", "bool"), rpc.getrawmempool, [])
    fails(-1, "JSON integer out of range", rpc.getblockhash, 0.5)
    fails(-8, "blockhash must be of length 64 (not 2, for '00')", rpc.getblock, "00")
    fails(-8, f"blockhash must be hexadecimal string (not '{'z' * 64}')", rpc.getblock, "z" * 64)
    fails(-5, "Block not found", rpc.getblock, "00" * 32)

    t.step("names")
    equal(rpc.getblockhash(height=0), genesis)
    equal(rpc.getblockheader(blockhash=genesis, verbose=False)[:8], "01000000")
    equal(rpc.getblock(genesis, verbosity=1)["hash"], genesis)
    equal(rpc.getblock(genesis, verbose=1)["hash"], genesis, "the older name of an argument")
    equal(rpc.echo(arg1="b"), [None, "b"])
    equal(rpc.echo("a", arg2="c"), ["a", None, "c"])
    fails(-8, "Unknown named parameter hight", rpc.getblockhash, hight=0)
    fails(-8, "Parameter arg0 specified twice both as positional and named argument", rpc.echo, "a", arg0="b")
    fails(-3, wrong_type("Position 1 (height)", "string", "number"), rpc.getblockhash, height="0")
    duplicate = b'{"id":1,"method":"echo","params":{"args":["a"],"args":["b"]}}'
    equal(rpc.request(duplicate)[1]["error"], {"code": -8, "message": "Parameter args specified multiple times"})

    t.step("how memory is used")
    locked = rpc.getmemoryinfo()["locked"]
    check(locked["used"] > 0 and locked["chunks_used"] > 0 and locked["locked"] <= locked["total"], locked)
    equal(locked["used"] + locked["free"], locked["total"])
    contains(rpc.getmemoryinfo("mallocinfo"), re.compile('^<malloc version="1">'))
    fails(-8, "unknown mode foobar", rpc.getmemoryinfo, mode="foobar")

    t.step("values pass through unchanged")
    values = ["text", 5, True, None, [1, [2]], {"b": 1, "a": {}}, "é\u2028\n\"\\"]
    equal(rpc.echo(*values), values)
    node.stop()


main(run)
