"""Which programs are tested.

`BITCOIND` names the node: a name is looked up in `src/`, where `make` places links, anything with a slash is a path.
`BITCOIN_CMD` (for example `bitcoin -m`) starts the node through the wrapper instead.
"""

import copy
import os
import pathlib
import shlex
import shutil

ROOT = pathlib.Path(__file__).resolve().parents[3]


class Programs:
    """The node's command line and the programs beside it."""

    def __init__(self):
        wrapper = shlex.split(os.environ.get("BITCOIN_CMD", ""))
        name = wrapper[0] if wrapper else os.environ.get("BITCOIND", "bitcoind")
        path = pathlib.Path(name).absolute() if "/" in name else ROOT / "src" / name
        if not path.exists():
            raise SystemExit(f"'{path}' is not there: build it first (make), or set BITCOIND to a program's path")
        self.directory = path.parent
        self.node = [str(path), *wrapper[1:], "node"] if wrapper else [str(path)]
        self.split = "-m" in wrapper if wrapper else path.resolve().name == "bitcoin-node"

    @property
    def node_name(self):
        """The name the node's own texts use."""
        return "bitcoin-node" if self.split else "bitcoind"

    def prefixed(self, command):
        """The same programs, the node started by a command in front of its own."""
        programs = copy.copy(self)
        programs.node = [*command, *self.node]
        return programs

    def copied(self, directory):
        """Copies of the programs in a new directory that every user may read: a clone may be in one that others cannot enter."""
        directory.mkdir(mode=0o755)
        for name in ("bitcoind", "bitcoin-node", "bitcoin-wallet", "bitcoin", "bitcoin-cli"):
            if (path := self.path(name)) is not None:
                shutil.copy(path, directory / name)
                (directory / name).chmod(0o755)
        programs = copy.copy(self)
        programs.directory = directory
        programs.node = [str(directory / pathlib.Path(self.node[0]).resolve().name), *self.node[1:]]
        return programs

    def path(self, name):
        """A program beside the node, or `None`."""
        path = self.directory / name
        if not path.exists():
            path = pathlib.Path(self.node[0]).resolve().parent / name
        return path if path.exists() else None


class Core:
    """Bitcoin Core's programs in place of ours. `BITCOIN_CORE` names the directory that they are in."""

    split, node_name = False, "bitcoind"

    def __init__(self, directory, node="bitcoind"):
        self.directory = pathlib.Path(directory)
        self.node = [str(self.directory / node)]

    @staticmethod
    def directory_given():
        """The directory that `BITCOIN_CORE` names, or `None`."""
        return os.environ.get("BITCOIN_CORE") or None

    def path(self, name):
        """A program of Core's."""
        return self.directory / name
