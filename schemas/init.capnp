# The bootstrap interface that Bitcoin Core's nodes offer, as far as it is served here.
#
# Ids and ordinals are those of Bitcoin Core's file of the same name; append-only. Ordinals 2 to 4 are Core's
# (makeMiningOld2, makeMining, makeRpc). Our own makers are in bootstrap.capnp, so that none of Core's is ever taken.

@0xf2c5cfa319406aa6;

using Echo = import "echo.capnp";
using Proxy = import "/mp/proxy.capnp";

interface Init {
    construct @0 (threadMap: Proxy.ThreadMap) -> (threadMap :Proxy.ThreadMap);
    makeEcho @1 (context :Proxy.Context) -> (result :Echo.Echo);
}
