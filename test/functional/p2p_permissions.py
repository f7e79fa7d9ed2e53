"""What peers may do: those of -whitebind and -whitelist, and all others under -blocksonly."""

import types

from framework.node import free_port
from framework.p2p import MSG_WTX, Peer, inventory, wait_for_peers
from framework.scenario import main
from framework.transaction import anyone_spends, txid
from framework.util import check, contains, equal, wait_until


def allowed(node, peer=None):
    """The permissions of a peer; by default of a new one."""
    made = peer or Peer(node)
    wait_for_peers(node, 1)
    permissions = node.rpc.getpeerinfo()[0]["permissions"]
    if not peer:
        made.close()
        wait_for_peers(node, 0)
    return permissions


def run(t):
    node = t.node()
    node.start()
    hashes = node.mine(103)
    coins = [(node.rpc.getblock(hash_)["tx"][0], 0) for hash_ in hashes[:3]]
    transactions = [anyone_spends(coin, 50) for coin in coins]
    node.stop()

    t.step("-whitelist without permissions gives the usual ones, -whitelistrelay and -whitelistforcerelay change them")
    for options, permissions in (
        (("-whitelist=127.0.0.1",), ["relay", "noban", "mempool", "download"]),
        (("-whitelist=127.0.0.1", "-whitelistrelay=0"), ["noban", "mempool", "download"]),
        (("-whitelist=127.0.0.1", "-whitelistforcerelay"), ["forcerelay", "relay", "noban", "mempool", "download"]),
        (("-whitelist=@127.0.0.1", "-whitelistforcerelay"), []),
        (("-whitelist=noban@127.0.0.1", "-whitelistrelay", "-whitelistforcerelay"), ["noban", "download"]),
        (("-whitelist=mempool@127.0.0.0/8", "-whitelist=addr@127.0.0.1"), ["mempool", "addr"]),
        (("-whitelist=noban@127.0.0.2",), []),
    ):
        node.start(*node.LISTEN, *options)
        equal(sorted(allowed(node)), sorted(permissions), " ".join(options))
        node.stop()
    contains(node.log_text(), "parameter interaction: -whitelistforcerelay=1 -> setting -whitelistrelay=1")

    t.step("-whitebind gives them to whoever comes to one address, added to those of -whitelist")
    port = free_port()
    node.start(*node.LISTEN, f"-whitebind=bloomfilter,addr@127.0.0.1:{port}", "-whitelist=noban@127.0.0.1")
    peer = Peer(types.SimpleNamespace(p2p_port=port))
    equal(sorted(allowed(node, peer)), ["addr", "bloomfilter", "download", "noban"])
    peer.close()
    wait_for_peers(node, 0)
    equal(allowed(node), ["noban", "download"])
    node.stop()
    node.start(*node.LISTEN, f"-whitebind=127.0.0.1:{port}")
    peer = Peer(types.SimpleNamespace(p2p_port=port))
    equal(sorted(allowed(node, peer)), ["download", "mempool", "noban", "relay"])
    peer.close()
    node.stop()

    t.step("what is none")
    for option, message in (
        ("-whitebind=127.0.0.1", "Need to specify a port with -whitebind: '127.0.0.1'"),
        ("-whitebind=noban@127.0.0.1/10", "Cannot resolve -whitebind address: '127.0.0.1/10'"),
        (f"-whitebind=out,noban@127.0.0.1:{port}", 'whitebind may only be used for incoming connections ("out" was passed)'),
        (f"-whitebind=fly@127.0.0.1:{port}", "Invalid P2P permission: 'fly'"),
        ("-whitelist=fly@127.0.0.1", "Invalid P2P permission: 'fly'"),
        ("-whitelist=in,out@127.0.0.1", "Only direction was set, no permissions: 'in,out@127.0.0.1'"),
        ("-whitelist=noban@127.0.0.1:230", "Invalid netmask specified in -whitelist: '127.0.0.1:230'"),
    ):
        node.refuses_to_start(f"Error: {message}", "-listen=1", option)

    t.step("a transaction that is known already is passed on for a peer with forcerelay")
    node.start(*node.LISTEN, "-whitelist=127.0.0.1", "-whitelistforcerelay")
    peer = Peer(node)
    peer.send("tx", bytes.fromhex(transactions[0]))
    wait_until(lambda: node.rpc.getrawmempool() == [txid(transactions[0])], "the transaction is taken")
    with node.logs(rf"Force relaying tx {txid(transactions[0])} \(wtxid={txid(transactions[0])}\) from peer=0"):
        peer.send("tx", bytes.fromhex(transactions[0]))
    peer.close()
    node.stop()

    t.step("-blocksonly: who sends or announces transactions is cut off")
    node.start(*node.LISTEN, "-blocksonly", "-whitelist=noban@127.0.0.1", "-debug=net")
    equal(node.rpc.getnetworkinfo()["localrelay"], False)
    equal(node.rpc.getmempoolinfo()["maxmempool"], 5_000_000)
    for line in ("parameter interaction: -blocksonly=1 -> setting -whitelistrelay=0",
                 "parameter interaction: -blocksonly=1 -> setting -maxmempool=5"):
        contains(node.log_text(), line)
    peer = Peer(node)
    with node.logs("transaction sent in violation of protocol, disconnecting peer=0"):
        peer.send("tx", bytes.fromhex(transactions[1]))
        check(peer.is_closed(), "closed")
    peer = Peer(node)
    with node.logs(rf"transaction \({'12' * 32}\) inv sent in violation of protocol, disconnecting peer=1"):
        peer.send("inv", inventory((MSG_WTX, "12" * 32)))
        check(peer.is_closed(), "closed")
    equal(node.rpc.getrawmempool(), [txid(transactions[0])], "that of the last run and no other")

    t.step("what comes over RPC is announced all the same")
    wait_for_peers(node, 0)
    peer = Peer(node)
    node.rpc.sendrawtransaction(transactions[1])
    contains(peer.wait_for("inv"), bytes.fromhex(txid(transactions[1]))[::-1])
    peer.close()
    node.stop()

    t.step("a peer that may relay sends transactions under -blocksonly too")
    node.start(*node.LISTEN, "-blocksonly", "-whitelist=127.0.0.1", "-whitelistrelay=1")
    peer = Peer(node)
    peer.send("tx", bytes.fromhex(transactions[2]))
    wait_until(lambda: txid(transactions[2]) in node.rpc.getrawmempool(), "the transaction is taken")
    check("relay" in allowed(node, peer), "permissions")
    peer.close()
    node.stop()


main(run)
