# Making blocks: what a pool or a template provider asks of a node.
#
# Ids, ordinals, defaults and names are those of Bitcoin Core's file of the same name; append-only. Hashes are 32 bytes
# in the order they are hashed in; headers, transactions, blocks and outputs are in consensus encoding; amounts are
# satoshi; times are milliseconds. A result that is null is "nothing": the wait was interrupted or its time is up. In a
# list of transactions, empty data stands for none.

@0xc77d03df6a41b505;

using Common = import "common.capnp";
using Proxy = import "/mp/proxy.capnp";

const maxMoney :Int64 = 2100000000000000;
const maxDouble :Float64 = 1.7976931348623157e308;
const defaultBlockReservedWeight :UInt32 = 8000;
const defaultCoinbaseOutputMaxAdditionalSigops :UInt32 = 400;

interface Mining $Proxy.wrap("Mining") {
    isTestChain @0 (context :Proxy.Context) -> (result :Bool);
    isInitialBlockDownload @1 (context :Proxy.Context) -> (result :Bool);
    getTip @2 (context :Proxy.Context) -> (result :Common.BlockRef, hasResult :Bool) $Proxy.name("tip");
    waitTipChanged @3 (context :Proxy.Context, currentTip :Data, timeout :Float64 = .maxDouble)
        -> (result :Common.BlockRef);
    createNewBlock @4 (context :Proxy.Context, options :BlockCreateOptions, cooldown :Bool = true)
        -> (result :BlockTemplate);
    checkBlock @5 (context :Proxy.Context, block :Data, options :BlockCheckOptions)
        -> (reason :Text, debug :Text, result :Bool);
    interrupt @6 () -> ();
    submitBlock @7 (context :Proxy.Context, block :Data) -> (reason :Text, debug :Text, result :Bool);
    getTransactionsByTxID @8 (context :Proxy.Context, txids :List(Data)) -> (result :List(Data))
        $Proxy.name("transactions_by_txid");
    getTransactionsByWitnessID @9 (context :Proxy.Context, wtxids :List(Data)) -> (result :List(Data))
        $Proxy.name("transactions_by_wtxid");
}

interface BlockTemplate $Proxy.wrap("BlockTemplate") {
    destroy @0 (context :Proxy.Context) -> ();
    getBlockHeader @1 (context :Proxy.Context) -> (result :Data) $Proxy.name("block_header");
    getBlock @2 (context :Proxy.Context) -> (result :Data) $Proxy.name("block");
    getTxFees @3 (context :Proxy.Context) -> (result :List(Int64)) $Proxy.name("tx_fees");
    getTxSigops @4 (context :Proxy.Context) -> (result :List(Int64)) $Proxy.name("tx_sigops");
    getCoinbaseTx @5 (context :Proxy.Context) -> (result :CoinbaseTx) $Proxy.name("coinbase_tx");
    getCoinbaseMerklePath @6 (context :Proxy.Context) -> (result :List(Data)) $Proxy.name("coinbase_merkle_path");
    submitSolution @7 (context :Proxy.Context, version :UInt32, timestamp :UInt32, nonce :UInt32, coinbase :Data)
        -> (result :Bool);
    waitNext @8 (context :Proxy.Context, options :BlockWaitOptions) -> (result :BlockTemplate);
    interruptWait @9 () -> ();
}

struct BlockCreateOptions $Proxy.wrap("BlockCreateOptions") {
    useMempool @0 :Bool = true;
    blockReservedWeight @1 :UInt64 = .defaultBlockReservedWeight;
    coinbaseOutputMaxAdditionalSigops @2 :UInt64 = .defaultCoinbaseOutputMaxAdditionalSigops;
}

struct BlockWaitOptions $Proxy.wrap("BlockWaitOptions") {
    timeout @0 :Float64 = .maxDouble;
    feeThreshold @1 :Int64 = .maxMoney;
}

struct BlockCheckOptions $Proxy.wrap("BlockCheckOptions") {
    checkMerkleRoot @0 :Bool = true;
    checkPow @1 :Bool = true;
}

struct CoinbaseTx $Proxy.wrap("CoinbaseTx") {
    version @0 :UInt32;
    sequence @1 :UInt32;
    scriptSigPrefix @2 :Data;
    witness @3 :Data;
    blockRewardRemaining @4 :Int64;
    requiredOutputs @5 :List(Data);
    lockTime @6 :UInt32;
}
