"""Output nobody can take: no program panics; each exits with the status of what it did, or dies of SIGPIPE."""

import os
import signal
import subprocess

from framework.scenario import main
from framework.util import check, equal

FULL = "/dev/full"


def closed_pipe():
    """The writing end of a pipe that nobody reads, as in `program | true` once that is over."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def status(command, stdout=None, stderr=None):
    """Runs a command with these descriptors for its output; returns its status and what it said on the other stream."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, timeout=60,
                          stdout=stdout if stdout is not None else subprocess.PIPE,
                          stderr=stderr if stderr is not None else subprocess.PIPE)
    return done.returncode, (done.stdout or b"") + (done.stderr or b"")


def run(t):
    node = t.node()
    node.start()
    datadir = f"-datadir={node.datadir}"
    # Each program: what it prints to standard output with status 0, and what it refuses on standard error with another.
    cases = {
        "node": (node.programs.node, ["-help", "-help-debug", "-version"], [["-nosuchoption"], [datadir, "stray"]]),
    }
    for name, good, bad in (
        ("bitcoin-cli", ["-help", "-version", "help", "getblockchaininfo", "-getinfo", "-netinfo"],
         [["-nosuchoption"], [datadir, "nosuch"], [datadir, "getblockhash", "99"], [datadir, "-rpcport=1", "help"]]),
        ("bitcoin-wallet", ["-help", "-version"], [["-nosuchoption"], []]),
        ("bitcoin", ["--help", "--version"], [["nosuchcommand"], ["--nosuchoption"]]),
    ):
        program = node.programs.path(name)
        if program is not None:
            cases[name] = ([program], good, bad)
    check("bitcoin-cli" in cases, "there is a client to be tested")

    for name, (program, good, bad) in cases.items():
        t.step(name)
        for word in good:
            command = [*program, *([datadir] if name == "bitcoin-cli" else []), word]
            equal(status(command)[0], 0, f"{command}")
            with open(FULL, "wb") as full:
                equal(status(command, stdout=full), (0, b""), f"{command} >{FULL}")
            pipe = closed_pipe()
            code, said = status(command, stdout=pipe)
            os.close(pipe)
            check(code in (0, -signal.SIGPIPE), f"{command} | true: {code}")
            equal(said, b"", f"{command} | true")
        for words in bad:
            command = [*program, *words]
            expected = status(command)[0]
            check(0 < expected < 101, f"{command}: {expected}")
            with open(FULL, "wb") as full:
                equal(status(command, stderr=full)[0], expected, f"{command} 2>{FULL}")
                equal(status(command, stdout=full, stderr=full)[0], expected, f"{command} >{FULL} 2>&1")
            pipe = closed_pipe()
            code, _ = status(command, stderr=pipe)
            os.close(pipe)
            check(code in (expected, -signal.SIGPIPE), f"{command} 2>&1 >/dev/null | true: {code}")
    node.stop()

    t.step("a node whose warnings nobody can take runs all the same")
    with open(FULL, "wb") as full:
        equal(status([*node.programs.node, datadir, "-daemonwait"], stdout=full, stderr=full)[0], 0)
    equal(node.cli("-rpcwait", "stop")[0], 0)


main(run)
