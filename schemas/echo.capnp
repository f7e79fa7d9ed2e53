# The smallest interface. Ids and ordinals are those of Bitcoin Core's file of the same name; append-only.

@0x888b4f7f51e691f7;

using Proxy = import "/mp/proxy.capnp";

interface Echo $Proxy.wrap("Echo") {
    destroy @0 (context :Proxy.Context) -> ();
    echo @1 (context :Proxy.Context, echo: Text) -> (result :Text);
}
