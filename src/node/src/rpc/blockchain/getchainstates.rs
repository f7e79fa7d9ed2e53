//! `getchainstates`.

use rpc::{Call, Command, Res, RpcResult, example_cli, example_rpc, json as values};
use serde_json::json;

use crate::NodeContext;
use crate::rpc::shape::block::{bits_hex, difficulty, target_hex};
use crate::rpc::support::engine_error;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getchainstates",
    category: "blockchain",
    args: &[],
    description: "Returns the chain states. There is one as long as the node was not given a snapshot.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::num("headers", "Height of the best header"),
            Res::arr(
                "chainstates",
                "The chain states by work, the active one last",
                &[Res::obj(
                    "",
                    "",
                    &[
                        Res::num("blocks", "Height of the tip"),
                        Res::hex("bestblockhash", "Hash of the tip"),
                        Res::hex("bits", "The tip's target in compact form"),
                        Res::hex("target", "The tip's target"),
                        Res::num("difficulty", "The tip's difficulty"),
                        Res::num("verificationprogress", "Estimated share of the chain that is verified, 0 to 1"),
                        Res::hex("snapshot_blockhash", "Block of the snapshot it was made from").optional(),
                        Res::num("coins_db_cache_bytes", "Bytes of memory the coins database may take"),
                        Res::num("coins_tip_cache_bytes", "Bytes of memory coins that are not written yet may take"),
                        Res::bool("validated", "Whether all of it is verified, which a snapshot is not at first"),
                    ],
                )],
            ),
        ],
    )],
    examples: &[example_cli!("getchainstates", ""), example_rpc!("getchainstates", "")],
    run,
};

fn run(ctx: &NodeContext, _: &Call<'_>) -> RpcResult {
    let info = ctx.kernel.chain_info().map_err(engine_error)?;
    let tip = &info.tip;
    Ok(json!({
        "headers": info.headers,
        "chainstates": [{
            "blocks": tip.height,
            "bestblockhash": tip.hash.to_string(),
            "bits": bits_hex(tip.header.bits),
            "target": target_hex(tip.header.bits),
            "difficulty": values::float(difficulty(tip.header.bits)),
            "verificationprogress": values::float(info.verification_progress),
            "coins_db_cache_bytes": info.coins_db_cache,
            "coins_tip_cache_bytes": info.coins_cache,
            "validated": true,
        }],
    }))
}
