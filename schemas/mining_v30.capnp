# Making blocks as clients of Bitcoin Core 30 ask for it. New clients use mining.capnp.
#
# On the wire these interfaces have the ids of their successors in mining.capnp; which of the two is meant follows from
# how the object was made (Init.makeMiningOld2 or Init.makeMining). Nothing here has a default, and two methods take no
# context. This file does not change any more.

@0xbac63b36d5dca8df;

using Common = import "common.capnp";
using Proxy = import "/mp/proxy.capnp";

annotation speaksAs(interface) :Text;
# The interface whose id this one has on the wire.

interface MiningV30 $Proxy.wrap("MiningV30") $speaksAs("mining.capnp:Mining") {
    isTestChain @0 (context :Proxy.Context) -> (result :Bool);
    isInitialBlockDownload @1 (context :Proxy.Context) -> (result :Bool);
    getTip @2 (context :Proxy.Context) -> (result :Common.BlockRef, hasResult :Bool) $Proxy.name("tip");
    waitTipChanged @3 (context :Proxy.Context, currentTip :Data, timeout :Float64) -> (result :Common.BlockRef);
    createNewBlock @4 (options :BlockCreateOptionsV30) -> (result :BlockTemplateV30);
    checkBlock @5 (block :Data, options :BlockCheckOptionsV30) -> (reason :Text, debug :Text, result :Bool);
}

interface BlockTemplateV30 $Proxy.wrap("BlockTemplateV30") $speaksAs("mining.capnp:BlockTemplate") {
    destroy @0 (context :Proxy.Context) -> ();
    getBlockHeader @1 (context :Proxy.Context) -> (result :Data) $Proxy.name("block_header");
    getBlock @2 (context :Proxy.Context) -> (result :Data) $Proxy.name("block");
    getTxFees @3 (context :Proxy.Context) -> (result :List(Int64)) $Proxy.name("tx_fees");
    getTxSigops @4 (context :Proxy.Context) -> (result :List(Int64)) $Proxy.name("tx_sigops");
    getCoinbaseTx @5 (context :Proxy.Context) -> (result :Data) $Proxy.name("coinbase_tx");
    getCoinbaseCommitment @6 (context :Proxy.Context) -> (result :Data) $Proxy.name("coinbase_commitment");
    getWitnessCommitmentIndex @7 (context :Proxy.Context) -> (result :Int32) $Proxy.name("witness_commitment_index");
    getCoinbaseMerklePath @8 (context :Proxy.Context) -> (result :List(Data)) $Proxy.name("coinbase_merkle_path");
    submitSolution @9 (context :Proxy.Context, version :UInt32, timestamp :UInt32, nonce :UInt32, coinbase :Data)
        -> (result :Bool);
    waitNext @10 (context :Proxy.Context, options :BlockWaitOptionsV30) -> (result :BlockTemplateV30);
    interruptWait @11 () -> ();
}

struct BlockCreateOptionsV30 $Proxy.wrap("BlockCreateOptionsV30") {
    useMempool @0 :Bool;
    blockReservedWeight @1 :UInt64;
    coinbaseOutputMaxAdditionalSigops @2 :UInt64;
}

struct BlockWaitOptionsV30 $Proxy.wrap("BlockWaitOptionsV30") {
    timeout @0 :Float64;
    feeThreshold @1 :Int64;
}

struct BlockCheckOptionsV30 $Proxy.wrap("BlockCheckOptionsV30") {
    checkMerkleRoot @0 :Bool;
    checkPow @1 :Bool;
}
