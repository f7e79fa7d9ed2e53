# Wallets as node and GUI see them, and their events. The conventions are those of chain.capnp; append-only.

@0xc08e8d2bf1a97d45;

using Common = import "common.capnp";
using Proxy = import "/mp/proxy.capnp";

interface WalletLoader $Proxy.wrap("WalletLoader") {
    destroy @0 (context :Proxy.Context) -> ();
    loadWallets @1 (context :Proxy.Context) -> (error :WalletError);
    rpcCommands @2 (context :Proxy.Context) -> (result :List(Common.RpcCommand));
    executeRpc @3 (context :Proxy.Context, request :Common.RpcRequest) -> (result :Text, error :Common.RpcError);
    rpcHelp @4 (context :Proxy.Context, command :Text) -> (result :Text);
    createWallet @5 (context :Proxy.Context, request :CreateWallet) -> (result :Wallet, error :WalletError);
    loadWallet @6 (context :Proxy.Context, name :Text) -> (result :Wallet, error :WalletError);
    wallets @7 (context :Proxy.Context) -> (result :List(Wallet));
    listWalletDir @8 (context :Proxy.Context) -> (result :List(Text));
    setMockTime @9 (context :Proxy.Context, time :Int64, hasTime :Bool) -> ();
    stop @10 (context :Proxy.Context) -> ();
    reopenLog @11 (context :Proxy.Context) -> ();
}

interface Wallet $Proxy.wrap("Wallet") {
    destroy @0 (context :Proxy.Context) -> ();
    info @1 (context :Proxy.Context) -> (result :WalletInfo);
    balances @2 (context :Proxy.Context) -> (result :Balances);
    newAddress @3 (context :Proxy.Context, label :Text, addressType :AddressType, hasAddressType :Bool)
        -> (result :Text, error :WalletError);
    coins @4 (context :Proxy.Context) -> (result :List(WalletCoin));
    transactions @5 (context :Proxy.Context, skip :UInt32, count :UInt32) -> (result :List(WalletTransaction));
    transaction @6 (context :Proxy.Context, txid :Data) -> (result :WalletTransaction);
    spend @7 (context :Proxy.Context, spend :Spend) -> (result :Data, error :WalletError);
    encrypt @8 (context :Proxy.Context, passphrase :Text) -> (error :WalletError);
    unlock @9 (context :Proxy.Context, passphrase :Text, seconds :Int64) -> (error :WalletError);
    lock @10 (context :Proxy.Context) -> (error :WalletError);
    subscribe @11 (context :Proxy.Context, notifications :WalletNotifications) -> (result :Common.Subscription);
}

interface WalletNotifications $Proxy.wrap("WalletNotifications") {
    destroy @0 (context :Proxy.Context) -> ();
    transactionChanged @1 (context :Proxy.Context, txid :Data) -> ();
    statusChanged @2 (context :Proxy.Context) -> ();
    unloaded @3 (context :Proxy.Context) -> ();
}

struct WalletError $Proxy.wrap("WalletError") {
    code @0 :Int32;
    message @1 :Text;
}

struct CreateWallet $Proxy.wrap("CreateWallet") {
    name @0 :Text;
    disablePrivateKeys @1 :Bool;
    blank @2 :Bool;
    passphrase @3 :Text;
    avoidReuse @4 :Bool;
    loadOnStartup @5 :Bool;
    hasLoadOnStartup @6 :Bool;
}

struct WalletInfo $Proxy.wrap("WalletInfo") {
    name @0 :Text;
    privateKeys @1 :Bool;
    encrypted @2 :Bool;
    locked @3 :Bool;
    transactions @4 :UInt64;
    height @5 :UInt32;
}

struct Balances $Proxy.wrap("Balances") {
    trusted @0 :Int64;
    untrustedPending @1 :Int64;
    immature @2 :Int64;
}

enum AddressType {
    legacy @0;
    p2shSegwit @1;
    bech32 @2;
    bech32m @3;
}

struct WalletCoin $Proxy.wrap("WalletCoin") {
    outpoint @0 :Data;
    output @1 :Data;
    depth @2 :UInt32;
    spendable @3 :Bool;
    safe @4 :Bool;
}

struct WalletTransaction $Proxy.wrap("WalletTransaction") {
    transaction @0 :Data;
    net @1 :Int64;
    depth @2 :Int32;
    time @3 :Int64;
    coinbase @4 :Bool;
}

struct Recipient $Proxy.wrap("Recipient") {
    address @0 :Text;
    amount @1 :Int64;
    subtractFee @2 :Bool;
}

struct Spend $Proxy.wrap("Spend") {
    recipients @0 :List(Recipient);
    feeRate @1 :UInt64;
    hasFeeRate @2 :Bool;
    comment @3 :Text;
}
