"""Programs of different releases: node and wallet say so and name both versions; for other clients it does not matter."""

import copy
import os
import re
import shlex
import shutil
import signal
import sys
import time

from framework import stranger
from framework.rpc import RpcError
from framework.scenario import main
from framework.util import check, contains, equal, excludes, wait_until


def version(program):
    """The version that a program has."""
    return re.search(r"version v([\d.]+)", os.popen(f"{shlex.quote(str(program))} -version").readline())[1]


def released(program, path, number):
    """The same program of another release: with that number in the place of its own, which is as long."""
    own = version(program).encode()
    data = program.read_bytes()
    check(data.count(own) > 0, f"{program} holds its version")
    replace(path, data.replace(own, number.encode()))
    equal(version(path), number)


def replace(path, data):
    """Puts a program in the place of another, which may be running, as packages do."""
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.chmod(0o755)
    new.rename(path)


def run(t):
    t.skip_unless_split()
    ours = {name: t.need(name).resolve() for name in ("bitcoin-node", "bitcoin-wallet", "bitcoin-cli")}
    own = version(ours["bitcoin-node"])
    major, rest = own.split(".", 1)
    older, newer = (f"{int(major) + step}.{rest}" for step in (-1, 1))
    advice = "install both from one release"
    bin_directory = t.directory / "bin"
    bin_directory.mkdir()
    wallet = bin_directory / "bitcoin-wallet"
    programs = copy.copy(t.programs)
    programs.directory, programs.node = bin_directory, [str(bin_directory / "bitcoin-node")]
    # Not a link, or the wallet beside what it leads to would do as well.
    shutil.copy(ours["bitcoin-node"], bin_directory)
    node = t.node()
    node.programs = programs

    t.step("a node does not start with a wallet of another release")
    for number in (older, newer):
        released(ours["bitcoin-wallet"], wallet, number)
        skew = f"bitcoin-node is version v{own}, bitcoin-wallet is version v{number}: {advice}"
        node.refuses_to_start(f"Error: Cannot start the wallet: {skew}")

    t.step("nor with one that would not mind, or does not say which it is")

    def play(*introduce):
        command = shlex.join([sys.executable, stranger.__file__, *introduce])
        replace(wallet, f'#!/bin/sh\nexec {command} "$@"\n'.encode())

    play("bitcoin-wallet", "v30.2.0", "", "")
    node.refuses_to_start(f"Error: Cannot start the wallet: bitcoin-wallet is version v30.2.0, bitcoin-node is version v{own}: "
                          f"{advice}")
    play()
    node.refuses_to_start(f"Error: Cannot start the wallet: bitcoin-wallet does not say its version, bitcoin-node is version "
                          f"v{own}: {advice}")
    # It has not come to have one.
    excludes(node.log_text(), "wallet.log")

    t.step("a node whose wallet is replaced while it runs goes on, and says what is wrong until it is put right")
    shutil.copy(ours["bitcoin-wallet"], wallet)
    node.start("-ipcbind=unix", "-debug=ipc")
    node.rpc.createwallet("w")
    released(ours["bitcoin-wallet"], wallet, newer)
    skew = f"bitcoin-node is version v{own}, bitcoin-wallet is version v{newer}: {advice}"
    with node.logs(rf"\[warning\] the wallet process cannot be connected to: {re.escape(skew)}; next attempt in"):
        os.kill(node.wallet_pid, signal.SIGKILL)

    def wallets():
        try:
            return node.rpc.listwallets()
        except RpcError as error:
            return error

    def works_without(wallets_cannot, height):
        # Until the first attempt has failed, it is only gone.
        error = wait_until(lambda: getattr(error := wallets(), "code", -9) != -9 and error, "the error says why")
        equal((error.code, error.message), (-1, f"The wallet process cannot be started: {wallets_cannot}"))
        equal(len(node.mine(1)), 1)
        equal(node.rpc.getblockcount(), height)
        replace(wallet, ours["bitcoin-wallet"].read_bytes())
        equal(wait_until(lambda: isinstance(wallets(), list) and wallets(), "the wallets are back"), ["w"])

    works_without(skew, 1)
    equal(node.log_text().count("wallet.log"), 1, "lines that blame what was killed")

    t.step("so does one whose wallet is removed")
    wallet.unlink()
    os.kill(node.wallet_pid, signal.SIGKILL)
    places = " or ".join(f"{bin_directory}/{place}bitcoin-wallet" for place in ("", "../libexec/", "../bin/"))
    works_without(f"bitcoin-wallet not found at {places}; install it there; reinstall it, or start with -disablewallet", 2)

    t.step("clients of other releases are served, and the log says which they are")
    cli = bin_directory / "bitcoin-cli"
    for number in (older, newer):
        released(ours["bitcoin-cli"], cli, number)
        with node.logs(f"bitcoin-cli v{re.escape(number)}"):
            equal(node.cli("-ipcconnect=unix", "getblockcount"), (0, "2\n", ""))
    node.stop()

    t.step("a client that a node of another release turns away says why")
    os.unlink(node.chaindir / "node.sock")
    skew = f"bitcoin-cli is version v{newer}, bitcoin-node is version v99.0.0"
    with stranger.Stranger(skew).listen(node.chaindir / "node.sock"):
        equal(node.cli("-ipcconnect=unix", "getblockcount"), (1, "", f"error: {skew}\n"))
    # One that does not say who it is may still have what is asked for; this one has not.
    with stranger.Stranger(None).listen(node.chaindir / "node.sock"):
        code, out, err = node.cli("-ipcconnect=unix", "getblockcount")
        equal((code, out), (1, ""))
        contains(err, "the node does not offer RPC on this socket")

    t.step("a node stops in time that waits for a wallet which says nothing")
    node.start()
    replace(wallet, b"#!/bin/sh\nexec sleep 1000\n")
    with node.logs("wallet process [0-9]+ started"):
        os.kill(node.wallet_pid, signal.SIGKILL)
    start = time.monotonic()
    node.stop()
    took = time.monotonic() - start
    check(took < 10, f"the end took {took} s")


main(run)
