# How a client says who it is and learns who the node is: an extension of the bootstrap interface. A node that does not
# have it, such as Bitcoin Core's, answers `unimplemented`.
#
# The interface is Bootstrap of this project's own processes, whose other methods are for them alone; it is declared once
# more so that clients need no other schema of theirs. Ids and ordinals are the same there; append-only.

@0x80dfaf1948749776;

using Init = import "/init.capnp";
using Proxy = import "/mp/proxy.capnp";

interface Introduction @0x83c45b505a00f68c extends(Init.Init) $Proxy.wrap("Init") {
    reserved @0 () -> ();
    # Not offered on sockets.

    introduce @1 (context :Proxy.Context, client :Identity) -> (result :Identity);
    # Tells each side who the other is.
}

struct Identity $Proxy.wrap("Identity") {
    program @0 :Text;
    # Its name and nothing else.

    version @1 :Text;
    build @2 :Text;
    # What tells builds of one version apart.

    network @3 :Text;
    # The chain, as in the option -chain; empty if it is not known.
}
