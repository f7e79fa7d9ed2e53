# Threads and annotations that every other schema builds on.
#
# Ids and ordinals are those of the file of the same name in libmultiprocess, so that both runtimes understand each
# other. Ordinals are append-only.

@0xcc316e3f71a040fb;

annotation include(file): Text;
annotation includeTypes(file): Text;
# C++ headers the generated C++ code needs. Nothing in Rust reads them.

annotation wrap(interface, struct): Text;
# The native type behind an interface or struct: the part after the last "::" is its name. An interface that carries it
# is matched with the trait of that name.

annotation count(param, struct, interface): Int32;
# How many native parameters one Cap'n Proto parameter stands for; 0 where the runtime fills it in.

annotation exception(param): Text;
# Marks a result as the error the method failed with.

annotation name(field, method): Text;
# Native name where it differs from the one in the schema.

annotation skip(field): Void;
# Same as count(0).

interface ThreadMap $count(0) {
    # Lets the other side have threads made here, one for each of its own that calls. Exchanged by `construct`.

    makeThread @0 (name :Text) -> (result :Thread);
    # Starts a thread for one thread of the caller's; `name` is for the logs.

    makePool @1 (count :UInt32) -> ();
    # Starts threads for calls that name none. Once per connection.
}

interface Thread {
    # One thread of the side that serves this object.

    getName @0 () -> (result: Text);
}

struct Context $count(0) {
    # First parameter of every method that may take time or call back.

    thread @0 : Thread;
    # Where to run the call: a thread of the server's.

    callbackThread @1 : Thread;
    # The caller's thread, waiting for the answer: where calls made while serving this one run.
}
