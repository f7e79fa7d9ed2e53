"""A node that catches up shows how far it is, in one line below its log, where that is shown on a terminal."""

import fcntl
import os
import pty
import re
import struct
import termios
import threading

from framework.scenario import main
from framework.util import check, equal, excludes, wait_until

CLEAR = "\r\x1b[K"


class Terminal:
    """What a program shows on a terminal of 60 columns."""

    def __init__(self):
        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
        self.bytes = b""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            while part := os.read(self.ours, 1 << 16):
                self.bytes += part
        except OSError:
            pass  # the program is gone

    def text(self):
        """All that was written, with plain ends of lines."""
        return self.bytes.decode().replace("\r\n", "\n")


def run(t):
    node, late = t.node(), t.node()
    # Blocks from long ago, so that the other catches up until it has the last.
    node.start(*node.LISTEN, "-mocktime=1600000000")
    node.mine(800)

    t.step("on a terminal")
    terminal = Terminal()
    late.spawn("-printtoconsole", stdout=terminal.theirs)
    late.wait_ready()
    late.connect(node)
    wait_until(lambda: late.rpc.getblockcount() == 800, "all blocks are there")
    late.stop()
    wait_until(lambda: "Shutdown done" in terminal.text(), "all was shown")
    text = terminal.text()
    shown = re.findall(r"Synchronizing: block (\d+) of (\d+) \([\d.]+ %\)\r", text)
    check(shown, "the line was shown")
    equal(sorted(int(height) for height, _ in shown), [int(height) for height, _ in shown], "heights")
    t.step("no line of the log is disturbed by it")
    for line in text.split("\n"):
        for part in line.split(CLEAR):
            whole = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", part)
            check(not part or whole or re.fullmatch(r"(Synchronizing|Looking)[^\r\n]{1,47}\r", part), repr(part))
    check("Synchronizing" not in text.rpartition(CLEAR)[2], "it is taken away at the end")
    excludes(late.log_text(), "Synchronizing: block", "debug.log")

    t.step("not where there is no terminal")
    late.start("-printtoconsole", "-reindex-chainstate")
    equal(late.rpc.getblockcount(), 800)
    late.stop()
    excludes(late.out.read_text(), re.compile("Synchronizing:|Reindexing:|\r|\x1b"), "standard output")
    node.stop()


main(run)
