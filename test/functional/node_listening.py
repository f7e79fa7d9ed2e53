"""Where a node takes connections, and whom it connects to by itself: -listen, -bind, -port, -addnode, -dns, -timeout."""

import contextlib
import socket
import time

from framework.node import free_port
from framework.p2p import wait_for_peers
from framework.rpc import fails
from framework.scenario import main
from framework.util import check, contains, equal, wait_until


def listens(address, port):
    """Whether a connection is taken."""
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


@contextlib.contextmanager
def deaf():
    """An address that answers nothing: its queue of connections is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield "127.0.0.1:{}".format(listener.getsockname()[1])


def run(t):
    node, other = t.node(), t.node()
    port, another = node.p2p_port, free_port()
    silent = node.conf.read_text()
    check("\nlisten=0\n" in silent, "the framework turns listening off")

    t.step("-listen=0: no connections, and nothing to bind")
    node.start()
    check(not listens("127.0.0.1", port), "somebody listens")
    contains(node.log_text(), "parameter interaction: -listen=0 -> setting -natpmp=0")
    node.stop()
    for option in ("-bind=127.0.0.1", f"-whitebind=127.0.0.1:{port}"):
        node.refuses_to_start("Error: Cannot set -bind or -whitebind together with -listen=0", option)

    t.step("-connect alone turns listening off, -bind turns it on")
    node.conf.write_text(silent.replace("listen=0\n", ""))
    node.start()
    check(not listens("127.0.0.1", port), "somebody listens")
    contains(node.log_text(), "parameter interaction: -connect or -maxconnections=0 set -> setting -listen=0")
    node.stop()
    node.start("-bind=127.0.0.1")
    check(listens("127.0.0.1", port), "nobody listens")
    contains(node.log_text(), "parameter interaction: -bind set -> setting -listen=1")
    contains(node.log_text(), f"Bound to 127.0.0.1:{port}\n")
    node.stop()

    t.step("every address that is bound, and no other")
    node.start("-bind=127.0.0.1", f"-bind=127.0.0.2:{another}", "-bind=[::1]")
    check(listens("127.0.0.1", port) and listens("127.0.0.2", another), "nobody listens")
    check(not listens("127.0.0.2", port) and not listens("127.0.0.1", another), "somebody listens")
    contains(node.log_text(), f"Bound to [::1]:{port}\n")
    node.stop()

    t.step("-port is the port of addresses without one, and of every address if none is given")
    node.start("-bind=127.0.0.1", f"-port={another}")
    check(listens("127.0.0.1", another) and not listens("127.0.0.1", port), "the other port")
    node.stop()
    node.start("-listen=1", f"-port={another}")
    check(listens("127.0.0.1", another) and listens("127.0.0.2", another), "nobody listens")
    node.stop()
    for bad in ("0", "65536", "-1", "x", "1x"):
        node.refuses_to_start(f"Error: Invalid port specified in -port: '{bad}'", f"-port={bad}")

    t.step("what cannot be bound")
    node.refuses_to_start("Error: Cannot resolve -bind address: 'somewhere'", "-bind=somewhere")
    node.refuses_to_start("Error: Invalid port specified in -bind: '127.0.0.1:99999'", "-bind=127.0.0.1:99999")
    twice = f"Error: Duplicate binding configuration for address 127.0.0.1:{port}. Please check your -bind, " \
            "-bind=...=onion and -whitebind settings."
    node.refuses_to_start(twice, "-bind=127.0.0.1", f"-bind=127.0.0.1:{port}")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", another))
        taken.listen()
        node.refuses_to_start(f"Error: Unable to bind to 127.0.0.1:{another} on this computer. Bitcoin Core is probably "
                              "already running.\nError: Failed to listen on any port. Use -listen=0 if you want this.",
                              f"-bind=127.0.0.1:{another}")

    t.step("-addnode connects to what it names, and keeps it in the list")
    other.start(*other.LISTEN)
    address = f"127.0.0.1:{other.p2p_port}"
    node.start(f"-addnode={address}", "-addnode=127.0.0.1:1")
    wait_for_peers(node, 1)
    equal([(peer["addr"], peer["connection_type"], peer["inbound"]) for peer in node.rpc.getpeerinfo()],
          [(address, "manual", False)])
    equal([(added["addednode"], added["connected"]) for added in node.rpc.getaddednodeinfo()],
          [(address, True), ("127.0.0.1:1", False)])
    fails(-23, "Error: Node already added", node.rpc.addnode, address, "add")
    node.stop()
    wait_for_peers(other, 0)

    t.step("-networkactive=0 connects to nobody until it is turned on")
    node.start(f"-addnode={address}", "-networkactive=0")
    equal((node.rpc.getnetworkinfo()["networkactive"], node.rpc.getpeerinfo()), (False, []))
    node.rpc.addnode(address, "onetry")
    equal((node.rpc.getconnectioncount(), node.rpc.getaddednodeinfo(address)[0]["connected"]), (0, False))
    equal(node.rpc.setnetworkactive(True), True)
    node.connect(other)
    equal(node.rpc.getnetworkinfo()["networkactive"], True)
    node.stop()
    wait_for_peers(other, 0)

    t.step("-dns=0 looks no name up")
    name = f"localhost:{other.p2p_port}"
    node.start("-dns=0", "-debug=net")
    with node.logs(rf"trying v\d connection \(manual\) to {name}, "):
        node.rpc.addnode(name, "onetry")
    node.connect(other)
    equal([peer["addr"] for peer in node.rpc.getpeerinfo()], [address])
    equal(other.rpc.getconnectioncount(), 1)
    node.stop()
    node.start("-dns=1")
    node.rpc.addnode(name, "onetry")
    wait_until(lambda: [peer["addr"] for peer in node.rpc.getpeerinfo()] == [name], "a connection by name")
    node.stop()
    other.stop()

    t.step("-timeout is how many milliseconds a connection may take")
    with deaf() as address:
        node.start("-timeout=300")
        start = time.monotonic()
        node.rpc.addnode(address, "onetry")
        took = time.monotonic() - start
        # Without the option it would be 5 seconds, or as long as the system tries.
        check(0.3 <= took < 4, f"it took {took} s")
        equal(node.rpc.getpeerinfo(), [])
        node.stop()


main(run)
