//! Which values never appear in the trace, where their name alone does not tell.

/// What stands in a secret's place.
pub(crate) const HIDDEN: &str = "***";

/// RPC commands whose parameters may hold keys, passphrases or descriptors with private keys.
const SECRET_COMMANDS: &[&str] = &[
    "addhdkey",
    "createwallet",
    "createwalletdescriptor",
    "deriveaddresses",
    "descriptorprocesspsbt",
    "encryptwallet",
    "getdescriptorinfo",
    "importdescriptors",
    "importmulti",
    "importprivkey",
    "scantxoutset",
    "sethdseed",
    "signmessagewithprivkey",
    "signrawtransactionwithkey",
    "walletpassphrase",
    "walletpassphrasechange",
];

/// Says whether a field of `owner` is secret, given the field `key` that decides.
pub(crate) fn is_secret(owner: &str, key: &str) -> bool {
    match owner {
        "RpcRequest" => SECRET_COMMANDS.contains(&key),
        // Options with credentials: -rpcpassword, -rpcauth, -rpcuser, -torpassword, -signer.
        "Setting" => ["pass", "auth", "user", "key", "secret", "signer"].iter().any(|part| key.contains(part)),
        _ => true,
    }
}

/// Says whether the JSON of an RPC request may hold a secret: it names such a command anywhere, or writes letters in a
/// way that could hide the name.
pub(crate) fn may_hold_secret(request: &str) -> bool {
    request.contains("\\u") || SECRET_COMMANDS.iter().any(|command| request.contains(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_is_secret() {
        for (owner, key, secret) in [
            ("RpcRequest", "walletpassphrase", true),
            ("RpcRequest", "getbalance", false),
            ("Setting", "rpcpassword", true),
            ("Setting", "regtest", false),
            ("Unknown", "name", true),
        ] {
            assert_eq!(is_secret(owner, key), secret, "{owner} {key}");
        }
        for (request, secret) in [
            (r#"{"method":"getblockcount","params":[]}"#, false),
            (r#"{"method":"walletpassphrase","params":["x",1]}"#, true),
            (r#"[{"method":"echo"},{"params":{},"method":"encryptwallet"}]"#, true),
            (r#"{"method":"wallet\u0070assphrase","params":["x",1]}"#, true),
        ] {
            assert_eq!(may_hold_secret(request), secret, "{request}");
        }
    }
}
