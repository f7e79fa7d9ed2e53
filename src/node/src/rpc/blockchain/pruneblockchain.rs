//! `pruneblockchain`.

use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc};
use serde_json::json;

use crate::NodeContext;
use crate::rpc::support::engine_error;

/// Blocks that are always kept.
const MIN_BLOCKS_TO_KEEP: i64 = 288;
/// How far block times may be apart from real time, in seconds.
const TIMESTAMP_WINDOW: i64 = 2 * 60 * 60;
/// Numbers above are times.
const HIGHEST_HEIGHT: i64 = 1_000_000_000;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "pruneblockchain",
    category: "blockchain",
    args: &[Arg::required(
        "height",
        ArgType::Num,
        "The height to prune up to, or a time in Unix seconds: then blocks at least two hours older are pruned",
    )],
    description: "Deletes block and undo data up to a height or time, as far as pruning allows. Needs `-prune`. What is \
                  deleted here cannot be restored here.",
    result: &[Res::num("", "Height of the last block pruned")],
    examples: &[example_cli!("pruneblockchain", "1000"), example_rpc!("pruneblockchain", "1000")],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let pruning = || -> Result<_, RpcError> {
        ctx.kernel
            .chain_info()
            .map_err(engine_error)?
            .prune
            .ok_or_else(|| RpcError::misc("Cannot prune blocks because node is not in prune mode."))
    };
    pruning()?;
    let mut height = i64::from(call.int::<i32>("height")?);
    if height < 0 {
        return Err(RpcError::invalid_parameter("Negative block height."));
    }
    if height > HIGHEST_HEIGHT {
        let found =
            ctx.kernel.find_first_block(height - TIMESTAMP_WINDOW, 0).map_err(engine_error)?.ok_or_else(|| {
                RpcError::invalid_parameter("Could not find block with at least the specified timestamp.")
            })?;
        height = i64::from(found.height);
    }
    let chain_height = i64::from(crate::rpc::support::tip(ctx)?.height);
    if chain_height < prune_after_height(ctx) {
        return Err(RpcError::misc("Blockchain is too short for pruning."));
    }
    if height > chain_height {
        return Err(RpcError::invalid_parameter("Blockchain is shorter than the attempted prune height."));
    }
    height = height.min(chain_height - MIN_BLOCKS_TO_KEEP);
    let up_to = u32::try_from(height.max(0)).map_err(|_| RpcError::invalid_parameter("Negative block height."))?;
    ctx.kernel.prune_to(up_to).map_err(engine_error)?;
    let first_stored = pruning()?.first_stored_height;
    Ok(json!(i64::from(first_stored) - 1))
}

/// Returns the height below which the chain is not worth pruning.
fn prune_after_height(ctx: &NodeContext) -> i64 {
    match ctx.chain {
        common::chain::Chain::Main => 100_000,
        common::chain::Chain::Regtest if ctx.args.get_bool("fastprune") => 100,
        _ => 1_000,
    }
}
