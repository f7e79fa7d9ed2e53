//! `verifychain`.

use rpc::{Arg, ArgType, Call, Command, Default, Res, RpcResult, example_cli, example_rpc};
use serde_json::json;

use crate::NodeContext;
use crate::rpc::support::engine_error;

/// Thoroughness and number of blocks where nothing else is asked for.
const LEVEL: i32 = 3;
const BLOCKS: i32 = 6;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "verifychain",
    category: "blockchain",
    args: &[
        Arg::new(
            "checklevel",
            ArgType::Num,
            Default::Hint("3, range=0-4"),
            "How thorough to be, each level in addition to those below:\n\
             - 0 reads the blocks from disk\n\
             - 1 checks each block by itself\n\
             - 2 checks the undo data\n\
             - 3 disconnects the blocks in memory\n\
             - 4 connects them again",
        ),
        Arg::new("nblocks", ArgType::Num, Default::Hint("6, 0=all"), "How many blocks to check."),
    ],
    description: "Verifies the last blocks stored.",
    result: &[Res::bool("", "Whether all is well; if not, the debug log says why")],
    examples: &[example_cli!("verifychain", ""), example_rpc!("verifychain", "")],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let level = call.opt_int("checklevel")?.unwrap_or(LEVEL);
    let blocks = call.opt_int("nblocks")?.unwrap_or(BLOCKS);
    Ok(json!(ctx.kernel.verify_chain(level, blocks).map_err(engine_error)?))
}
