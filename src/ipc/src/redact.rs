//! Which values never appear in the trace, where their name alone does not tell.

use serde::Deserialize;

/// What stands in a secret's place.
pub(crate) const HIDDEN: &str = "***";

/// RPC commands whose parameters hold neither keys nor passphrases nor descriptors, in order. Those of all others are
/// hidden, also of commands that do not exist: somebody may have mistyped one.
#[rustfmt::skip]
const SHOWN_COMMANDS: &[&str] = &[
    "abandontransaction", "abortprivatebroadcast", "abortrescan", "addconnection", "addnode", "backupwallet",
    "bumpfee", "clearbanned", "combinepsbt", "combinerawtransaction", "converttopsbt", "createmultisig", "createpsbt",
    "createrawtransaction", "decodepsbt", "decoderawtransaction", "decodescript", "disconnectnode", "dumptxoutset",
    "enumeratesigners", "estimaterawfee", "estimatesmartfee", "exportasmap", "finalizepsbt", "fundrawtransaction",
    "generate", "generatetoaddress", "getaddednodeinfo", "getaddressesbylabel", "getaddressinfo", "getaddrmaninfo",
    "getbalance", "getbalances", "getbestblockhash", "getblock", "getblockchaininfo", "getblockcount",
    "getblockfilter", "getblockfrompeer", "getblockhash", "getblockheader", "getblockstats", "getblocktemplate",
    "getchainstates", "getchaintips", "getchaintxstats", "getconnectioncount", "getdeploymentinfo", "getdifficulty",
    "gethdkeys", "getindexinfo", "getmemoryinfo", "getmempoolancestors", "getmempoolcluster", "getmempooldescendants",
    "getmempoolentry", "getmempoolfeeratediagram", "getmempoolinfo", "getmininginfo", "getnettotals",
    "getnetworkhashps", "getnetworkinfo", "getnewaddress", "getnodeaddresses", "getorphantxs", "getpeerinfo",
    "getprioritisedtransactions", "getprivatebroadcastinfo", "getrawaddrman", "getrawchangeaddress", "getrawmempool",
    "getrawtransaction", "getreceivedbyaddress", "getreceivedbylabel", "getrpcinfo", "gettransaction", "gettxout",
    "gettxoutproof", "gettxoutsetinfo", "gettxspendingprevout", "getwalletinfo", "getzmqnotifications",
    "importmempool", "importprunedfunds", "invalidateblock", "joinpsbts", "keypoolrefill", "listaddressgroupings",
    "listbanned", "listdescriptors", "listlabels", "listlockunspent", "listreceivedbyaddress", "listreceivedbylabel",
    "listsinceblock", "listtransactions", "listunspent", "listwalletdir", "listwallets", "loadtxoutset", "loadwallet",
    "lockunspent", "logging", "mockscheduler", "ping", "preciousblock", "prioritisetransaction", "pruneblockchain",
    "psbtbumpfee", "reconsiderblock", "removeprunedfunds", "rescanblockchain", "restorewallet", "savemempool", "send",
    "sendall", "sendmany", "sendrawtransaction", "sendtoaddress", "setban", "setlabel", "setmocktime",
    "setnetworkactive", "setwalletflag", "signmessage", "signrawtransactionwithwallet", "simulaterawtransaction",
    "stop", "submitblock", "submitheader", "submitpackage", "syncwithvalidationinterfacequeue", "testmempoolaccept",
    "unloadwallet", "uptime", "validateaddress", "verifychain", "verifymessage", "verifytxoutproof", "waitforblock",
    "waitforblockheight", "waitfornewblock", "walletcreatefundedpsbt", "walletdisplayaddress", "walletlock",
    "walletprocesspsbt",
];

fn is_shown(command: &str) -> bool {
    SHOWN_COMMANDS.binary_search(&command).is_ok()
}

/// Says whether a field of `owner` is secret, given the field `key` that decides.
pub(crate) fn is_secret(owner: &str, key: &str) -> bool {
    match owner {
        "RpcRequest" => !is_shown(key),
        // Options with credentials: -rpcpassword, -rpcauth, -rpcuser, -torpassword, -signer.
        "Setting" => ["pass", "auth", "user", "key", "secret", "signer"].iter().any(|part| key.contains(part)),
        _ => true,
    }
}

/// Says whether the JSON of an RPC request, or of a batch of them, may hold a secret.
pub(crate) fn may_hold_secret(request: &str) -> bool {
    /// What decides; a name given twice is an error.
    #[derive(Deserialize)]
    struct Named {
        method: String,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Request {
        Single(Named),
        Batch(Vec<Named>),
    }
    match serde_json::from_str(request) {
        Ok(Request::Single(named)) => !is_shown(&named.method),
        Ok(Request::Batch(batch)) => !batch.iter().all(|named| is_shown(&named.method)),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_is_secret() {
        assert!(SHOWN_COMMANDS.is_sorted());
        for (owner, key, secret) in [
            ("RpcRequest", "walletpassphrase", true),
            ("RpcRequest", "walletpasphrase", true),
            ("RpcRequest", "migratewallet", true),
            ("RpcRequest", "getbalance", false),
            ("Setting", "rpcpassword", true),
            ("Setting", "regtest", false),
            ("Unknown", "name", true),
        ] {
            assert_eq!(is_secret(owner, key), secret, "{owner} {key}");
        }
        for (request, secret) in [
            (r#"{"method":"getblockcount","params":[]}"#, false),
            (r#"{"id":[{}],"method":"getblockhash","params":[1e400]}"#, false),
            (r#"[{"method":"getblockcount"},{"method":"uptime","params":[]}]"#, false),
            (r#"{"method":"walletpassphrase","params":["x",1]}"#, true),
            (r#"[{"method":"uptime"},{"params":{},"method":"encryptwallet"}]"#, true),
            (r#"{"method":"wallet\u0070assphrase","params":["x",1]}"#, true),
            (r#"{"method":"walletpassphrase","params":["x"],"method":"uptime"}"#, true),
            (r#"{"method":"uptime","params":["x"}"#, true),
            ("", true),
        ] {
            assert_eq!(may_hold_secret(request), secret, "{request}");
        }
    }
}
