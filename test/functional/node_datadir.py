"""The data directory: used twice, not writable, not there; and a port that is taken. One clear line, exit code 1."""

import os
import re
import socket

from framework.scenario import main
from framework.util import check, contains, equal


def run(t):
    node = t.node()

    t.step("a directory in use is refused, and the node that uses it is not disturbed")
    node.start()
    second = t.node()
    second.refuses_to_start(
        f"Error: Cannot obtain a lock on directory {node.chaindir}. Bitcoin Core is probably already running.",
        f"-datadir={node.datadir}", f"-rpcport={second.rpc_port}")
    equal(node.rpc.getblockcount(), 0)
    check((node.chaindir / ".cookie").exists(), "the second node took the first one's cookie away")

    t.step("an RPC port in use is refused")
    node.stop()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", node.rpc_port))
        taken.listen()
        # Localhost has two addresses; one that is free is enough for Core, so only the taken one is asked for.
        node.refuses_to_start("Error: Unable to start HTTP server. See debug log for details.",
                              "-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1")
        contains(node.log_text(), re.compile(rf"Binding RPC on address 127\.0\.0\.1(:| port ){node.rpc_port} failed"))
    node.start()
    node.stop()

    t.step("directories that cannot be made, for root too: a file is in the way")
    other = t.node()
    (other.datadir / "regtest").write_text("in the way")
    in_the_way = re.escape(str(other.chaindir))
    other.refuses_to_start(re.compile(rf"^Error: ([^\n]+:\n- )?[^\n]*{in_the_way}[^\n]*\n$"))
    equal((other.datadir / "regtest").read_text(), "in the way")
    below = other.datadir / "regtest" / "below"
    other.refuses_to_start(f'Error: Specified data directory "{below}" does not exist.', f"-datadir={below}")
    (other.datadir / "regtest").unlink()
    other.refuses_to_start(f'Error: Specified blocks directory "{below}" does not exist.', f"-blocksdir={below}")

    t.step("a directory that nobody can write to")
    if os.geteuid() == 0:
        read_only = "/proc/self"
    else:
        read_only = other.datadir / "read-only"
        read_only.mkdir(mode=0o500)
    other.refuses_to_start(re.compile(rf"^Error: [^\n]*{read_only}[^\n]*\n$"), f"-datadir={read_only}",
                           f"-conf={node.conf}")

    t.step("settings.json that is not JSON")
    node.chaindir.joinpath("settings.json").write_text("{nonsense")
    settings = node.chaindir / "settings.json"
    node.refuses_to_start(f"Error: Settings file could not be read:\n- Settings file {settings} does not contain valid "
                          "JSON. This may be caused by a crash, power loss, full disk, or storage error, and can be "
                          "fixed by removing the file, which will reset settings to default values.")
    settings.unlink()
    node.start()
    node.stop()


main(run)
