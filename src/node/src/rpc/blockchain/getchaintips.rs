//! `getchaintips`.

use rpc::{Call, Command, Res, RpcResult, example_cli, example_rpc};
use serde_json::{Value, json};

use crate::NodeContext;
use crate::rpc::support::engine_error;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getchaintips",
    category: "blockchain",
    args: &[],
    description: "Returns the ends of all known branches of the block tree, the active chain's among them.",
    result: &[Res::arr(
        "",
        "",
        &[Res::obj(
            "",
            "",
            &[
                Res::num("height", "Height of the tip"),
                Res::hex("hash", "Hash of the tip"),
                Res::num("branchlen", "Blocks between the tip and the active chain; zero for the active one"),
                Res::str(
                    "status",
                    "What is known of the branch:\n\
                     \"invalid\"        it has an invalid block\n\
                     \"headers-only\"   blocks are missing, the headers are valid\n\
                     \"valid-headers\"  all blocks are here, they were never fully validated\n\
                     \"valid-fork\"     fully validated, not the active chain\n\
                     \"active\"         the active chain",
                ),
            ],
        )],
    )],
    examples: &[example_cli!("getchaintips", ""), example_rpc!("getchaintips", "")],
    run,
};

fn run(ctx: &NodeContext, _: &Call<'_>) -> RpcResult {
    let tips = ctx.kernel.chain_tips().map_err(engine_error)?;
    let entries = tips.iter().map(|tip| {
        json!({
            "height": tip.height,
            "hash": tip.hash.to_string(),
            "branchlen": tip.branch_length,
            "status": tip.status.name(),
        })
    });
    Ok(Value::Array(entries.collect()))
}
