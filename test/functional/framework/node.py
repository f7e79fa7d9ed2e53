"""One node: its data directory, its process, its log, its RPC."""

import contextlib
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess

from . import process
from .rpc import Rpc
from .util import Failure, check, equal, wait_until


def free_port():
    """A TCP port of the local host that nothing listens on.

    Taken below the range the system uses for outgoing connections, so that none of those can take it meanwhile.
    """
    while True:
        port = random.randrange(11000, 32000)
        with socket.socket() as probe:
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


class Node:
    """A node in a directory of its own."""

    def __init__(self, programs, directory, timeout, chain="regtest"):
        self.programs, self.directory, self.timeout = programs, pathlib.Path(directory), timeout
        self.datadir = self.directory / "data"
        self.datadir.mkdir(parents=True)
        self.chain = chain
        self.rpc_port, self.p2p_port = free_port(), free_port()
        self.process, self.group, self._rpc, self._runs = None, None, None, 0
        self.write_conf()

    # Files

    @property
    def chaindir(self):
        """The directory of the chain below the data directory."""
        return self.datadir / {"main": "", "test": "testnet3"}.get(self.chain, self.chain)

    @property
    def conf(self):
        """Path of bitcoin.conf."""
        return self.datadir / "bitcoin.conf"

    @property
    def log(self):
        """Path of debug.log."""
        return self.chaindir / "debug.log"

    def write_conf(self, top="", section=""):
        """Writes bitcoin.conf: what every test needs, and more lines for the top and for the chain's section."""
        self.conf.write_text(
            f"chain={self.chain}\nprinttoconsole=0\nshrinkdebugfile=0\nfallbackfee=0.0002\nkeypool=5\nlisten=0\nrpcdoccheck=1\n"
            f"dnsseed=0\nfixedseeds=0\n{top}\n[{self.chain}]\nconnect=0\n"
            # Coins that anyone can spend are in scripts no standard wallet uses.
            f"{'' if self.chain == 'main' else 'acceptnonstdtxn=1'}\n"
            f"rpcport={self.rpc_port}\nport={self.p2p_port}\n{section}\n")

    def log_text(self):
        """All that debug.log holds."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def all_logs(self):
        """Every log file and every captured stream of every process of this node."""
        files = [f for f in self.directory.rglob("*") if f.suffix in (".log", ".out", ".err") and f.is_file()]
        return {f: f.read_text(errors="replace") for f in files}

    @contextlib.contextmanager
    def logs(self, *expected, timeout=20):
        """Checks that each pattern appears in debug.log between here and the end of the block."""
        start = self.log.stat().st_size if self.log.exists() else 0

        def new():
            with open(self.log, errors="replace") as file:
                file.seek(start)
                return file.read()

        yield
        for pattern in expected:
            wait_until(lambda: re.search(pattern, new(), re.M), f"{pattern!r} in {self.log}", timeout)

    # Process

    def spawn(self, *args, pass_fds=(), stdout=None):
        """Starts the process, with descriptors it is to have, and does not wait for it. `stdout` is one for its output."""
        check(self.process is None, "the node is already running")
        self._runs += 1
        self.out, self.err = (self.directory / f"run{self._runs}.{kind}" for kind in ("out", "err"))
        command = [*self.programs.node, f"-datadir={self.datadir}", *args]
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            # Its own session: a signal to the group reaches the node and its children and nothing else.
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out if stdout is None else stdout,
                                            stderr=err, start_new_session=True, pass_fds=pass_fds)
        self.group = self.process.pid

    def start(self, *args):
        """Starts the node and waits until it answers."""
        self.spawn(*args)
        self.wait_ready()
        return self

    def wait_ready(self):
        """Waits until the node's start is finished and it answers."""

        def ready():
            if self.process.poll() is not None:
                raise Failure(f"the node ended with {self.process.returncode}: {self.err.read_text()[-2000:]}")
            try:
                status, reply = self.new_rpc().request({"id": 1, "method": "getblockcount", "params": []})
            except OSError:
                return False
            if status == 401:
                return False  # a killed node left its cookie, and the new one is not written yet
            check(isinstance(reply, dict), f"HTTP {status}: {reply!r}")
            check(reply["error"] is None or reply["error"]["code"] == -28, reply["error"])
            return reply["error"] is None

        def loaded():
            _, reply = self.new_rpc().request({"id": 1, "method": "getmempoolinfo", "params": []})
            return reply["result"]["loaded"]

        wait_until(ready, "the node answers", self.timeout)
        # What was stored is imported, and the mempool read, while the node answers already.
        wait_until(loaded, "the mempool is loaded", self.timeout)
        self._rpc = None

    def stop(self, code=0, stderr=""):
        """Stops the node over RPC and checks how it ends."""
        equal(self.rpc.stop(), "Bitcoin Core stopping")
        self.wait_exit(code, stderr)

    def restart(self, *args):
        """Stops and starts again."""
        self.stop()
        return self.start(*args)

    def wait_exit(self, code=0, stderr=""):
        """Waits for the end and checks exit code and standard error (a string, or a compiled pattern)."""
        try:
            got = self.process.wait(self.timeout)
        except subprocess.TimeoutExpired:
            raise Failure(f"the node still runs after {self.timeout} s") from None
        text = self.err.read_text()
        if text.strip():
            text = text.rstrip("\n") + "\n"  # some messages end in an empty line, here as in Core
        self.process = None
        if self._rpc:
            self._rpc.close()
        self._rpc = None
        equal(got, code, f"exit code (standard error: {text[-1500:]!r})")
        if isinstance(stderr, re.Pattern):
            check(stderr.search(text), f"standard error is {text!r}, expected {stderr.pattern!r}")
        elif stderr is not None:
            equal(text, stderr, "standard error")

    def refuses_to_start(self, message, *args):
        """Checks that the node ends with code 1 and exactly this message (or a match of a compiled pattern)."""
        self.spawn(*args)
        stderr = message if isinstance(message, re.Pattern) or message is None else message + "\n"
        self.wait_exit(1, stderr)

    def signal(self, number, group=False):
        """Sends a signal to the node, or to its whole group as a terminal does."""
        (os.killpg if group else os.kill)(self.process.pid, number)

    def kill(self):
        """Ends the node without warning."""
        self.signal(signal.SIGKILL)
        self.wait_exit(-signal.SIGKILL, None)

    def destroy(self):
        """Ends whatever is left; for cleaning up only."""
        if self.group is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.group, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
            self.process = None

    @property
    def wallet_pid(self):
        """The wallet process of the split form; waits for it."""
        pid = self.process.pid
        found = wait_until(lambda: [p for p in process.tree(pid) if process.name(p) == "bitcoin-wallet"],
                           "the node has a bitcoin-wallet process")
        equal(len(found), 1, "number of wallet processes")
        return found[0]

    # RPC

    def cookie(self):
        """User and password of the cookie file."""
        return (self.chaindir / ".cookie").read_text()

    def new_rpc(self, path="/", credentials=None):
        """A client with its own connection."""
        return Rpc(self.rpc_port, self.cookie() if credentials is None else credentials, path, self.timeout)

    @property
    def rpc(self):
        """The client for the root path."""
        if self._rpc is None:
            self._rpc = self.new_rpc()
        return self._rpc

    def wallet(self, name):
        """The client for one wallet."""
        return self.rpc.on(f"/wallet/{name}")

    def sync(self):
        """Waits until everything that follows the chain has caught up."""
        self.rpc.syncwithvalidationinterfacequeue()

    # Peers

    LISTEN = ("-listen=1", "-bind=127.0.0.1")

    def connect(self, other):
        """Connects to another node, which listens, and waits until both know each other."""
        known = len(other.rpc.getpeerinfo())
        address = f"127.0.0.1:{other.p2p_port}"
        self.rpc.addnode(address, "onetry")

        def greeted(peers):
            return any(peer["bytesrecv_per_msg"].get("pong") for peer in peers)

        wait_until(lambda: greeted(p for p in self.rpc.getpeerinfo() if p["addr"] == address), "a pong from the other")
        wait_until(lambda: greeted(other.rpc.getpeerinfo()[known:]), "a pong at the other")

    def mine(self, blocks=1, descriptor="raw(51)"):
        """Mines blocks that pay to a descriptor; by default to a script that anyone can spend."""
        hashes = self.rpc.generatetodescriptor(blocks, descriptor)
        self.sync()
        return hashes

    # bitcoin-cli

    def cli(self, *words, stdin=None, conf=True, pass_fds=()):
        """Runs bitcoin-cli against this node: `(exit code, standard output, standard error)`. It has these descriptors."""
        program = self.programs.path("bitcoin-cli")
        options = [f"-datadir={self.datadir}"] if conf else []
        done = subprocess.run([str(program), *options, *map(str, words)], input=stdin, stdin=None if stdin is not None
                              else subprocess.DEVNULL, capture_output=True, text=True, timeout=self.timeout,
                              pass_fds=pass_fds)
        return done.returncode, done.stdout, done.stderr

    def cli_json(self, *words, stdin=None):
        """Runs bitcoin-cli, checks that it succeeds silently and decodes its output."""
        code, out, err = self.cli(*words, stdin=stdin)
        equal((code, err), (0, ""), f"bitcoin-cli {words}")
        return json.loads(out)
