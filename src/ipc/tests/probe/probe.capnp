# What tests and benchmarks call: one method for every kind of type that can cross. Not part of the protocol.

@0xa4d1f0c2b7e39581;

using Proxy = import "/mp/proxy.capnp";

interface Probe $Proxy.wrap("Probe") {
    construct @0 (threadMap: Proxy.ThreadMap) -> (threadMap :Proxy.ThreadMap);
    bytes @1 (context :Proxy.Context, size :UInt64) -> (result :Data);
    take @2 (context :Proxy.Context, bytes :Data) -> (result :UInt64);
    floats @3 (context :Proxy.Context, single :Float32, double :Float64) -> (result :List(Float64));
    contain @4 (context :Proxy.Context, value :Containers) -> (result :Containers);
    divide @5 (context :Proxy.Context, pairs :List(Ratio)) -> (result :List(Quotient));
    swap @6 (context :Proxy.Context, counters :List(NamedCounter)) -> (result :List(NumberedCounter));
    color @7 (context :Proxy.Context, fail :Bool) -> (error :Color, hasError :Bool);
    shared @8 (context :Proxy.Context, size :UInt64) -> (result :Data);
    long @9 (context :Proxy.Context, words :Text, counter :Counter, bytes :Data, shared :Data, block :Data)
        -> (number :UInt32, shared :Data, bytes :Data, words :Text, counter :Counter, block :Data);
    sink @10 (context :Proxy.Context) -> (result :Sink);
    pour @11 (context :Proxy.Context, count :UInt32, into :Sink) -> (result :UInt64);
}

interface Sink $Proxy.wrap("Sink") {
    destroy @0 (context :Proxy.Context) -> ();
    write @1 (context :Proxy.Context, bytes :Data) -> stream;
    done @2 (context :Proxy.Context) -> (result :UInt64);
}

interface Counter $Proxy.wrap("Counter") {
    destroy @0 (context :Proxy.Context) -> ();
    next @1 (context :Proxy.Context) -> (result :UInt32);
}

struct Containers $Proxy.wrap("Containers") {
    sorted @0 :List(Age);
    hashed @1 :List(Names);
    byThing @2 :List(ThingAndPair);
    names @3 :List(Text);
    numbers @4 :List(Int64);
    things @5 :List(Thing);
    pair @6 :Pair;
    nested @7 :Nested;
    lists @8 :List(List(List(Text)));
    many @9 :List(Blob);
    maybe @10 :MaybeNumber;
    maybes @11 :List(MaybeMaybe);
    list @12 :List(MaybeText);
    outcomes @13 :List(Outcome);
    done @14 :List(Done);
}

struct Forged {
    # Parameters of `contain` that claim a list of very many maps' entries of no size.
    context @0 :Proxy.Context;
    value @1 :ForgedContainers;
}
struct ForgedContainers { sorted @0 :List(Nothing); hashed @1 :List(Nothing); byThing @2 :List(Nothing); }
struct Nothing {}

struct Thing $Proxy.wrap("Thing") { name @0 :Text; color @1 :Color; }
enum Color { red @0; deepBlue @1; }
struct Refusal { union { busy @0 :Void; other :group { reason @1 :Text; } thing @2 :Thing; } }
struct Age { key @0 :Text; value @1 :UInt32; }
struct Names { key @0 :UInt64; value @1 :List(Text); }
struct Pair { first @0 :Float32; second @1 :Text; }
struct ThingAndPair { first @0 :Thing; second @1 :Pair; }
struct Flags { a @0 :Bool; b @1 :Float64; }
struct Nested { flags @0 :Flags; hasNumber @1 :Bool; number @2 :UInt64; }
struct Blob { kind @0 :UInt8; content @1 :Data; }
struct MaybeNumber { value @0 :UInt32; hasValue @1 :Bool; }
struct MaybeMaybe { value @0 :MaybeNumber; }
struct MaybeText { value @0 :Text; }
struct Outcome { result @0 :Thing; error @1 :Refusal; }
struct Done { name @0 :Text; value @1 :Status; }
struct Status { error @0 :Color; hasError @1 :Bool; }
struct Ratio { dividend @0 :Int32; divisor @1 :Int32; }
struct Quotient { result @0 :Int32; error @1 :Text; }
struct NamedCounter { name @0 :Text; counter @1 :Counter; }
struct NumberedCounter { counter @0 :Counter; number @1 :UInt32; }
