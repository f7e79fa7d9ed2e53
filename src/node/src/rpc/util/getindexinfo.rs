//! `getindexinfo`.

use rpc::{Arg, ArgType, Command, Res, example_cli, example_rpc};
use serde_json::json;

use crate::NodeContext;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getindexinfo",
    category: "util",
    args: &[Arg::optional("index_name", ArgType::Str, "Only this index.")],
    description: "Returns the state of each index that runs. There are none yet.",
    result: &[Res::obj_dyn(
        "",
        "",
        &[Res::obj(
            "name",
            "The index",
            &[Res::bool("synced", "Whether it is up to date"), Res::num("best_block_height", "The height it is at")],
        )],
    )],
    examples: &[example_cli!("getindexinfo", ""), example_rpc!("getindexinfo", "")],
    run: |_, _| Ok(json!({})),
};
