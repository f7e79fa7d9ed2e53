"""The `bitcoin` command: which program it starts, what it passes on, what it says when it cannot."""

import os
import shutil
import subprocess

from framework.scenario import main
from framework.util import check, contains, equal


def call(program, *words, **options):
    """Runs the wrapper: exit code, standard output, standard error."""
    done = subprocess.run([str(program), *map(str, words)], capture_output=True, text=True, timeout=60, **options)
    return done.returncode, done.stdout, done.stderr


def fake(path):
    """A program that prints its name and arguments and exits with 3."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('#!/bin/sh\necho "$(basename "$0")" "$@"\nexit 3\n')
    path.chmod(0o755)


def run(t):
    wrapper = t.need("bitcoin")

    t.step("help and version")
    code, out, err = call(wrapper)
    equal((code, err), (1, ""))
    contains(out, "Usage: bitcoin [OPTIONS] COMMAND...\n")
    contains(out, "Run 'bitcoin help' to see additional commands")
    for word in ("help", "-h", "--help"):
        code, full, err = call(wrapper, word)
        equal((code, err), (0, ""))
        contains(full, "  chainstate [ARGS]")
    for word in ("-v", "--version"):
        code, out, err = call(wrapper, word)
        equal((code, err, out.splitlines()[0].split("-")[0]), (0, "", "Bitcoin Core version v31.99.0"))

    t.step("mistakes")
    hint = f"Try '{wrapper} --help' for more information.\n"
    equal(call(wrapper, "-x", "node"), (1, "", f"Error: Unknown option: -x\n{hint}"))
    equal(call(wrapper, "frob"), (1, "", f"Error: Unrecognized command: 'frob'\n{hint}"))

    t.step("an installation: programs beside the wrapper and in libexec")
    prefix = t.directory / "prefix"
    installed = prefix / "bin" / "bitcoin"
    installed.parent.mkdir(parents=True)
    shutil.copy2(wrapper.resolve(), installed)
    for name in ("bitcoind", "bitcoin-cli", "bitcoin-wallet"):
        fake(prefix / "bin" / name)
    for name in ("bitcoin-node", "bitcoin-gui", "bitcoin-wallet"):
        fake(prefix / "libexec" / name)
    empty = t.directory / "empty"
    empty.mkdir()
    datadir = f"-datadir={empty}"
    for words, expected in (
        (("node", datadir, "-regtest"), f"bitcoind {datadir} -regtest"),
        (("-M", "node", "-ipcbind=unix"), "bitcoind -ipcbind=unix"),
        (("-m", "node", datadir, "-m"), f"bitcoin-node {datadir} -m"),
        (("node", datadir, "-ipcbind=unix"), f"bitcoin-node {datadir} -ipcbind=unix"),
        (("-m", "gui"), "bitcoin-gui"),
        (("rpc", "getblock", "x=1"), "bitcoin-cli -named getblock x=1"),
        (("wallet", "info"), "bitcoin-wallet info"),
    ):
        equal(call(installed, *words), (3, expected + "\n", ""), words)

    t.step("libexec comes first, and a missing program is named")
    (prefix / "libexec" / "bitcoin-wallet").write_text("#!/bin/sh\necho from libexec\n")
    equal(call(installed, "wallet"), (0, "from libexec\n", ""))
    code, _, err = call(installed, "tx")
    equal(code, 1)
    contains(err, f"{prefix}/bin/bitcoin-tx")
    (prefix / "bin" / "bitcoin-cli").chmod(0o644)
    code, _, err = call(installed, "rpc")
    equal(code, 1)
    contains(err, f"'{prefix}/bin/bitcoin-cli'")

    t.step("the configuration file decides too")
    (empty / "bitcoin.conf").write_text("ipcbind=unix\n")
    equal(call(installed, "node", datadir), (3, f"bitcoin-node {datadir}\n", ""))

    t.step("found through a link and through the search path")
    link = t.directory / "link"
    link.symlink_to(installed)
    equal(call(link, "wallet"), (0, "from libexec\n", ""))
    path = f"{installed.parent}{os.pathsep}{os.environ['PATH']}"
    shell = ["sh", "-c", "bitcoin -M node -here"]
    done = subprocess.run(shell, capture_output=True, text=True, timeout=60, env=dict(os.environ, PATH=path))
    equal((done.returncode, done.stdout), (3, "bitcoind -here\n"))

    t.step("the real programs")
    form = "-m" if t.split else "-M"
    code, out, err = call(wrapper, form, "node", "-version")
    equal((code, err), (0, ""))
    equal(out.splitlines()[0].split()[-1], t.programs.node_name)
    code, out, _ = call(wrapper, "rpc", "-version")
    check(code == 0 and out.startswith("Bitcoin Core RPC client version"), out)


main(run)
