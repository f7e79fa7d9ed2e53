# The bootstrap interface that Bitcoin Core's nodes offer.
#
# Ids and ordinals are those of Bitcoin Core's file of the same name; append-only. Our own makers are in
# bootstrap.capnp, so that none of Core's is ever taken.

@0xf2c5cfa319406aa6;

using Echo = import "echo.capnp";
using Mining = import "mining.capnp";
using MiningV30 = import "mining_v30.capnp";
using Proxy = import "/mp/proxy.capnp";
using Rpc = import "rpc.capnp";

interface Init {
    construct @0 (threadMap: Proxy.ThreadMap) -> (threadMap :Proxy.ThreadMap);
    makeEcho @1 (context :Proxy.Context) -> (result :Echo.Echo);
    makeMiningOld2 @2 (client :ClientV30) -> (result :MiningV30.MiningV30);
    makeMining @3 (context :Proxy.Context) -> (result :Mining.Mining);
    makeRpc @4 (context :Proxy.Context) -> (result :Rpc.Rpc);
}

struct ClientV30 $Proxy.wrap("ClientV30") {
    # The context that a client of Bitcoin Core 30 sends where later ones send nothing. It runs the call as any other
    # method that takes no context: what matters is that it is there.
}
