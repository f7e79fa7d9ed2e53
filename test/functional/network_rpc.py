"""The network as the RPC shows it while there are no peers."""

import re
from decimal import Decimal

from framework.scenario import main
from framework.util import check, equal


def run(t):
    node = t.node()
    rpc = node.start("-uacomment=first", "-uacomment=second part").rpc

    t.step("getnetworkinfo")
    info = rpc.getnetworkinfo()
    equal((info["version"], info["protocolversion"]), (319900, 70017))
    equal(info["subversion"], "/Satoshi:31.99.0(first; second part)/")
    equal((info["connections"], info["connections_in"], info["connections_out"]), (0, 0, 0))
    equal(info["timeoffset"], 0)
    check(re.fullmatch("[0-9a-f]{16}", info["localservices"]), info["localservices"])
    equal([network["name"] for network in info["networks"]], ["ipv4", "ipv6", "onion", "i2p", "cjdns"])
    equal((info["relayfee"], info["incrementalfee"]), (Decimal("0.00000100"), Decimal("0.00000100")))
    check(isinstance(info["warnings"], list) and isinstance(info["localaddresses"], list), "lists")

    t.step("no peers")
    equal(rpc.getpeerinfo(), [])

    t.step("-minrelaytxfee is what is relayed")
    node.restart("-minrelaytxfee=0.00002")
    equal(node.rpc.getnetworkinfo()["relayfee"], Decimal("0.00002"))
    equal(node.rpc.getmempoolinfo()["minrelaytxfee"], Decimal("0.00002"))
    node.stop()

    t.step("amounts that are none")
    node.refuses_to_start("Error: Invalid amount for -minrelaytxfee=<amount>: 'much'", "-minrelaytxfee=much")


main(run)
