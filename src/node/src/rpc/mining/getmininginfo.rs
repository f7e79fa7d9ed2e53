//! `getmininginfo`.

use rpc::{Call, Command, Res, RpcResult, example_cli, example_rpc, json as values};
use serde_json::{Map, json};

use super::getnetworkhashps;
use super::work::options;
use crate::NodeContext;
use crate::mining::last_block;
use crate::rpc::blockchain::getblockchaininfo::WARNINGS_DOC;
use crate::rpc::mempool::getmempoolinfo::feerate_json;
use crate::rpc::shape::block::{bits_hex, difficulty, target_hex};
use crate::rpc::support::{engine_error, signet_challenge, tip, warnings};

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getmininginfo",
    category: "mining",
    args: &[],
    description: "Returns what is known about mining.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::num("blocks", "Height of the tip"),
            Res::num("currentblockweight", "Weight, reserved one included, of the last block made here, if any was")
                .optional(),
            Res::num("currentblocktx", "Transactions, coinbase apart, of the last block made here, if any was")
                .optional(),
            Res::hex("bits", "The tip's target in compact form"),
            Res::num("difficulty", "The tip's difficulty"),
            Res::hex("target", "The tip's target"),
            Res::num("networkhashps", "The network's hashes per second"),
            Res::num("pooledtx", "Transactions in the mempool"),
            Res::amount("blockmintxfee", "Least fee rate in BTC/kvB of transactions put into blocks"),
            Res::str("chain", "The chain: main, test, testnet4, signet or regtest"),
            Res::hex("signet_challenge", "The script blocks must satisfy (only on a signet)").optional(),
            Res::obj(
                "next",
                "The next block",
                &[
                    Res::num("height", "Its height"),
                    Res::hex("bits", "Its target in compact form"),
                    Res::num("difficulty", "Its difficulty"),
                    Res::hex("target", "Its target"),
                ],
            ),
            WARNINGS_DOC,
        ],
    )],
    examples: &[example_cli!("getmininginfo", ""), example_rpc!("getmininginfo", "")],
    run,
};

fn run(ctx: &NodeContext, _: &Call<'_>) -> RpcResult {
    let tip = tip(ctx)?;
    let bits = tip.header.bits;
    let next_time = u32::try_from(common::clock::now().max(tip.median_time + 1)).unwrap_or(u32::MAX);
    let next = ctx.kernel.next_work_required(next_time).map_err(engine_error)?;
    let mut out = Map::new();
    out.insert("blocks".into(), json!(tip.height));
    if let Some(last) = last_block() {
        out.insert("currentblockweight".into(), json!(last.weight));
        out.insert("currentblocktx".into(), json!(last.transactions));
    }
    out.insert("bits".into(), json!(bits_hex(bits)));
    out.insert("difficulty".into(), values::float(difficulty(bits)));
    out.insert("target".into(), json!(target_hex(bits)));
    out.insert("networkhashps".into(), getnetworkhashps::at_tip(ctx)?);
    out.insert("pooledtx".into(), json!(ctx.kernel.mempool_info().map_err(engine_error)?.size));
    out.insert("blockmintxfee".into(), feerate_json(options(ctx)?.min_feerate));
    out.insert("chain".into(), json!(ctx.chain.name()));
    out.insert(
        "next".into(),
        json!({
            "height": tip.height + 1,
            "bits": bits_hex(next),
            "difficulty": values::float(difficulty(next)),
            "target": target_hex(next),
        }),
    );
    if let Some(challenge) = signet_challenge(ctx) {
        out.insert("signet_challenge".into(), json!(challenge));
    }
    out.insert("warnings".into(), warnings(ctx));
    Ok(out.into())
}
