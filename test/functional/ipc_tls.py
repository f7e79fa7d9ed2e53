"""-ipcbind=tls: and -ipcconnect=tls: who is let in across a network, and what strangers can do."""

import hashlib
import os
import re
import socket
import ssl
import stat
import subprocess
import sys
import time

from framework.node import free_port
from framework.scenario import main
from framework.util import check, contains, equal, excludes, wait_until


def run(t):
    t.need("bitcoin-cli")
    t.skip_unless_split()
    node, far = t.node(), t.node()  # the second is only the data directory of a client
    port = free_port()
    place = f"tls:127.0.0.1:{port}"

    def refused(address, reason):
        node.refuses_to_start(f"Error: Unable to bind to IPC address {reason}", f"-ipcbind={address}")

    def over(client, *words, fingerprint=None):
        pin = f",fingerprint={fingerprint}" if fingerprint else ""
        # A wrong password shows whether HTTP was used.
        return client.cli(f"-ipcconnect={place}{pin}", "-rpcpassword=wrong", *words)

    def stranger():
        stream = socket.create_connection(("127.0.0.1", port), 20)
        stream.settimeout(20)
        return stream

    def turned_away(stream):
        """What a stranger is told before the end."""
        told = b""
        try:
            while part := stream.recv(4096):
                told += part
        except ConnectionError:
            pass
        return told

    t.step("addresses that are none")
    refused("tcp:127.0.0.1:1", "'tcp:127.0.0.1:1'. Unrecognized address 'tcp:127.0.0.1:1': plain TCP is neither encrypted nor "
                               "authenticated; tls:<host>:<port> is")
    refused("tls:1", "'tls:1'. 'tls:1' has no host and port: tls:<host>:<port> has, with an IPv6 address in brackets")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()
        refused(place, f"'{place}'. Address already in use")
    equal(far.cli("-ipcconnect=tcp:127.0.0.1:1", "uptime")[2].split("\n")[0],
          "error: Unrecognized address 'tcp:127.0.0.1:1': plain TCP is neither encrypted nor authenticated; "
          "tls:<host>:<port> is")
    code, _, err = far.cli("-ipcconnect=tls:127.0.0.1:1,fingerprint=12", "uptime")
    equal((code, err), (1, "error: '12' is not a fingerprint: 64 hexadecimal digits are\n"))
    code, out, err = over(far, "uptime")
    equal((code, out), (1, ""))
    equal(err, f"error: 127.0.0.1:{port}: Connection refused\n\nProbably bitcoin-node is not running there, or not with "
               "-ipcbind=tls:<host>:<port>.\n")

    t.step("a server that says nothing, and a name server that does not, are waited for as long as -rpcclienttimeout says")
    silent = "the other side was not there or had not shown its key in time"
    start = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        contains(far.cli(f"-ipcconnect=tls:127.0.0.1:{mute.getsockname()[1]}", "-rpcclienttimeout=1", "uptime")[2], silent)
    apart = ["unshare", "--mount", "--net", "sh", "-c", 'ip link set lo up && mount --bind "$0" /etc/resolv.conf && exec "$@"']
    servers = far.directory / "resolv.conf"
    servers.write_text("nameserver 127.0.0.1\noptions timeout:30\n")
    if subprocess.run([*apart, servers, "true"], capture_output=True, check=False).returncode == 0:
        command = [t.programs.path("bitcoin-cli"), f"-datadir={far.datadir}", "-rpcclienttimeout=1"]
        done = subprocess.run([*apart, servers, sys.executable, "-c", MUTE, *command, "-ipcconnect=tls:node.example:1", "uptime"],
                              capture_output=True, text=True, check=False, timeout=60)
        equal(done.returncode, 1)
        contains(done.stderr, silent)
    check(time.monotonic() - start < 20, "moments each")

    t.step("keys are made at first use, for their owner alone")
    node.start(f"-ipcbind={place}", "-debug=ipc")
    key = node.chaindir / "ipc" / "key.pem"
    equal([stat.S_IMODE(os.lstat(path).st_mode) for path in (key.parent, key)], [0o700, 0o600])
    code, server, _ = node.cli("-ipcfingerprint")
    equal(code, 0)
    server = server.strip()
    check(re.fullmatch("[0-9a-f]{64}", server), server)
    equal(server, ssl_fingerprint(key))
    contains(node.log_text(), f"Listening for IPC requests on address {place}\n")
    contains(node.log_text(), f"{place} has the key {server}; clients are let in whose keys are in "
                              f"{node.chaindir / 'ipc' / 'authorized'}\n")
    made = key.read_bytes()

    t.step("a program of the same data directory needs no list")
    equal(over(node, "getblockcount"), (0, "0\n", ""))
    equal(over(node, "getblockcount", fingerprint=server.upper()), (0, "0\n", ""))

    t.step("a client that is not known, either way")
    client = far.cli("-ipcfingerprint")[1].strip()
    check(client != server, client)
    code, _, err = over(far, "getblockcount")
    equal((code, err), (1, "error: the server has another key than expected; if this is its fingerprint, which its log shows "
                           f"at the start, append to the address: ,fingerprint={server}\n"))
    code, _, err = over(far, "getblockcount", fingerprint=client)
    contains(err, f"append to the address: ,fingerprint={server}\n")
    authorized = node.chaindir / "ipc" / "authorized"
    wanted = re.escape(f"its key is not known; to let it in, add this line to {authorized}: {client}")
    code, _, err = over(far, "getblockcount", fingerprint=server)
    wait_until(lambda: re.search(wanted, node.log_text()), f"the log says {wanted}")
    equal((code, err), (1, "error: the server does not know this program's key; to be let in, add this line to ipc/authorized "
                           f"there: {client}\n"))
    authorized.write_text(f"# may use this node\n{client} far away\n")
    with node.logs(r"far away@127\.0\.0\.1:\d+ connected"):
        equal(over(far, "getblockcount", fingerprint=server), (0, "0\n", ""))
    authorized.chmod(0o666)
    equal(over(far, "getblockcount", fingerprint=server)[0], 1)
    authorized.chmod(0o600)

    t.step("both tell each other who they are, and a node of another chain is not talked to")
    with node.logs(r"a client is bitcoin-cli v\d+\.\d+\.\d+ \(.+\) on regtest"):
        equal(over(far, "getblockcount", fingerprint=server), (0, "0\n", ""))
    contains(node.log_text(), re.compile(r"wallet process \d+ is bitcoin-wallet v\d+\.\d+\.\d+ \(.+\)$", re.M))
    with open(authorized, "a") as file:
        file.write(far.cli("-chain=signet", "-ipcfingerprint")[1])
    equal(over(far, "-chain=signet", "getblockcount", fingerprint=server),
          (1, "", "error: bitcoin-node works on regtest, bitcoin-cli works on signet\n"))

    t.step("everything works there, and the network sees none of it")
    equal(over(far, "createwallet", "w", "false", "false", "sesame door", fingerprint=server)[0], 0)
    equal(over(far, "-rpcwallet=w", "walletpassphrase", "sesame door", "60", fingerprint=server), (0, "", ""))
    contains(over(far, "echo", "x" * 100_000, fingerprint=server)[1], "x" * 100_000)
    told = [file for file, text in node.all_logs().items() if "sesame" in text or "PRIVATE" in text]
    equal(told, [], "logs with a secret")

    t.step("strangers: noise, TLS without a key, and those that only sit there")
    idle = [stranger() for _ in range(50)]
    for noise in [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 4096, b"\0\0\0\0\1\0\0\0" * 8]:
        with stranger() as stream:
            stream.sendall(noise)
            told = turned_away(stream)
            check(told == b"" or (told[0] == 21 and len(told) == 7), told)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with stranger() as stream, context.wrap_socket(stream) as channel:
        equal(channel.version(), "TLSv1.3")
        names = channel.getpeercert(binary_form=True)
        excludes(names.decode("latin-1"), str(node.chaindir))
        try:
            equal(channel.recv(1), b"")
        except ssl.SSLError as error:
            contains(str(error), re.compile("certificate required", re.I))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with stranger() as stream:
        try:
            context.wrap_socket(stream)
            check(False, "TLS 1.2 is spoken")
        except (ssl.SSLError, ConnectionError):
            pass
    equal(over(far, "getblockcount", fingerprint=server), (0, "0\n", ""))

    t.step("the end waits for none of them, and the last answer arrives")
    start = time.monotonic()
    equal(over(far, "stop", fingerprint=server), (0, "Bitcoin Core stopping\n", ""))
    node.wait_exit()
    check(time.monotonic() - start < 20, "the end takes moments")
    for stream in idle:
        stream.close()

    t.step("a node with a key keeps it, and offers what it was told to")
    node.start(f"-ipcbind={place},allow=mining,connections=1")
    equal(key.read_bytes(), made)
    # -debug=ipc is off: what it cannot do, it is told.
    equal(over(far, "getblockcount", fingerprint=server), (1, "", "error: the node does not offer RPC on this socket\n"))
    node.stop()
    node.start(f"-ipcbind={place},connections=1")
    with Client(far, port) as holder:
        check(holder.version() == "TLSv1.3", "a client that is known")

        def full():
            code, _, err = over(far, "getblockcount", fingerprint=server)
            return code == 1 and "there are 1 connections already, as many as are allowed" in err

        wait_until(full, "one connection too many is told so")
        t.step("strangers do not fill the log")
        lines = node.log_text().count("\n")
        for _ in range(300):
            with stranger() as stream:
                stream.shutdown(socket.SHUT_WR)
                equal(turned_away(stream), b"", "what one too many is told")
        written = node.log_text().count("\n") - lines
        check(written < 100, f"{written} lines")
    wait_until(lambda: over(far, "getblockcount", fingerprint=server)[0] == 0, "there is room again")
    node.stop()

    t.step("a key that others can read, or that is none, is not used")
    key.chmod(0o644)
    refused(place, f"'{place}'. {key} must belong to this user and be closed to others (chmod 600)")
    key.chmod(0o600)
    key.write_text("precious")
    refused(place, f"'{place}'. {key} holds no key with a certificate; move it away to have a new one made")
    equal(key.read_text(), "precious")


# Runs a program beside a name server that does not answer.
MUTE = """
import socket, subprocess, sys
with socket.socket(type=socket.SOCK_DGRAM) as server:
    server.bind(("127.0.0.1", 53))
    sys.exit(subprocess.run(sys.argv[1:]).returncode)
"""


class Client:
    """A connection with the key of a data directory, made by another implementation of TLS."""

    def __init__(self, owner, port):
        key = owner.chaindir / "ipc" / "key.pem"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(key)
        self.channel = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 20))

    def __enter__(self):
        return self.channel

    def __exit__(self, *_):
        self.channel.close()


def ssl_fingerprint(pem):
    """SHA-256 of the certificate in a file."""
    text = pem.read_text()
    begin = text.index("-----BEGIN CERTIFICATE")
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(text[begin:])).hexdigest()


main(run)
