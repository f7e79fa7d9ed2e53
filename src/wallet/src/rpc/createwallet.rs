//! `createwallet`

use rpc::command::{example_cli, example_cli_named, example_rpc};
use rpc::{Arg, ArgType, Command, Res, RpcError};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{CATEGORY, WARNINGS, push_warnings};
use crate::loader::Loader;
use crate::state::flags;
use crate::wallet::load::Creation;

pub(super) static COMMANDS: &[Command<Loader>] = &[Command {
    name: "createwallet",
    category: CATEGORY,
    args: &[
        Arg::required("wallet_name", ArgType::Str, "Name of the wallet; a path puts it there."),
        Arg::or("disable_private_keys", ArgType::Bool, "false", "Watch only: never holds private keys."),
        Arg::or("blank", ArgType::Bool, "false", "Starts without keys."),
        Arg::optional("passphrase", ArgType::Str, "Encrypts the wallet with this."),
        Arg::or(
            "avoid_reuse",
            ArgType::Bool,
            "false",
            "Treats coins on addresses that were spent from before apart, for privacy.",
        ),
        Arg::or("descriptors", ArgType::Bool, "true", "Must be true."),
        Arg::optional(
            "load_on_startup",
            ArgType::Bool,
            "Whether to load the wallet at start-up from now on; as before if left out.",
        ),
        Arg::or("external_signer", ArgType::Bool, "false", "Keys are in an external signer; not supported."),
    ],
    description: "Creates and loads a new wallet.",
    result: &[Res::obj(
        "",
        "",
        &[Res::str("name", "Name of the wallet, or its path if it was made by path"), WARNINGS],
    )],
    examples: &[
        example_cli!("createwallet", "\"testwallet\""),
        example_rpc!("createwallet", "\"testwallet\""),
        example_cli_named!("createwallet", "wallet_name=descriptors avoid_reuse=true load_on_startup=true"),
    ],
    run: |loader, call| {
        let mut flags = 0;
        for (name, flag) in [
            ("disable_private_keys", flags::DISABLE_PRIVATE_KEYS),
            ("blank", flags::BLANK),
            ("avoid_reuse", flags::AVOID_REUSE),
        ] {
            if call.bool(name)? {
                flags |= flag;
            }
        }
        let passphrase = Zeroizing::new(call.opt_str("passphrase")?.unwrap_or_default().to_owned());
        let mut warnings = Vec::new();
        if call.has("passphrase") && passphrase.is_empty() {
            warnings.push("Empty string given as passphrase, wallet will not be encrypted.".to_owned());
        }
        if !call.bool("descriptors")? {
            return Err(RpcError::wallet(
                "descriptors argument must be set to \"true\"; it is no longer possible to create a legacy wallet.",
            ));
        }
        if call.bool("external_signer")? {
            return Err(RpcError::wallet("Compiled without external signing support (required for external signing)"));
        }
        let creation = Creation { name: call.str("wallet_name")?.to_owned(), flags, passphrase };
        let (wallet, more) = loader.create(&creation, call.opt_bool("load_on_startup")?)?;
        warnings.extend(more);
        let mut result = Map::from_iter([("name".to_owned(), Value::from(wallet.name.clone()))]);
        push_warnings(&mut result, warnings);
        Ok(result.into())
    },
}];
