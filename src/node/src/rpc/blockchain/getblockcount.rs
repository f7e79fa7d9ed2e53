//! `getblockcount`.

use rpc::{Command, Res, example_cli, example_rpc};
use serde_json::json;

use crate::NodeContext;
use crate::rpc::support::tip;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getblockcount",
    category: "blockchain",
    args: &[],
    description: "Returns the height of the fully validated chain with the most work. The genesis block has height 0.",
    result: &[Res::num("", "The height of the tip")],
    examples: &[example_cli!("getblockcount", ""), example_rpc!("getblockcount", "")],
    run: |ctx, _| Ok(json!(tip(ctx)?.height)),
};
