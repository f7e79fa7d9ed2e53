# What the runtime assumes of other people's parameter structs, so that it can read them without knowing them.

@0xd4f3a1be6df2c9e1;

using Proxy = import "/mp/proxy.capnp";

struct WithContext {
    # Every method that runs on a thread has its context first.
    context @0 :Proxy.Context;
}

struct WithThreadMap {
    # Parameters and results of `construct`.
    threadMap @0 :Proxy.ThreadMap;
}
