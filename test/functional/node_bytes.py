"""Bytes that are not UTF-8 stay what they are: words, passwords, paths, options; in JSON they are an error."""

import base64
import http.client
import os
import subprocess

from framework.scenario import main
from framework.util import check, contains, equal, wait_until

PARSE_ERROR = (32700 & 0xff, b"", b"error code: -32700\nerror message:\nParse error\n")


def run(t):
    t.need("bitcoin-cli")
    node = t.node()

    def cli(*words, stdin=b""):
        """bitcoin-cli with bytes: exit code, output, errors."""
        command = [str(t.programs.path("bitcoin-cli")), f"-datadir={node.datadir}", *words]
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=node.timeout)
        return done.returncode, done.stdout, done.stderr

    t.step("a password, a notify command and a wallet directory of any bytes")
    mark = os.fsencode(node.directory) + b"/m\xe4rk"
    wallets = os.fsencode(node.directory) + b"/w\xe4llets"
    os.mkdir(wallets)
    with open(node.conf, "ab") as conf:
        conf.write(b"\nrpcuser=j\xfcrg\nrpcpassword=gr\xfcn\n[regtest]\nwalletdir=" + wallets + b"\n")
    credentials = b"j\xfcrg:gr\xfcn"

    def post(body, login=credentials, path="/"):
        connection = http.client.HTTPConnection("127.0.0.1", node.rpc_port, timeout=node.timeout)
        connection.request("POST", path, body, {"Authorization": b"Basic " + base64.b64encode(login)})
        reply = connection.getresponse()
        return reply.status, reply.read()

    def answers():
        try:
            status, text = post(b'{"method":"getblockcount"}')
        except OSError:
            return False
        check(status in (200, 500), f"HTTP {status}: {text}")
        return status == 200

    node.spawn(b"-startupnotify=touch " + mark)
    wait_until(answers, "the node takes the password")
    wait_until(lambda: os.path.exists(mark), "the command has the bytes that were typed")
    equal(post(b'{"method":"getblockcount"}', b"j\xfcrg:gr\xf6n")[0], 401)
    equal(post(b'{"method":"getblockcount"}', "jürg:grün".encode())[0], 401)
    equal(post(b'{"method":"getblockcount"}', "j\ufffdrg:gr\ufffdn".encode())[0], 401)

    t.step("bitcoin-cli has the password from the same file, from its command line, from standard input")
    equal(cli("getblockcount"), (0, b"0\n", b""))
    equal(cli(b"-rpcpassword=gr\xfcn", "getblockcount"), (0, b"0\n", b""))
    equal(cli(b"-rpcpassword=gr\xf6n", "getblockcount")[0], 1)
    equal(cli("-stdinrpcpass", "getblockcount", stdin=b"gr\xfcn\n"), (0, b"0\n", b""))
    equal(cli("-stdinrpcpass", "getblockcount", stdin=b"gr\xf6n\n")[0], 1)

    t.step("a request that is not UTF-8")
    equal(post(b'{"method":"echo","params":["p\xe4ss"],"id":1}'),
          (500, b'{"result":null,"error":{"code":-32700,"message":"Parse error"},"id":null}\n'))
    equal(cli("echo", b"p\xe4ss"), PARSE_ERROR)
    equal(cli("-named", "echo", b"arg0=p\xe4ss"), PARSE_ERROR)
    equal(cli("-stdin", "echo", stdin=b"p\xe4ss\n"), PARSE_ERROR)
    equal(cli(b"\xe4cho"), PARSE_ERROR)
    code, out, _ = cli("echo", "päss \U0010fee4".encode())
    equal(code, 0)
    contains(out.decode(), "päss \U0010fee4")

    t.step("no passphrase is taken for another")
    equal(cli("createwallet", "w")[0], 0)
    equal(os.listdir(wallets), [b"w"])
    equal(cli("-rpcwallet=w", "encryptwallet", b"p\xe4ss"), PARSE_ERROR)
    equal(cli("-rpcwallet=w", "encryptwallet", "päss".encode())[0], 0)
    equal(cli("-rpcwallet=w", "walletpassphrase", b"p\xe4ss", "60"), PARSE_ERROR)
    equal(cli("-rpcwallet=w", "-stdinwalletpassphrase", "walletpassphrase", "60", stdin=b"p\xf6ss\n"), PARSE_ERROR)
    equal(cli("-rpcwallet=w", "walletpassphrase", "p\ufffdss".encode(), "60")[0], 14)
    equal(cli("-rpcwallet=w", "walletpassphrase", "päss".encode(), "60"), (0, b"", b""))

    t.step("no wallet is taken for another")
    equal(cli("createwallet", "gr\ufffdn")[0], 0)
    equal(cli(b"-rpcwallet=gr\xfcn", "getwalletinfo")[0], 18)
    equal(cli("-rpcwallet=gr\ufffdn", "getwalletinfo")[0], 0)

    t.step("a wallet in a directory of any bytes is listed, and loads by what is listed")
    equal(cli("unloadwallet", "w")[0], 0)
    os.rename(wallets + b"/w", wallets + b"/gr\xfcn")
    equal(cli("stop")[0], 0)
    node.wait_exit()
    node.spawn(b"-wallet=gr\xfcn")
    wait_until(answers, "the node is ready")
    equal(cli(b"-rpcwallet=gr\xfcn", "getwalletinfo")[0], 0)
    equal(cli("stop")[0], 0)
    node.wait_exit()


main(run)
