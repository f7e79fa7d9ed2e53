//! `logging`: which categories are logged in detail.

use common::logging;
use serde_json::{Map, Value, json};

use super::Control;
use crate::command::{example_cli, example_rpc};
use crate::{Arg, ArgType, Command, Res, RpcError, json as values};

pub(super) static COMMANDS: &[Command<Control>] = &[Command {
    name: "logging",
    category: "control",
    args: &[
        Arg::optional("include", ArgType::Arr, "Categories to log in detail from now on").inner(&[Arg::optional(
            "include_category",
            ArgType::Str,
            "A category, or \"all\" or \"1\" for every one",
        )]),
        Arg::optional("exclude", ArgType::Arr, "Categories not to log in detail any more").inner(&[Arg::optional(
            "exclude_category",
            ArgType::Str,
            "A category, or \"all\" or \"1\" for every one",
        )]),
    ],
    description: "Returns which categories are logged in detail, after adding \"include\" and then taking away \
                  \"exclude\".\nA category in both ends up not being logged.\nThe valid logging categories are: addrman, bench, blockstorage, cmpctblock, coindb, \
                  estimatefee, http, i2p, ipc, kernel, leveldb, mempool, mempoolrej, net, privatebroadcast, \
                  proxy, prune, qt, rand, reindex, rpc, scan, selectcoins, tor, txpackages, txreconciliation, \
                  validation, walletdb, zmq",
    result: &[Res::obj_dyn("", "Categories as keys", &[Res::bool("category", "Whether it is logged in detail")])],
    examples: &[
        example_cli!("logging", "'[\"all\"]' '[\"http\"]'"),
        example_rpc!("logging", "[\"all\"], [\"leveldb\"]"),
    ],
    run: |_, call| {
        for (argument, change) in
            [("include", logging::enable_category as fn(&str) -> bool), ("exclude", logging::disable_category)]
        {
            for category in call.opt_array(argument)?.into_iter().flatten() {
                let category = values::as_str(category)?;
                if !change(category) {
                    return Err(RpcError::invalid_parameter(format!("unknown logging category {category}")));
                }
            }
        }
        let states: Map<String, Value> =
            logging::categories().into_iter().map(|state| (state.name.to_owned(), json!(state.active))).collect();
        Ok(Value::Object(states))
    },
}];
