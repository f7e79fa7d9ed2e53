//! `getchaintxstats`.

use bitcoin::BlockHash;
use rpc::{Arg, ArgType, Call, Command, Default, Res, RpcError, RpcResult, example_cli, example_rpc, json as values};
use serde_json::{Map, json};

use crate::NodeContext;
use crate::rpc::support::{engine_error, find_block, tip};

/// Blocks in a month at ten minutes each.
const MONTH: i64 = 30 * 24 * 6;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getchaintxstats",
    category: "blockchain",
    args: &[
        Arg::new("nblocks", ArgType::Num, Default::Hint("one month"), "Blocks to look back over"),
        Arg::new("blockhash", ArgType::StrHex, Default::Hint("chain tip"), "The last of them"),
    ],
    description: "Computes number and rate of transactions over a stretch of the chain.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::time("time", "Time of the last block, in Unix seconds"),
            Res::num("txcount", "Transactions of the chain up to it, if known").optional(),
            Res::hex("window_final_block_hash", "Hash of the last block"),
            Res::num("window_final_block_height", "Height of the last block"),
            Res::num("window_block_count", "Number of blocks"),
            Res::num("window_interval", "Seconds from first to last (only if there is more than one)").optional(),
            Res::num("window_tx_count", "Transactions in them (only if known)").optional(),
            Res::num("txrate", "Transactions per second (only if known)").optional(),
        ],
    )],
    examples: &[example_cli!("getchaintxstats", ""), example_rpc!("getchaintxstats", "2016")],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let last = match call.opt_hash::<BlockHash>("blockhash")? {
        None => tip(ctx)?,
        Some(hash) => {
            let index = find_block(ctx, &hash)?;
            if !index.active {
                return Err(RpcError::invalid_parameter("Block is not in main chain"));
            }
            index
        }
    };
    let height = i64::from(last.height);
    let count = match call.opt_int::<i32>("nblocks")?.map(i64::from) {
        None => MONTH.min(height - 1).max(0),
        Some(count) if count < 0 || (count > 0 && count >= height) => {
            return Err(RpcError::invalid_parameter(
                "Invalid block count: should be between 0 and the block's height - 1",
            ));
        }
        Some(count) => count,
    };
    let first_height = u32::try_from(height - count).map_err(|_| RpcError::invalid_parameter("Invalid block count"))?;
    let first = ctx
        .kernel
        .ancestor(&last.hash, first_height)
        .map_err(engine_error)?
        .ok_or_else(|| RpcError::invalid_address_or_key("Block not found"))?;
    let interval = last.median_time - first.median_time;
    let mut out = Map::new();
    out.insert("time".into(), json!(last.time()));
    if last.chain_tx_count != 0 {
        out.insert("txcount".into(), json!(last.chain_tx_count));
    }
    out.insert("window_final_block_hash".into(), json!(last.hash.to_string()));
    out.insert("window_final_block_height".into(), json!(last.height));
    out.insert("window_block_count".into(), json!(count));
    if count > 0 {
        out.insert("window_interval".into(), json!(interval));
        if last.chain_tx_count != 0 && first.chain_tx_count != 0 {
            let transactions = last.chain_tx_count - first.chain_tx_count;
            out.insert("window_tx_count".into(), json!(transactions));
            if interval > 0 {
                out.insert("txrate".into(), values::float(transactions as f64 / interval as f64));
            }
        }
    }
    Ok(out.into())
}
