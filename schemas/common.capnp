# Types that several interfaces share.
#
# The file id is that of Bitcoin Core's file of the same name. Ordinals are append-only.

@0xcd2c6232cb484a28;

using Proxy = import "/mp/proxy.capnp";

struct BlockRef $Proxy.wrap("TipRef") {
    # Bitcoin Core's.

    hash @0 :Data;
    height @1 :Int32;
}

interface Subscription $Proxy.wrap("Subscription") {
    # Keeps a callback registered until it is destroyed.

    destroy @0 (context :Proxy.Context) -> ();
}

struct RpcCommand $Proxy.wrap("RpcCommand") {
    name @0 :Text;
    category @1 :Text;
    hidden @2 :Bool;
    args @3 :List(Text);
}

struct RpcRequest $Proxy.wrap("RpcRequest") {
    method @0 :Text;
    params @1 :Text;
    uri @2 :Text;
    user @3 :Text;
    tip @4 :Data;
}

struct RpcError $Proxy.wrap("RpcError") {
    code @0 :Int32;
    message @1 :Text;
}
