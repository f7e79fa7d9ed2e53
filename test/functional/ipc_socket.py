"""-ipcbind and -ipcconnect: who can use a node's socket, for what, and what becomes of the file."""

import os
import re
import select
import signal
import socket
import stat
import struct
import subprocess
import tempfile
import time

from framework.scenario import main
from framework.util import check, contains, equal, wait_until


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def connect(path):
    stream = socket.socket(socket.AF_UNIX)
    stream.settimeout(20)
    stream.connect(str(path))
    return stream


def sockets(pid):
    """What the descriptors of a process are."""
    return [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]


def threads(node):
    return len(os.listdir(f"/proc/{node.process.pid}/task"))


def resident(node):
    """The bytes of memory that the node takes."""
    with open(f"/proc/{node.process.pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def unfinished(path, megabytes, part):
    """Begins a message and sends a part of it; the connection, or `None` if the node ends it meanwhile."""
    stream = connect(path)
    try:
        # All but what the system keeps for the node was read when this is done.
        stream.sendall(struct.pack("<II", 0, megabytes << 17) + bytes(part << 20))
    except OSError:
        stream.close()
        return None
    return stream


def as_nobody(work):
    """What `work`, which returns bytes, does as a user without rights."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setuid(65534)
            os.write(into, b"+" + work())
        except BaseException as error:
            os.write(into, repr(error).encode())
        os._exit(0)
    os.close(into)
    with open(out, "rb") as result:
        said = result.read()
    os.waitpid(child, 0)
    check(said.startswith(b"+"), said)
    return said[1:]


def listens_as(user, path):
    """Listens as another user: yields once when it does, then how many of the bytes it was sent it read, of one."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setuid(user)
            os.umask(0)
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(path)
                listener.listen()
                os.write(into, b"+")
                os.write(into, b"%d" % len(listener.accept()[0].recv(1)))
        finally:
            os._exit(0)
    os.close(into)
    with open(out, "rb", buffering=0) as result:
        check(result.read(1) == b"+", f"user {user} listens on {path}")
        yield
        yield result.read(1)
    os.waitpid(child, 0)


def squatted(t):
    """A client that is not root, at sockets that another user has put somewhere."""
    client, server = 65533, 65534
    program = t.programs.path("bitcoin-cli")
    try:
        subprocess.run([program, "-version"], user=client, capture_output=True, check=True)
    except PermissionError:
        return  # the programs are in a place of root's own
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o1777)
        for name, user in (("own", server), ("data", client)):
            os.mkdir(os.path.join(place, name))
            os.chown(os.path.join(place, name), user, user)
        os.chmod(os.path.join(place, "own"), 0o755)
        command = [program, f"-datadir={place}/data", "-regtest", "-rpcclienttimeout=5"]
        for path, heard in ((f"{place}/x", 0), (f"{place}/own/x", 1)):
            other = listens_as(server, path)
            next(other)
            done = subprocess.run([*command, f"-ipcconnect=unix:{path}", "uptime"], user=client, capture_output=True, text=True,
                                  check=False)
            equal(next(other), b"%d" % heard, "bytes of what is sent")
            equal(done.returncode, 1)
            if not heard:
                contains(done.stderr, f"error: user {server} listens on {path}, which is neither this user nor root nor the "
                                      "owner of the directory; nothing is sent there\n")


def run(t):
    t.need("bitcoin-cli")
    node = t.node()
    if not t.split:
        t.step("calls between processes are counted where there are none, too")
        node.start()
        equal(node.rpc.getipcinfo(), {"methods": [], "objects": []})
        node.stop()
        t.step("the monolith has no such option")
        node.refuses_to_start("Error: Error parsing command line arguments: Invalid parameter -ipcbind=unix", "-ipcbind=unix")
        return
    path = node.chaindir / "node.sock"

    def over(address, *words, wrong=True):
        # A wrong password shows whether HTTP was used.
        return node.cli(f"-ipcconnect={address}", *(["-rpcpassword=wrong"] if wrong else []), *words)

    def refused(address, reason):
        node.refuses_to_start(f"Error: Unable to bind to IPC address {reason}", f"-ipcbind={address}")

    t.step("the default socket, for its owner alone")
    node.start("-ipcbind=unix", "-debug=ipc")
    node.rpc.createwallet("counted")
    node.rpc.unloadwallet("counted")
    methods = {(m["method"], m["side"]): m for m in node.rpc.getipcinfo()["methods"]}
    check(methods["Init.makeWalletLoader", "client"]["calls"] == 1, methods)
    check(any(side == "server" and name.startswith("Chain.") for name, side in methods), methods)
    contains(node.log_text(), f"Listening for IPC requests on address unix:{path}\n")
    equal(mode(path), 0o600)
    node.mine(1)
    for address in ["unix", "auto", f"unix:{path}", "unix:node.sock"]:
        equal(over(address, "getblockcount"), (0, "1\n", ""))
    equal(node.cli("-rpcpassword=wrong", "getblockcount"), (0, "1\n", ""))
    code, _, err = node.cli("-rpcpassword=wrong", "-noipcconnect", "getblockcount")
    equal(code, 1)
    contains(err, "error: Authorization failed")
    code, _, err = node.cli("-rpcpassword=wrong", "-rpcconnect=127.0.0.1", "getblockcount")
    contains(err, "error: Authorization failed")
    equal(node.cli("-rpcconnect=127.0.0.1", "-ipcconnect=unix", "getblockcount"),
          (1, "", "error: -rpcconnect and -ipcconnect options cannot both be enabled\n"))
    equal(over("nonsense", "getblockcount")[2].split("\n")[0], "error: Unrecognized address 'nonsense'")
    for nothing in ["-ipcconnect", "-ipcconnect="]:
        equal(node.cli(nothing, "getblockcount"), (0, "1\n", ""))
        contains(node.cli(nothing, "-rpcpassword=wrong", "getblockcount")[2], "error: Authorization failed")
        equal(node.cli(nothing, "-rpcconnect=127.0.0.1", "getblockcount"),
              (1, "", "error: -rpcconnect and -ipcconnect options cannot both be enabled\n"))

    t.step("everything of HTTP works there: errors, wallets, composed commands")
    code, _, err = over("unix", "getblockhash", "7")
    equal((code, err), (8, "error code: -8\nerror message:\nBlock height out of range\n"))
    equal(over("unix", "-named", "createwallet", "wallet_name=a b", "passphrase=sesame door")[0], 0)
    equal(over("unix", "-rpcwallet=a b", "walletpassphrase", "sesame door", "60"), (0, "", ""))
    contains(over("unix", "-getinfo")[1], "Wallet: a b\n")
    equal(over("unix", "-rpcwallet=x", "getbalance")[0], 18)
    contains(over("unix", "echo", "x" * 100_000)[1], "x" * 100_000)
    for command in ["walletpasphrase", "migratewallet", "echo"]:  # mistyped, not there yet, for whatever it is
        over("unix", command, "x", "sesame door")
    told = [file for file, text in node.all_logs().items() if "sesame" in text]
    equal(told, [], "logs with a passphrase")
    contains(node.log_text(), '{\\"method\\":\\"getblockhash\\"')

    t.step("what a client waits for ends with the client")
    before = threads(node)
    wait = ["waitfornewblock", "waitforblockheight 7", "getblocktemplate {\"rules\":[\"segwit\"],\"longpollid\":\"%s0\"}"]
    for command in wait * 5:
        command = (command % node.rpc.getbestblockhash() if "%" in command else command).split(" ")
        program = t.programs.path("bitcoin-cli")
        waiting = subprocess.Popen([program, f"-datadir={node.datadir}", "-ipcconnect=unix", "-rpcclienttimeout=0", *command])
        wait_until(lambda: command[0] in str(node.rpc.getrpcinfo()), f"{command[0]} is at work")
        waiting.kill()
        waiting.wait()
    wait_until(lambda: threads(node) <= before, "the threads are gone")
    # Threads of the clients before may have ended only now, too.
    wait_until(lambda: [call["method"] for call in node.rpc.getrpcinfo()["active_commands"]] == ["getrpcinfo"],
               "the commands are gone")

    t.step("a client waits for an answer as long as -rpcclienttimeout says, and over HTTP the same")
    silent = re.compile(r"error: Error while attempting to communicate with server \S+ \(timeout\)\n\nMake sure the "
                        r"(bitcoind|bitcoin-node) server is running and that you are connecting to the correct (RPC port|"
                        r'socket)\.\nUse "bitcoin-cli -help" for more info\.\n')

    def timed_out(answer):
        code, out, err = answer
        equal((code, out), (1, ""))
        check(silent.fullmatch(err), err)

    for way in ["-ipcconnect=unix", "-noipcconnect"]:
        timed_out(node.cli(way, "-rpcclienttimeout=1", "waitfornewblock"))
    node.process.send_signal(signal.SIGSTOP)
    start = time.monotonic()
    try:
        for way in ["-ipcconnect=unix", "-ipcconnect=auto", "-noipcconnect"]:
            timed_out(node.cli(way, "-rpcclienttimeout=1", "getblockcount"))
        code, _, err = node.cli("-ipcconnect=unix", "-rpcclienttimeout=1", "-rpcwait", "-rpcwaittimeout=1", "getblockcount")
        equal((code, err.split(" (")[0]),
              (1, "error: timeout on transient error: Error while attempting to communicate with server unix"))
    finally:
        node.process.send_signal(signal.SIGCONT)
    check(time.monotonic() - start < 20, "moments each")

    t.step("a connection that the parent process has made")

    def given(stream, *words):
        with stream:
            number = stream.fileno()
            code, out, err = node.cli(f"-ipcconnect=fd:{number}", "-rpcpassword=wrong", *words, pass_fds=[number])
            return code, out, err.replace(f"fd:{number}", "fd:N")

    equal(given(connect(path), "getblockcount"), (0, "1\n", ""))
    for name in ["one", "two"]:
        node.rpc.createwallet(name)
    # Which asks for several things, one after the other.
    contains(given(connect(path), "-getinfo")[1], "Balances\n")
    for name in ["one", "two"]:
        node.rpc.unloadwallet(name)
    none = "error: fd:N is not a connected socket inherited from a parent process\n"
    ours, theirs = socket.socketpair()
    theirs.close()
    contains(given(ours, "uptime")[2], "error: Connection reset by peer\n")
    ours, theirs = socket.socketpair(type=socket.SOCK_DGRAM)
    with theirs:
        equal(given(ours, "uptime"), (1, "", none))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(node.chaindir / "other.sock"))
    listener.listen()
    equal(given(listener, "uptime"), (1, "", none))
    equal(given(socket.socket(socket.AF_UNIX), "uptime"), (1, "", none))
    equal(given(open(node.conf, "rb"), "uptime"), (1, "", none))
    equal(given(socket.create_connection(("127.0.0.1", node.rpc_port)), "uptime"),
          (1, "", "error: fd:N is not a Unix socket: sockets are local only, since whoever reaches one needs no password\n"))
    equal(over("fd:1000", "uptime"), (1, "", none.replace("fd:N", "fd:1000")))
    for wrong in ["fd:", "fd:x", "fd:2147483648"]:
        equal(over(wrong, "uptime")[2].split("\n")[0], f"error: Unrecognized address '{wrong}'")

    t.step("another node leaves a socket in use alone")
    other = t.node()
    other.refuses_to_start(f"Error: Unable to bind to IPC address 'unix:{path}'. another program listens on {path}; end "
                           "it, or choose another path", f"-ipcbind=unix:{path}")
    equal(over("unix", "getblockcount"), (0, "1\n", ""))

    t.step("kill -9 leaves a file that says so, and that the next start replaces")
    node.kill()
    check(stat.S_ISSOCK(os.lstat(path).st_mode), "the socket is still there")
    code, out, err = over("unix", "getblockcount")
    equal((code, out), (1, ""))
    equal(err, "error: Connection refused\n\nProbably bitcoin-node is not running or not listening on a unix socket. Can "
               "be started with:\n\n    bitcoin-node -chain=regtest -ipcbind=unix\n")
    contains(over("auto", "getblockcount")[2], "Could not connect to the server")
    node.start("-ipcbind=unix")
    equal(over("unix", "getblockcount")[0], 0)

    t.step("a client that only sits there does not hold up the end")
    with connect(path) as idle:
        start = time.monotonic()
        equal(over("unix", "stop"), (0, "Bitcoin Core stopping\n", ""))
        node.wait_exit()
        check(time.monotonic() - start < 20, "the end takes moments")
        while idle.recv(4096):
            pass  # what it is told before the end

    t.step("what is not a socket of ours stays as it is")
    path.unlink()
    path.write_text("precious")
    refused("unix", f"'unix:{path}'. {path} exists and is not a socket; remove it, or choose another path")
    equal(path.read_text(), "precious")
    path.unlink()
    path.symlink_to(node.chaindir / "elsewhere.sock")
    refused("unix", f"'unix:{path}'. {path} is a symbolic link, which is not followed; remove it, or give the path it leads "
                    "to")
    check(path.is_symlink() and not (node.chaindir / "elsewhere.sock").exists(), "the link is not followed")
    path.unlink()
    long = "x" * (108 - len(str(node.chaindir)))
    refused(f"unix:{long}", f"'unix:{long}'. Unix address path \"{node.chaindir / long}\" exceeded maximum socket path "
                            "length")
    refused("1", "'1'. Unrecognized address '1'")
    refused("unix,alow=mining", "'unix,alow=mining'. 'alow=mining' is not an option of a socket: allow, connections, "
            "memory, calls, objects, threads, nesting, message and buffers are")
    refused("unix,connections=0", "'unix,connections=0'. 'connections=0' is out of range: a number from 1 to 65536 is not")
    refused("unix,nesting=100000000", "'unix,nesting=100000000'. 'nesting=100000000' is out of range: a number from 16 to 256 "
            "is not")
    node.refuses_to_start("Error: -ipcmemory must be a number of megabytes from 1 to 1048576", "-ipcmemory=0")
    refused("unix,allow=", "'unix,allow='. '' is not an interface that can be allowed: echo, mining and rpc are")
    refused("unix,allow=wallet", "'unix,allow=wallet'. 'wallet' is not an interface that can be allowed: echo, mining and "
                                 "rpc are")
    refused("fd:0", "'fd:0'. fd:0 is not a listening socket inherited from a parent process")

    t.step("messages that are begun and not finished count towards -ipcmemory: the rest of the clients is served")
    node.start("-ipcbind=unix", "-ipcmemory=64")
    before = resident(node)
    begun = [stream for stream in (unfinished(path, 99, 20) for _ in range(20)) if stream is not None]

    def kept():
        return [stream for stream in begun if not select.select([stream], [], [], 0)[0]]

    wait_until(lambda: len(kept()) <= 3, "clients for whose messages there is no memory are disconnected")
    check(len(kept()) >= 2, f"{len(kept())} of 20 clients have 20 MB of a message on its way")
    check(resident(node) - before < 128 << 20, f"the node has grown from {before} to {resident(node)} bytes")
    equal(over("unix", "getblockcount")[0], 0)
    for stream in begun:
        stream.close()

    def room():
        # What clients held that are gone is free again, sooner or later.
        stream = unfinished(path, 99, 50)
        return stream is not None and (stream.close() or True)

    wait_until(room, "there is room again")
    node.stop()

    t.step("several sockets, each for what it is for")
    node.start("-ipcbind=unix:made/for/mining.sock,allow=mining", "-ipcbind=unix:rpc.sock,allow=rpc,connections=1")
    equal([mode(node.chaindir / "made"), mode(node.chaindir / "made/for")], [0o700, 0o700])
    equal(over("unix:rpc.sock", "getblockcount")[0], 0)
    equal(over("unix:made/for/mining.sock", "getblockcount"),
          (1, "", "error: the node does not offer RPC on this socket\n"))
    holders = []

    def full():
        # The place of the last client becomes free some time after it left; until then it is we who are turned away.
        holders.append(connect(node.chaindir / "rpc.sock"))
        return over("unix:rpc.sock", "getblockcount")[0] == 1

    wait_until(full, "one connection too many is turned away")
    for holder in holders:
        holder.close()
    wait_until(lambda: over("unix:rpc.sock", "getblockcount")[0] == 0, "there is room again")
    node.stop()

    t.step("a socket that the parent process listens on")
    given = node.chaindir / "given.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(given))
        listener.listen()
        number = listener.fileno()
        node.spawn(f"-ipcbind=fd:{number}", pass_fds=[number])
        node.wait_ready()
        contains(node.log_text(), f"Listening for IPC requests on address fd:{number}\n")
        equal(over("unix:given.sock", "getblockcount")[0], 0)
        inode = os.fstat(number).st_ino
        holds = [pid for pid in (node.process.pid, node.wallet_pid) if f"socket:[{inode}]" in sockets(pid)]
        equal(holds, [node.process.pid], "processes that have it")
        node.stop()
        node.spawn(f"-ipcbind=fd:{number}", f"-ipcbind=fd:{number}", pass_fds=[number])
        node.wait_exit(1, f"Error: Unable to bind to IPC address 'fd:{number}'. descriptor {number} is of this program itself; "
                          "one that the parent process left open can be taken over\n")
    if os.geteuid() == 0:
        t.step("another user is turned away even where the file lets him in")
        with tempfile.TemporaryDirectory() as open_to_all, socket.socket(socket.AF_UNIX) as listener:
            os.chmod(open_to_all, 0o755)
            name = os.path.join(open_to_all, "open.sock")
            listener.bind(name)
            os.chmod(name, 0o666)
            listener.listen()
            number = listener.fileno()
            node.spawn(f"-ipcbind=fd:{number}", "-debug=ipc", pass_fds=[number])
            node.wait_ready()
            with node.logs("a connection was not taken: it comes from user 65534"):
                equal(as_nobody(lambda: connect(name).recv(1)), b"")
            equal(over(f"unix:{name}", "getblockcount")[0], 0)
            node.stop()
        t.step("nothing is sent to another user's socket in a place that all can write to")
        squatted(t)
    contained = ["unshare", "--pid", "--fork", "--kill-child"]
    if subprocess.run([*contained, "true"], capture_output=True, check=False).returncode == 0:
        t.step("a client that has no process id where the node runs gets in, as from the host into a container")
        node.programs = t.programs.prefixed(contained)
        node.start("-ipcbind=unix", "-debug=ipc")
        equal(over("unix", "getblockcount")[0], 0)
        contains(node.log_text(), "client-0")
        node.stop()
        node.programs = t.programs
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        number = listener.fileno()
        node.spawn(f"-ipcbind=fd:{number}", pass_fds=[number])
        node.wait_exit(1, re.compile(f"fd:{number} is not a Unix socket: sockets are local only"))


main(run)
