//! `getnetworkhashps`.

use common::chain::Chain;
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc, json as values};
use serde_json::{Value, json};

use crate::NodeContext;
use crate::rpc::support::{Result, engine_error, tip};

/// Blocks looked back over unless the caller says otherwise.
const DEFAULT_BLOCKS: i64 = 120;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getnetworkhashps",
    category: "mining",
    args: &[
        Arg::or("nblocks", ArgType::Num, "120", "Blocks to look back over; -1 is since the last change of difficulty."),
        Arg::or("height", ArgType::Num, "-1", "Height of the last of them; -1 is the tip."),
    ],
    description: "Estimates the network's hashes per second from the last blocks.",
    result: &[Res::num("", "Hashes per second estimated")],
    examples: &[example_cli!("getnetworkhashps", ""), example_rpc!("getnetworkhashps", "")],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    estimate(ctx, call.int::<i32>("nblocks")?.into(), call.int::<i32>("height")?.into())
}

/// Estimates at the tip with the usual number of blocks.
pub(super) fn at_tip(ctx: &NodeContext) -> Result<Value> {
    estimate(ctx, DEFAULT_BLOCKS, -1)
}

fn estimate(ctx: &NodeContext, blocks: i64, height: i64) -> Result<Value> {
    if blocks < -1 || blocks == 0 {
        return Err(RpcError::invalid_parameter("Invalid nblocks. Must be a positive number or -1."));
    }
    let out_of_range = || RpcError::invalid_parameter("Block does not exist at specified height");
    let last = match height {
        -1 => tip(ctx)?,
        height => {
            let height = u32::try_from(height).map_err(|_| out_of_range())?;
            ctx.kernel.block_index_at(height).map_err(engine_error)?.ok_or_else(out_of_range)?
        }
    };
    if last.height == 0 {
        return Ok(json!(0));
    }
    let blocks = match u32::try_from(blocks) {
        Ok(blocks) => blocks,
        Err(_) => last.height % retarget_interval(ctx.chain) + 1,
    }
    .min(last.height);
    let window = ctx.kernel.block_indexes(last.height - blocks, blocks + 1).map_err(engine_error)?;
    let times = || window.iter().map(|index| index.time());
    let (Some(first), Some(earliest), Some(latest)) = (window.first(), times().min(), times().max()) else {
        return Ok(json!(0));
    };
    if earliest == latest {
        return Ok(json!(0));
    }
    let work = to_f64(&last.chainwork.to_be_bytes()) - to_f64(&first.chainwork.to_be_bytes());
    Ok(values::float(work / (latest - earliest) as f64))
}

/// Returns the number of blocks between changes of difficulty: a day's worth of them on regtest, two weeks' elsewhere.
fn retarget_interval(chain: Chain) -> u32 {
    if chain == Chain::Regtest { 144 } else { 2016 }
}

fn to_f64(big_endian: &[u8; 32]) -> f64 {
    big_endian.iter().fold(0.0, |value, byte| value * 256.0 + f64::from(*byte))
}
