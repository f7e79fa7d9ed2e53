"""A damaged block file: one clear line and exit code 1, and a way back."""

import re

from framework.scenario import main
from framework.util import check, contains, equal, wait_until


def run(t):
    node = t.node()
    node.start()
    hashes = node.mine(20)
    node.stop()
    blocks = node.chaindir / "blocks" / "blk00000.dat"
    good = blocks.read_bytes()

    t.step("the last blocks are overwritten")
    used = len(good.rstrip(b"\0"))
    check(used > 4000, "the block file is smaller than 20 blocks")
    blocks.write_bytes(good[:used - 500] + bytes(500) + good[used:])
    # What a user could be asked in a window is said without the word Error, as in Core.
    node.refuses_to_start("Corrupted block database detected.\n"
                          "Please restart with -reindex or -reindex-chainstate to recover.")
    contains(node.log_text(), re.compile(r"ERROR|error", re.I))
    check(not (node.chaindir / ".cookie").exists(), "the cookie is left behind")

    t.step("-reindex keeps what can be read")
    start = len(node.log_text())
    node.start("-reindex")
    wait_until(lambda: "initload thread exit" in node.log_text()[start:], "the block files are read")
    node.sync()
    height = node.rpc.getblockcount()
    check(15 <= height < 20, f"height after -reindex is {height}")
    equal(node.rpc.getbestblockhash(), hashes[height - 1])
    node.mine(3)
    node.stop()

    t.step("the file is gone")
    blocks.unlink()
    hint = r"^[^\n]+\.\nPlease restart with -reindex or -reindex-chainstate to recover\.\n\Z"
    node.refuses_to_start(re.compile(hint))

    t.step("the block index is damaged")
    index = node.chaindir / "blocks" / "index"
    for file in index.iterdir():
        if file.name.startswith("MANIFEST"):
            file.write_bytes(b"damaged")
    node.refuses_to_start(re.compile(hint))


main(run)
