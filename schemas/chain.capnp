# The chain as wallets see it, and its events.
#
# Hashes are 32 bytes in the order they are hashed in; transactions, blocks, outputs and outpoints are in consensus
# encoding; amounts are satoshi; fee rates are satoshi per 1000 weight units. An optional value is a null pointer, or
# a second field `has…`. A result `error` that is not null is the method's refusal. Ordinals are append-only.

@0xe2f1c0a9b5d46c73;

using Common = import "common.capnp";
using Proxy = import "/mp/proxy.capnp";

interface Chain $Proxy.wrap("Chain") {
    destroy @0 (context :Proxy.Context) -> ();
    status @1 (context :Proxy.Context) -> (result :ChainStatus);
    blockAt @2 (context :Proxy.Context, height :UInt32) -> (result :BlockRef);
    findBlock @3 (context :Proxy.Context, hash :Data) -> (result :BlockRef);
    tipLocator @4 (context :Proxy.Context) -> (result :List(Data));
    findFork @5 (context :Proxy.Context, locator :List(Data)) -> (result :BlockRef);
    findFirstBlock @6 (context :Proxy.Context, minTime :Int64, minHeight :UInt32) -> (result :BlockRef);
    hasBlocks @7 (context :Proxy.Context, range :BlockRange) -> (result :Bool);
    scan @8 (context :Proxy.Context, request :ScanRequest) -> (result :ScanPage);
    findCoins @9 (context :Proxy.Context, outpoints :List(Data)) -> (result :List(MaybeCoin));
    broadcast @10 (context :Proxy.Context, transaction :Data, maxFee :Int64, relay :Bool) -> (error :BroadcastError);
    mempoolTransactions @11 (context :Proxy.Context) -> (result :List(Data));
    mempoolAncestry @12 (context :Proxy.Context, txids :List(Data)) -> (result :List(MaybeMempoolAncestry));
    feePolicy @13 (context :Proxy.Context) -> (result :FeePolicy);
    estimateFee @14 (context :Proxy.Context, target :UInt32, conservative :Bool) -> (result :FeeEstimate);
    subscribe @15 (context :Proxy.Context, notifications :ChainNotifications) -> (result :Common.Subscription);
    syncNotifications @16 (context :Proxy.Context, oldTip :Data) -> ();
    updateWalletSetting @17 (context :Proxy.Context, update :WalletSettingUpdate) -> (result :Bool);
    abortNode @18 (context :Proxy.Context, message :Text) -> ();
    bumpFees @19 (context :Proxy.Context, txids :List(Data), rate :UInt64) -> (result :BumpFees);
    exceedsClusterLimits @20 (context :Proxy.Context, transaction :Data) -> (result :Bool);
    initWarning @21 (context :Proxy.Context, message :Text) -> ();
    raiseWarning @22 (context :Proxy.Context, message :Text) -> (result :Common.Subscription);
}

interface ChainNotifications $Proxy.wrap("ChainNotifications") {
    destroy @0 (context :Proxy.Context) -> ();
    transactionAdded @1 (context :Proxy.Context, transaction :Data, sequence :UInt64) -> ();
    transactionRemoved @2 (context :Proxy.Context, transaction :Data, reason :MempoolRemovalReason, sequence :UInt64)
        -> ();
    blockConnected @3 (context :Proxy.Context, connected :ConnectedBlock) -> ();
    blockDisconnected @4 (context :Proxy.Context, disconnected :ConnectedBlock) -> ();
    chainStateFlushed @5 (context :Proxy.Context, locator :List(Data)) -> ();
}

struct BlockRef $Proxy.wrap("BlockRef") {
    hash @0 :Data;
    height @1 :UInt32;
    time @2 :Int64;
    medianTime @3 :Int64;
    maxTime @4 :Int64;
    active @5 :Bool;
}

struct ChainStatus $Proxy.wrap("ChainStatus") {
    chain @0 :Text;
    tip @1 :BlockRef;
    initialBlockDownload @2 :Bool;
    firstStoredHeight @3 :UInt32;
    hasFirstStoredHeight @4 :Bool;
    now @5 :Int64;
}

struct BlockRange $Proxy.wrap("BlockRange") {
    last @0 :Data;
    minHeight @1 :UInt32;
    maxHeight @2 :UInt32;
    hasMaxHeight @3 :Bool;
}

struct ScanRequest $Proxy.wrap("ScanRequest") {
    startHeight @0 :UInt32;
    stopHeight @1 :UInt32;
    hasStopHeight @2 :Bool;
    scripts @3 :List(Data);
    maxBlocks @4 :UInt32;
}

struct ScanPage $Proxy.wrap("ScanPage") {
    blocks @0 :List(ScannedBlock);
    last @1 :BlockRef;
    nextHeight @2 :UInt32;
    hasNextHeight @3 :Bool;
    unreadable @4 :UInt32;
    hasUnreadable @5 :Bool;
}

struct ScannedBlock $Proxy.wrap("ScannedBlock") {
    block @0 :BlockRef;
    positions @1 :List(UInt32);
    transactions @2 :List(Data);
}

struct Coin $Proxy.wrap("Coin") {
    output @0 :Data;
    height @1 :UInt32;
    hasHeight @2 :Bool;
    coinbase @3 :Bool;
}

struct MaybeCoin {
    # An element of a list of optional coins; null if there is none.
    value @0 :Coin;
}

struct BroadcastError $Proxy.wrap("BroadcastError") {
    union {
        missingInputs @0 :Void;
        alreadyInUtxoSet @1 :Void;
        mempoolRejected :group {
            reason @2 :Text;
        }
        maxFeeExceeded @3 :Void;
    }
}

struct MempoolAncestry $Proxy.wrap("MempoolAncestry") {
    ancestors @0 :UInt64;
    descendants @1 :UInt64;
    cluster @2 :UInt64;
}

struct BumpFees $Proxy.wrap("BumpFees") {
    each @0 :List(Int64);
    together @1 :Int64;
}

struct MaybeMempoolAncestry {
    value @0 :MempoolAncestry;
}

struct FeePolicy $Proxy.wrap("FeePolicy") {
    mempoolMin @0 :UInt64;
    relayMin @1 :UInt64;
    incremental @2 :UInt64;
    dust @3 :UInt64;
    ancestorLimit @4 :UInt32;
    descendantLimit @5 :UInt32;
}

struct FeeEstimate $Proxy.wrap("FeeEstimate") {
    rate @0 :UInt64;
    hasRate @1 :Bool;
    target @2 :UInt32;
}

struct ConnectedBlock $Proxy.wrap("ConnectedBlock") {
    block @0 :BlockRef;
    data @1 :Data;
}

enum MempoolRemovalReason {
    expiry @0;
    sizeLimit @1;
    reorg @2;
    conflict @3;
    replaced @4;
}

struct WalletSettingUpdate $Proxy.wrap("WalletSettingUpdate") {
    name @0 :Text;
    loadOnStartup @1 :Bool;
}
