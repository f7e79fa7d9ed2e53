# JSON-RPC over a socket: what bitcoin-cli uses in the place of HTTP.
#
# Ids and ordinals are those of Bitcoin Core's file of the same name; append-only.

@0x9c3505dc45e146ac;

using Proxy = import "/mp/proxy.capnp";

interface Rpc $Proxy.wrap("Rpc") {
    executeRpc @0 (context :Proxy.Context, request :Text, uri :Text, user :Text) -> (result :Text);
}
