# What tests and benchmarks call: one method for every kind of type that can cross. Not part of the protocol.

@0xa4d1f0c2b7e39581;

using Proxy = import "/mp/proxy.capnp";

interface Probe $Proxy.wrap("Probe") {
    construct @0 (threadMap: Proxy.ThreadMap) -> (threadMap :Proxy.ThreadMap);
    bytes @1 (context :Proxy.Context, size :UInt64) -> (result :Data);
    take @2 (context :Proxy.Context, bytes :Data) -> (result :UInt64);
    floats @3 (context :Proxy.Context, single :Float32, double :Float64) -> (result :List(Float64));
}
