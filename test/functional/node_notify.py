"""The user's commands: at the start, at each block, on a warning, at the end."""

from framework.scenario import main
from framework.util import equal, wait_until


def run(t):
    node = t.node()
    notes = t.directory / "notes"
    notes.mkdir()
    node.start(f"-startupnotify=touch {notes}/started",
               f"-blocknotify=touch {notes}/block-%s",
               f"-alertnotify=echo %s >> {notes}/alert",
               f"-shutdownnotify=touch {notes}/stopped-1", f"-shutdownnotify=touch {notes}/stopped-2")

    t.step("-startupnotify")
    wait_until((notes / "started").exists, "the command at the start ran")

    t.step("-blocknotify, once the chain is up to date")
    hashes = node.mine(4)
    # The first block ends initial download; from then on every block is told.
    for hash_ in hashes[1:]:
        wait_until((notes / f"block-{hash_}").exists, f"the command for {hash_} ran")

    t.step("-alertnotify: half of the last hundred blocks have an unknown version bit")
    node.stop()
    equal(sorted(file.name for file in notes.glob("stopped-*")), ["stopped-1", "stopped-2"], "-shutdownnotify")
    node.start("-blockversion=536870920", f"-alertnotify=echo %s >> {notes}/alert")
    node.mine(144 * 3)
    wait_until((notes / "alert").exists, "the command for a warning ran")
    wait_until((notes / "alert").read_text, "and wrote what it was told")
    equal((notes / "alert").read_text(), "Unknown new rules activated (versionbit 3)\n")
    warnings = node.rpc.getblockchaininfo()["warnings"]
    equal([w for w in warnings if "versionbit" in w], ["Unknown new rules activated (versionbit 3)"])
    node.stop()


main(run)
