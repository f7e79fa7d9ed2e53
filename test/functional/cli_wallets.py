"""bitcoin-cli with wallets: -rpcwallet, -generate, -getinfo with balances, passphrases from standard input."""

import json

from framework.scenario import main
from framework.util import contains, equal, excludes


def info(node, *words):
    """The lines of -getinfo as a dictionary, and the whole text."""
    code, out, err = node.cli("-getinfo", *words)
    equal((code, err), (0, ""))
    return dict(line.split(": ", 1) for line in out.splitlines() if ": " in line), out


def run(t):
    node = t.node()
    rpc = node.start().rpc

    t.step("no wallet")
    equal(node.cli("getbalance"), (18, "", "error code: -18\nerror message:\nNo wallet is loaded. Load a wallet using "
                                           "loadwallet or create a new one with createwallet. (Note: A default wallet "
                                           "is no longer automatically created)\n"))
    fields, text = info(node)
    excludes(text, "Balance")
    equal(node.cli("listwallets"), (0, "[\n]\n", ""))

    t.step("one wallet needs no name")
    equal(json.loads(node.cli("-named", "createwallet", "wallet_name=first wallet")[1])["name"], "first wallet")
    made = json.loads(node.cli("-generate", 101)[1])
    equal((sorted(made), len(made["blocks"]), rpc.getblockcount()), (["address", "blocks"], 101, 101))
    equal(json.loads(node.cli("-generate")[1])["blocks"], [rpc.getbestblockhash()])
    node.sync()
    fields, _ = info(node)
    equal((fields["Wallet"], fields["Balance"]), ("first wallet", "100.00000000"))

    t.step("-generate with bad arguments")
    for words, message in (
        (("foo",), "Error parsing JSON: foo"),
        ((0,), "the first argument (number of blocks to generate, default: 1) must be an integer value greater than "
               "zero"),
        ((1, 2, 3), "too many arguments (maximum 2 for nblocks and maxtries)"),
    ):
        equal(node.cli("-generate", *words), (1, "", f"error: {message}\n"))

    t.step("several wallets need one")
    rpc.createwallet("second")
    code, _, err = node.cli("getbalance")
    equal((code, err), (19, "error code: -19\nerror message:\nMultiple wallets are loaded. Please select which wallet "
                            "to use by requesting the RPC through the /wallet/<walletname> URI path. Or for the CLI, "
                            'specify the "-rpcwallet=<walletname>" option before the command (run "bitcoin-cli -h" for '
                            'help or "bitcoin-cli listwallets" to see which wallets are currently loaded).\n'))
    equal(node.cli("-rpcwallet=second", "getbalance"), (0, "0.00000000\n", ""))
    equal(node.cli("-rpcwallet=first wallet", "getbalance"), (0, "100.00000000\n", ""))
    missing = (18, "", "error code: -18\nerror message:\nRequested wallet does not exist or is not loaded\n")
    equal(node.cli("-rpcwallet=third", "getbalance"), missing)
    equal(node.cli("-rpcwallet=third", "-generate"), missing)

    t.step("-getinfo with several")
    fields, text = info(node)
    contains(text, "\nBalances\n100.00000000 first wallet\n  0.00000000 second\n\n")
    excludes(text, "Wallet: ")
    fields, text = info(node, "-rpcwallet=second")
    equal((fields["Wallet"], fields["Balance"]), ("second", "0.00000000"))
    excludes(text, "Balances")

    t.step("a passphrase on standard input")
    equal(node.cli("-rpcwallet=second", "encryptwallet", "pass phrase")[0], 0)
    equal(node.cli("-rpcwallet=second", "-stdinwalletpassphrase", "walletpassphrase", 60, stdin="pass phrase\n"),
          (0, "", ""))
    fields, _ = info(node, "-rpcwallet=second")
    contains(fields, "Unlocked until")
    equal(node.cli("-rpcwallet=second", "-stdin", "walletpassphrase", stdin="wrong\n60\n"),
          (14, "", "error code: -14\nerror message:\nError: The wallet passphrase entered was incorrect.\n"))
    node.stop()


main(run)
