"""Rebuilding from the block files: -reindex, -reindex-chainstate, -loadblock, and where the files are."""

import os
import re
import stat

from framework.scenario import main
from framework.util import check, equal, wait_until


def run(t):
    node = t.node()
    rpc = node.start("-fastprune").rpc
    hashes = node.mine(300)
    expected = (300, hashes[-1], rpc.gettxoutsetinfo("muhash")["muhash"])
    blocks = node.chaindir / "blocks"

    def state():
        return (node.rpc.getblockcount(), node.rpc.getbestblockhash(), node.rpc.gettxoutsetinfo("muhash")["muhash"])

    t.step("-reindex and -reindex-chainstate come to the same chain")
    for option in ("-reindex", "-reindex-chainstate"):
        node.restart("-fastprune", option)
        wait_until(lambda: state() == expected, f"the chain is back after {option}")

    t.step("block files that cannot be written to are read all the same")
    node.stop()
    first, *others = sorted(blocks.glob("blk*.dat"))
    check(others, "the last file is another: to that one the node writes")
    os.chmod(first, stat.S_IRUSR)
    node.start("-fastprune", "-reindex")
    wait_until(lambda: state() == expected, "the chain is back")
    os.chmod(first, stat.S_IRUSR | stat.S_IWUSR)

    t.step("the obfuscation of the files")
    node.stop()
    key = blocks / "xor.dat"
    check(any(key.read_bytes()), "a new directory has a random key")
    node.refuses_to_start(re.compile("The blocksdir XOR-key can not be disabled when a random key was already stored!"),
                          "-fastprune", "-blocksxor=0")
    plain = t.node()
    plain.start("-blocksxor=0")
    plain.mine(2)
    plain.stop()
    file = (plain.chaindir / "blocks" / "blk00000.dat").read_bytes()
    check(file.startswith(bytes.fromhex("fabfb5da")), "without a key the file begins with the message start")

    t.step("-loadblock brings the blocks of a file")
    other = t.node()
    source = t.directory / "bootstrap.dat"
    key_bytes = key.read_bytes()
    data = b"".join(file.read_bytes() for file in sorted(blocks.glob("blk*.dat"))[:1])
    source.write_bytes(bytes(byte ^ key_bytes[at % len(key_bytes)] for at, byte in enumerate(data)))
    other.start(f"-loadblock={source}")
    wait_until(lambda: other.rpc.getblockcount() > 5, "the blocks of the first file are there")
    equal(other.rpc.getblockhash(5), hashes[4])
    other.stop()

    t.step("-stopafterblockimport ends the node when everything is imported")
    node.spawn("-fastprune", "-stopafterblockimport")
    node.wait_exit()

    t.step("-forcecompactdb compacts the databases at the start")
    with node.logs(r"Starting database compaction of .*blocks/index", r"Finished database compaction of .*chainstate"):
        node.start("-fastprune", "-forcecompactdb")
    equal(state(), expected)
    node.stop()

    t.step("-blocksdir keeps the files elsewhere")
    elsewhere = t.directory / "elsewhere"
    third = t.node()
    third.refuses_to_start(f'Error: Specified blocks directory "{elsewhere}" does not exist.', f"-blocksdir={elsewhere}")
    elsewhere.mkdir()
    third.start(f"-blocksdir={elsewhere}")
    third.mine(2)
    check((elsewhere / "regtest/blocks/blk00000.dat").exists(), "block files are there")
    check(not (third.chaindir / "blocks/blk00000.dat").exists(), "and not in the data directory")
    check((third.chaindir / "blocks/index").is_dir(), "but their index is")
    third.stop()

    t.step("undo files that are gone are a fatal error when they are needed, told in one line")
    fork = t.node()
    fork.start()
    node.start("-fastprune")
    for hash_ in hashes[:-1]:
        fork.rpc.submitblock(node.rpc.getblock(hash_, 0))
    better = [fork.rpc.getblock(hash_, 0) for hash_ in fork.mine(2, "raw(52)")]
    for file in blocks.glob("rev*.dat"):
        file.unlink()
    with node.logs("Failed to disconnect block"):
        for block in better:
            try:
                node.rpc.submitblock(block)
            except (OSError, AssertionError):
                pass  # the node may be gone before it answers
    node.wait_exit(1, "Error: A fatal internal error occurred, see debug.log for details: Failed to disconnect block.\n")
    fork.stop()


main(run)
