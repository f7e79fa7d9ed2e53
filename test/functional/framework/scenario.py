"""What a scenario gets and how it is run.

A scenario is a file with a docstring, a function `run(t)` and `main(run)` at its end. It passes by returning, fails by
any exception and skips itself with `t.skip(reason)`.
"""

import argparse
import pathlib
import shutil
import sys
import tempfile
import time
import traceback

from .node import Node
from .programs import Programs

SKIPPED = 77


class Skip(Exception):
    """The scenario does not apply here."""


class Test:
    """The test in progress: makes nodes, reports steps, cleans up."""

    def __init__(self, directory, timeout):
        self.directory, self.timeout = pathlib.Path(directory), timeout
        self.programs = Programs()
        self.nodes = []
        self.keep = False   # leave the data directories, whatever was asked for

    @property
    def split(self):
        """Whether node and wallet are separate processes in the form under test."""
        return self.programs.split

    def node(self, chain="regtest"):
        """A new node, not started, in a directory of its own."""
        node = Node(self.programs, self.directory / f"node{len(self.nodes)}", self.timeout, chain)
        self.nodes.append(node)
        return node

    def step(self, text):
        """Says what is tested next."""
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)

    def skip(self, reason):
        """Ends the scenario as skipped."""
        raise Skip(reason)

    def skip_unless_split(self):
        """Ends a scenario that is about separate processes where there are none."""
        if not self.split:
            self.skip("only for the split form")

    def need(self, program):
        """The path of a program beside the node; fails where it is missing."""
        path = self.programs.path(program)
        if path is None:
            raise AssertionError(f"{program} is not beside {self.programs.node[0]}")
        return path

    def clean_up(self):
        """Ends every process of the test."""
        for node in self.nodes:
            node.destroy()


def main(run):
    """Runs one scenario as a program of its own."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--tmpdir", help="where to put the data directories (default: a new temporary directory)")
    parser.add_argument("--keep", action="store_true", help="leave the data directories")
    parser.add_argument("--timeout", type=int, default=60, help="seconds to wait for a node (default: 60)")
    options = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="functional-", dir=options.tmpdir)
    test = Test(directory, options.timeout)
    code = 0
    try:
        run(test)
    except Skip as reason:
        print(f"skipped: {reason}")
        code = SKIPPED
    except BaseException:  # pylint: disable=broad-except  # an interrupt is a failure too, after cleaning up
        traceback.print_exc()
        code = 1
    finally:
        test.clean_up()
    if code == 1:
        for node in test.nodes:
            tail = node.log_text().splitlines()[-15:]
            print("\n".join([f"--- last lines of {node.log}", *tail]))
    if options.keep or test.keep:
        print(f"kept: {directory}")
    else:
        shutil.rmtree(directory, ignore_errors=True)
    sys.stdout.flush()
    sys.exit(code)
