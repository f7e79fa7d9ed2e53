//! `getbestblockhash`.

use rpc::{Command, Res, example_cli, example_rpc};
use serde_json::json;

use crate::NodeContext;
use crate::rpc::support::tip;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getbestblockhash",
    category: "blockchain",
    args: &[],
    description: "Returns the hash of the tip of the fully validated chain with the most work.",
    result: &[Res::hex("", "The block hash")],
    examples: &[example_cli!("getbestblockhash", ""), example_rpc!("getbestblockhash", "")],
    run: |ctx, _| Ok(json!(tip(ctx)?.hash.to_string())),
};
