//! `unloadwallet`

use rpc::command::{example_cli, example_rpc};
use rpc::{Arg, ArgType, Command, Default, Res, RpcError};
use serde_json::Map;

use super::{CATEGORY, WARNINGS, push_warnings};
use crate::loader::Loader;

pub(super) static COMMANDS: &[Command<Loader>] = &[Command {
    name: "unloadwallet",
    category: CATEGORY,
    args: &[
        Arg::new(
            "wallet_name",
            ArgType::Str,
            Default::Hint("the wallet name from the RPC endpoint"),
            "Name of the wallet; the same as in the endpoint's path if both are given.",
        ),
        Arg::optional(
            "load_on_startup",
            ArgType::Bool,
            "Whether to load the wallet at start-up from now on; as before if left out.",
        ),
    ],
    description: "Unloads the wallet named by the endpoint's path or by wallet_name.",
    result: &[Res::obj("", "", &[WARNINGS])],
    examples: &[example_cli!("unloadwallet", "wallet_name"), example_rpc!("unloadwallet", "wallet_name")],
    run: |loader, call| {
        let name = match (call.request.wallet(), call.opt_str("wallet_name")?) {
            (Some(path), Some(given)) if path != given => {
                return Err(RpcError::invalid_parameter(
                    "The RPC endpoint wallet and the wallet name parameter specify different wallets",
                ));
            }
            (Some(path), _) => path,
            (None, Some(given)) => given.to_owned(),
            (None, None) => {
                return Err(RpcError::invalid_parameter(
                    "Either the RPC endpoint wallet or the wallet name parameter must be provided",
                ));
            }
        };
        let mut result = Map::new();
        push_warnings(&mut result, loader.unload(&name, call.opt_bool("load_on_startup")?)?);
        Ok(result.into())
    },
}];
