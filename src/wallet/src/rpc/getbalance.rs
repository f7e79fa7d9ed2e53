//! `getbalance`

use rpc::command::{example_cli, example_rpc};
use rpc::{Arg, ArgType, Command, Res, RpcError, code, json};

use super::{CATEGORY, avoid_reuse, synced_wallet};
use crate::loader::Loader;

pub(super) static COMMANDS: &[Command<Loader>] = &[Command {
    name: "getbalance",
    category: CATEGORY,
    args: &[
        Arg::optional("dummy", ArgType::Str, "Must be left out or \"*\"."),
        Arg::or("minconf", ArgType::Num, "0", "Least confirmations to count."),
        Arg::or("include_watchonly", ArgType::Bool, "false", "No longer used"),
        Arg::or(
            "avoid_reuse",
            ArgType::Bool,
            "true",
            "Leave out coins on used addresses (only in wallets with avoid_reuse).",
        ),
    ],
    description: "Returns what the wallet can spend: confirmed coins and its own unconfirmed change.",
    result: &[Res::amount("amount", "The sum in BTC")],
    examples: &[
        example_cli!("getbalance", ""),
        example_cli!("getbalance", "\"*\" 6"),
        example_rpc!("getbalance", "\"*\", 6"),
    ],
    run: |loader, call| {
        let wallet = synced_wallet(loader, call)?;
        if call.opt_str("dummy")?.is_some_and(|dummy| dummy != "*") {
            return Err(RpcError::new(
                code::METHOD_DEPRECATED,
                "dummy first argument must be excluded or set to \"*\".",
            ));
        }
        let state = wallet.state();
        let avoid = avoid_reuse(&state, call)?;
        let balance = state.balance(call.int("minconf")?, avoid, false, wallet.options.spend_unconfirmed_change);
        Ok(json::amount(balance.trusted))
    },
}];
