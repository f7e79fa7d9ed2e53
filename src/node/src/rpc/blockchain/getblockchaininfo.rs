//! `getblockchaininfo`.

use rpc::{Call, Command, Res, RpcResult, example_cli, example_rpc, json as values};
use serde_json::{Map, json};

use crate::NodeContext;
use crate::rpc::shape::block::{bits_hex, chainwork_hex, difficulty, target_hex};
use crate::rpc::support::{engine_error, warnings};

/// Describes the `warnings` member, whose type depends on `-deprecatedrpc=warnings`.
pub(in crate::rpc) const WARNINGS_DOC: Res = Res::arr(
    "warnings",
    "Warnings about network and chain (with `-deprecatedrpc=warnings`: the latest, as a string)",
    &[Res::str("", "A warning")],
)
.skip_type_check();

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getblockchaininfo",
    category: "blockchain",
    args: &[],
    description: "Returns the state of the block chain.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::str("chain", "The chain: main, test, testnet4, signet or regtest"),
            Res::num("blocks", "Height of the fully validated chain with the most work"),
            Res::num("headers", "Height of the best header"),
            Res::str("bestblockhash", "Hash of the tip"),
            Res::hex("bits", "The tip's target in compact form"),
            Res::hex("target", "The tip's target"),
            Res::num("difficulty", "The tip's difficulty"),
            Res::time("time", "The tip's time, in Unix seconds"),
            Res::time("mediantime", "The tip's median time past, in Unix seconds"),
            Res::num("verificationprogress", "Estimated share of the chain that is verified, 0 to 1"),
            Res::bool("initialblockdownload", "Whether the node still catches up with the network (an estimate)"),
            Res::obj(
                "backgroundvalidation",
                "What validates the blocks before a snapshot, of which there is none yet",
                &[
                    Res::num("snapshotheight", "Height of the snapshot"),
                    Res::num("blocks", "Height of the last block validated"),
                    Res::str("bestblockhash", "Its hash"),
                    Res::time("mediantime", "Its median time past, in Unix seconds"),
                    Res::num("verificationprogress", "Estimated share of the chain that is verified, 0 to 1"),
                    Res::hex("chainwork", "Work of the chain up to it"),
                ],
            )
            .optional(),
            Res::hex("chainwork", "Work of the active chain"),
            Res::num("size_on_disk", "Estimated bytes of block and undo files"),
            Res::bool("pruned", "Whether blocks are pruned"),
            Res::num("pruneheight", "Lowest height from which on every block is stored (only if pruning is on)")
                .optional(),
            Res::bool("automatic_pruning", "Whether pruning is automatic (only if pruning is on)").optional(),
            Res::num("prune_target_size", "Bytes to stay under (only if pruning is automatic)").optional(),
            Res::hex("signet_challenge", "The script blocks must satisfy (only on a signet)").optional(),
            WARNINGS_DOC,
        ],
    )],
    examples: &[example_cli!("getblockchaininfo", ""), example_rpc!("getblockchaininfo", "")],
    run,
};

fn run(ctx: &NodeContext, _: &Call<'_>) -> RpcResult {
    let info = ctx.kernel.chain_info().map_err(engine_error)?;
    let tip = &info.tip;
    let mut out = Map::new();
    out.insert("chain".into(), json!(ctx.chain.name()));
    out.insert("blocks".into(), json!(tip.height));
    out.insert("headers".into(), json!(info.headers));
    out.insert("bestblockhash".into(), json!(tip.hash.to_string()));
    out.insert("bits".into(), json!(bits_hex(tip.header.bits)));
    out.insert("target".into(), json!(target_hex(tip.header.bits)));
    out.insert("difficulty".into(), values::float(difficulty(tip.header.bits)));
    out.insert("time".into(), json!(tip.time()));
    out.insert("mediantime".into(), json!(tip.median_time));
    out.insert("verificationprogress".into(), values::float(info.verification_progress));
    out.insert("initialblockdownload".into(), json!(info.initial_block_download));
    out.insert("chainwork".into(), json!(chainwork_hex(tip)));
    out.insert("size_on_disk".into(), json!(info.size_on_disk));
    out.insert("pruned".into(), json!(info.prune.is_some()));
    if let Some(prune) = &info.prune {
        out.insert("pruneheight".into(), json!(prune.first_stored_height));
        out.insert("automatic_pruning".into(), json!(prune.target_size.is_some()));
        if let Some(target) = prune.target_size {
            out.insert("prune_target_size".into(), json!(target));
        }
    }
    if let Some(challenge) = crate::rpc::support::signet_challenge(ctx) {
        out.insert("signet_challenge".into(), json!(challenge));
    }
    out.insert("warnings".into(), warnings(ctx));
    Ok(out.into())
}
