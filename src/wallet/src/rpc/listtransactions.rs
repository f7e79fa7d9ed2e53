//! `listtransactions`

use rpc::command::{example_cli, example_rpc};
use rpc::{Arg, ArgType, Command, Res, RpcError};
use serde_json::Value;

use super::txdoc::{self, transaction_fields};
use super::{CATEGORY, checked_label, synced_wallet};
use crate::loader::Loader;

pub(super) static COMMANDS: &[Command<Loader>] = &[Command {
    name: "listtransactions",
    category: CATEGORY,
    args: &[
        Arg::optional(
            "label",
            ArgType::Str,
            "Only payments to addresses with this label, or \"*\" for all transactions.",
        ),
        Arg::or("count", ArgType::Num, "10", "The number of transactions to return"),
        Arg::or("skip", ArgType::Num, "0", "The number of transactions to skip"),
        Arg::or("include_watchonly", ArgType::Bool, "false", "(DEPRECATED) No longer used"),
    ],
    description: "Lists the latest transactions, oldest first. A transaction has an entry for each output sent and one for each received, so a payment to the wallet itself has both.",
    result: &[Res::arr(
        "",
        "",
        &[Res::obj(
            "",
            "",
            transaction_fields![
                Res::str("address", "The bitcoin address; missing if the output has none").optional(),
                Res::str("category", "send, receive, generate (mature coinbase), immature or orphan"),
                Res::amount("amount", "The amount in BTC, negative when sending"),
                Res::str("label", "Label of the address").optional(),
                Res::num("vout", "the vout value"),
                Res::amount("fee", "The fee in BTC, negative; only when sending").optional(),
                Res::bool("abandoned", "If the user gave it up"),
            ],
        )],
    )],
    examples: &[
        example_cli!("listtransactions", ""),
        example_cli!("listtransactions", "\"*\" 20 100"),
        example_rpc!("listtransactions", "\"*\", 20, 100"),
    ],
    run: |loader, call| {
        let wallet = synced_wallet(loader, call)?;
        let label = match call.opt_str("label")? {
            None | Some("*") => None,
            Some("") => {
                return Err(RpcError::invalid_parameter("Label argument must be a valid label name or \"*\"."));
            }
            Some(label) => Some(checked_label(label)?),
        };
        let number = |name: &str, error: &str| {
            usize::try_from(call.int::<i32>(name)?).map_err(|_| RpcError::invalid_parameter(error))
        };
        let (count, skip) = (number("count", "Negative count")?, number("skip", "Negative from")?);
        let state = wallet.state();
        let mut latest: Vec<Value> = Vec::new();
        for (_, txid) in state.order.iter().rev() {
            if latest.len() >= count + skip {
                break;
            }
            if let Some(tx) = state.txs.get(txid) {
                latest.extend(txdoc::details(&wallet, &state, tx, true, label)?);
            }
        }
        let mut shown: Vec<Value> = latest.into_iter().skip(skip).take(count).collect();
        shown.reverse();
        Ok(shown.into())
    },
}];
