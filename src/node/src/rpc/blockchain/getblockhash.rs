//! `getblockhash`.

use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc};
use serde_json::json;

use crate::NodeContext;
use crate::rpc::support::engine_error;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getblockhash",
    category: "blockchain",
    args: &[Arg::required("height", ArgType::Num, "The height")],
    description: "Returns the hash of the active chain's block at a height.",
    result: &[Res::hex("", "The block hash")],
    examples: &[example_cli!("getblockhash", "1000"), example_rpc!("getblockhash", "1000")],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let hash = match u32::try_from(call.int::<i32>("height")?) {
        Ok(height) => ctx.kernel.hash_at(height).map_err(engine_error)?,
        Err(_) => None,
    };
    hash.map(|hash| json!(hash.to_string())).ok_or_else(|| RpcError::invalid_parameter("Block height out of range"))
}
