"""The chains: each has its directory, its genesis block, its ports and its addresses."""

from framework.rpc import fails
from framework.scenario import main
from framework.transaction import block_hash
from framework.util import check, equal

CHAINS = {
    "main": ("000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f", "bc1"),
    "test": ("000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943", "tb1"),
    "testnet4": ("00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043", "tb1"),
    "signet": ("00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6", "tb1"),
    "regtest": ("0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206", "bcrt1"),
}
ADDRESSES = {
    "bc1": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "tb1": "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx",
    "bcrt1": "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
}


def run(t):
    for chain, (genesis, prefix) in CHAINS.items():
        t.step(chain)
        # The main chain does not fit on every disk, and a node says so.
        node = t.node(chain).start("-prune=550")
        info = node.rpc.getblockchaininfo()
        equal((info["chain"], info["blocks"], info["bestblockhash"]), (chain, 0, genesis))
        equal(block_hash(node.rpc.getblock(genesis, 0)), genesis)
        check((node.chaindir / "blocks" / "blk00000.dat").exists(), f"no blocks in {node.chaindir}")
        for other, address in ADDRESSES.items():
            equal(node.rpc.validateaddress(address)["isvalid"], other == prefix, address)
        node.rpc.createwallet("w")
        check(node.wallet("w").getnewaddress().startswith(prefix + "q"), "a new address")
        if chain != "regtest":
            fails(-1, "setmocktime is for regression testing (-regtest mode) only", node.rpc.setmocktime, 1)
        node.stop()

    t.step("one data directory holds several chains side by side")
    node = t.node()
    node.start()
    node.mine(2)
    node.stop()
    node.conf.write_text(node.conf.read_text().replace("chain=regtest", "")
                         + f"[signet]\nrpcport={node.rpc_port}\nconnect=0\n")
    node.chain = "signet"
    node.start("-signet", "-prune=550")
    equal(node.rpc.getblockcount(), 0)
    node.stop()
    node.chain = "regtest"
    node.start("-chain=regtest")
    equal(node.rpc.getblockcount(), 2)
    node.stop()


main(run)
