"""Bitcoin Core's programs and ours on one data directory, and at the two ends of a socket.

`BITCOIN_CORE=<directory>` says where Core's `bitcoind`, `bitcoin-node` and `bitcoin-cli` are; skipped without.
"""

import json
import subprocess

from framework.programs import Core
from framework.scenario import main
from framework.util import check, equal, wait_until

PASSPHRASE = "correct horse"


def sorted_by(entries, *keys):
    """Entries in an order that does not depend on the program."""
    return sorted(entries, key=lambda entry: [str(entry.get(key)) for key in keys])


def wallet_state(wallet):
    """What a user sees of a wallet, as far as both programs show it alike."""
    info = wallet.getwalletinfo()
    fields = ("walletname", "format", "txcount", "private_keys_enabled", "descriptors", "birthtime", "keypoolsize")
    listed = ("address", "category", "amount", "label", "vout", "confirmations", "txid", "time")
    private = info["private_keys_enabled"] and info.get("unlocked_until") != 0
    return {
        "info": {key: info.get(key) for key in fields},
        "balances": wallet.getbalances(),
        "unspent": [{key: coin.get(key) for key in ("txid", "vout", "address", "label", "amount", "desc", "safe")}
                    for coin in sorted_by(wallet.listunspent(0), "txid", "vout")],
        "transactions": [{key: entry.get(key) for key in listed}
                         for entry in sorted_by(wallet.listtransactions("*", 1000), "txid", "category", "vout")],
        "descriptors": sorted_by(wallet.listdescriptors(private)["descriptors"], "desc"),
    }


def state(node):
    """What a user sees of chain, mempool and wallets."""
    node.sync()
    coins = node.rpc.gettxoutsetinfo("muhash")
    return {
        "tip": node.rpc.getbestblockhash(),
        "coins": {key: coins[key] for key in ("height", "txouts", "muhash", "total_amount")},
        "mempool": sorted(node.rpc.getrawmempool()),
        "wallets": {name: wallet_state(node.wallet(name)) for name in sorted(node.rpc.listwallets())},
    }


def same(got, expected, place=""):
    """Compares two states and names the first place where they differ."""
    if isinstance(expected, dict):
        equal(sorted(got), sorted(expected), f"keys of {place}")
        for key in expected:
            same(got[key], expected[key], f"{place}.{key}")
    elif isinstance(expected, list):
        equal(len(got), len(expected), f"entries of {place}")
        for index, entry in enumerate(expected):
            same(got[index], entry, f"{place}[{index}]")
    else:
        equal(got, expected, place)


def work(node):
    """Payments, addresses and blocks: whatever changes files."""
    plain, locked = node.wallet("plain"), node.wallet("locked")
    locked.walletpassphrase(PASSPHRASE, 600)
    plain.sendtoaddress(locked.getnewaddress("received", "bech32m"), 1)
    node.rpc.generatetoaddress(1, plain.getnewaddress("mined", "p2sh-segwit"))
    node.sync()
    locked.sendtoaddress(plain.getnewaddress("back"), 0.25)
    node.mine(1)
    locked.walletlock()
    # One that is left in the mempool.
    plain.sendtoaddress(node.wallet("watching").getnewaddress(), 2)
    node.sync()


def run(t):
    directory = Core.directory_given()
    if directory is None:
        t.skip("BITCOIN_CORE does not say where Core's programs are")
    ours, node = t.programs, t.node()

    t.step("a data directory of ours")
    node.start("-persistmempool")
    node.rpc.createwallet("plain", load_on_startup=True)
    node.rpc.createwallet("locked", passphrase=PASSPHRASE, load_on_startup=True)
    node.rpc.createwallet("watching", disable_private_keys=True, load_on_startup=True)
    public = node.wallet("plain").listdescriptors()["descriptors"]
    wanted = [{"desc": entry["desc"], "active": entry["active"], "internal": entry.get("internal", False),
               "range": entry["range"], "timestamp": "now"} for entry in public if entry["desc"].startswith("wpkh")]
    check(all(result["success"] for result in node.wallet("watching").importdescriptors(wanted)), "imported")
    node.rpc.generatetoaddress(110, node.wallet("plain").getnewaddress("mined"))
    work(node)
    expected = state(node)
    node.stop()

    for program, name in [(Core(directory), "Core"), (ours, "ours"), (Core(directory), "Core"), (ours, "ours")]:
        t.step(f"opened and worked with by {name}")
        node.programs = program
        node.start("-persistmempool")
        same(state(node), expected)
        work(node)
        expected = state(node)
        node.stop()

    t.step("their client, our node" if t.split else "a socket needs the split form")
    if not t.split:
        return
    tip = expected["tip"]

    def ask(cli, *request):
        command = [str(cli), f"-datadir={node.datadir}", "-ipcconnect=unix", *request]
        return subprocess.run(command, capture_output=True, text=True, timeout=t.timeout, check=False)

    for program, client in [(ours, Core(directory)), (Core(directory, "bitcoin-node"), ours)]:
        t.step(f"{program.node[0]} asked by {client.path('bitcoin-cli')}")
        node.programs = program
        node.start("-ipcbind=unix")
        done = wait_until(lambda client=client: (lambda done: done if done.returncode == 0 else None)(
            ask(client.path("bitcoin-cli"), "getbestblockhash")), "an answer over the socket")
        equal((done.stdout.strip(), done.stderr), (tip, ""))
        # Long enough to leave the message it belongs to, in either direction.
        long = "61" * 50_000
        done = ask(client.path("bitcoin-cli"), "submitblock", long)
        equal((done.returncode, done.stderr.splitlines()[-1:]), (22, ["Block decode failed"]))
        done = ask(client.path("bitcoin-cli"), "decodescript", long)
        equal(json.loads(done.stdout)["desc"].partition("#")[0], f"raw({long})")
        node.stop()


main(run)
