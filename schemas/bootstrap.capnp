# The bootstrap interface of our own processes: Bitcoin Core's, and the makers it does not have.
#
# Ordinals are append-only.

@0xb5c38f9c7be3d0a6;

using Chain = import "chain.capnp";
using Init = import "init.capnp";
using Proxy = import "/mp/proxy.capnp";
using Wallet = import "wallet.capnp";

interface Bootstrap extends(Init.Init) $Proxy.wrap("Init") {
    makeWalletLoader @0 (context :Proxy.Context, config :ProcessConfig, chain :Chain.Chain)
        -> (result :Wallet.WalletLoader);
    introduce @1 (context :Proxy.Context, client :Identity) -> (result :Identity);
}

struct Identity $Proxy.wrap("Identity") {
    program @0 :Text;
    version @1 :Text;
    build @2 :Text;
    network @3 :Text;
}

struct ProcessConfig $Proxy.wrap("ProcessConfig") {
    chain @0 :Text;
    netDatadir @1 :Text;
    walletDir @2 :Text;
    settings @3 :List(Setting);
}

struct Setting $Proxy.wrap("Setting") {
    name @0 :Text;
    values @1 :List(Text);
}
