//! What several commands need: engine errors as RPC errors, look-ups that fail with Core's texts, argument readers.

use bitcoin::{Block, BlockHash, ScriptBuf};
use kernel::{BlockIndex, Coin};
use rpc::{Arg, ArgType, Call, RpcError, json};
use serde_json::{Value, json as value};

use crate::NodeContext;

/// Result of a helper.
pub(crate) type Result<T, E = RpcError> = std::result::Result<T, E>;

/// Turns a failure of the engine into what a client sees.
pub(crate) fn engine_error(error: kernel::Error) -> RpcError {
    match error {
        kernel::Error::BlockNotFound(_) => RpcError::invalid_address_or_key("Block not found"),
        kernel::Error::BlockPruned(_) => RpcError::misc("Block not available (pruned data)"),
        kernel::Error::BlockNotDownloaded(_) => RpcError::misc("Block not available (not fully downloaded)"),
        kernel::Error::BlockUnreadable(..) => RpcError::misc("Block not found on disk"),
        kernel::Error::Decode(_) => RpcError::deserialization(error),
        kernel::Error::Validation(text) => RpcError::database(text),
        kernel::Error::Closed | kernel::Error::Interrupted => RpcError::not_connected("Shutting down"),
        other => RpcError::misc(other),
    }
}

/// Finds a block by hash.
pub(crate) fn find_block(ctx: &NodeContext, hash: &BlockHash) -> Result<BlockIndex> {
    ctx.kernel
        .block_index(hash)
        .map_err(engine_error)?
        .ok_or_else(|| RpcError::invalid_address_or_key("Block not found"))
}

/// Finds a block by its hash, or a block of the active chain by its height.
pub(crate) fn find_hash_or_height(ctx: &NodeContext, value: &Value) -> Result<BlockIndex> {
    if !value.is_number() {
        return find_block(ctx, &json::parse_hash(value, "hash_or_height")?);
    }
    let height: i32 = json::as_int(value)?;
    let wanted = u32::try_from(height)
        .map_err(|_| RpcError::invalid_parameter(format!("Target block height {height} is negative")))?;
    match ctx.kernel.block_index_at(wanted).map_err(engine_error)? {
        Some(index) => Ok(index),
        None => Err(RpcError::invalid_parameter(format!(
            "Target block height {height} after current tip {}",
            tip(ctx)?.height
        ))),
    }
}

/// Returns the tip.
pub(crate) fn tip(ctx: &NodeContext) -> Result<BlockIndex> {
    ctx.kernel.tip().map_err(engine_error)
}

/// Reads a block and, where they are on disk, the coins it spent.
pub(crate) fn block_and_undo(ctx: &NodeContext, index: &BlockIndex) -> Result<(Block, Option<Vec<Vec<Coin>>>)> {
    let block = ctx.kernel.block(&index.hash).map_err(engine_error)?;
    if !index.status.have_undo {
        return Ok((block, None));
    }
    let undo = ctx.kernel.read_undo(&index.hash).map_err(|_| {
        RpcError::internal(
            "Undo data expected but can't be read. This could be due to disk corruption or a conflict with a pruning \
             event.",
        )
    })?;
    Ok((block, Some(undo)))
}

/// Reads a block from hexadecimal text. Bytes after it do not matter.
pub(crate) fn decode_block(hex: &str) -> Result<Vec<u8>> {
    use bitcoin::hex::FromHex;
    let failed = || RpcError::deserialization("Block decode failed");
    let bytes = Vec::from_hex(hex).map_err(|_| failed())?;
    let (_, used) = bitcoin::consensus::encode::deserialize_partial::<Block>(&bytes).map_err(|_| failed())?;
    Ok(bytes[..used].to_vec())
}

/// The argument that limits the fee rate of what is handed in.
pub(crate) const MAX_FEERATE: Arg = Arg::or(
    "maxfeerate",
    ArgType::Amount,
    "\"0.10\"",
    "Refuse transactions that pay more than this rate, in BTC/kvB. Rates of 1 BTC/kvB and more are refused as such; 0 is \
     no limit.",
);

/// The argument that limits what is burnt with what is handed in.
pub(crate) const MAX_BURN: Arg = Arg::or(
    "maxburnamount",
    ArgType::Amount,
    "\"0.00\"",
    "Refuse transactions with provably unspendable outputs (OP_RETURN, say) of more than this, in BTC. The check cannot \
     find all of them.",
);

/// Reads a fee rate in BTC per 1000 virtual bytes, as satoshi.
pub(crate) fn max_feerate(call: &Call<'_>, name: &str) -> Result<u64> {
    let rate = call.amount(name)?.to_sat();
    if rate >= 100_000_000 {
        return Err(RpcError::invalid_parameter("Fee rates larger than or equal to 1BTC/kvB are not accepted"));
    }
    Ok(rate)
}

/// Returns the fee of `vsize` at `rate` (satoshi per 1000 virtual bytes), rounded up as the engine does.
pub(crate) fn fee_at(rate: u64, vsize: u64) -> u64 {
    u64::try_from((u128::from(rate) * u128::from(vsize)).div_ceil(1000)).unwrap_or(u64::MAX)
}

/// Reads a range of descriptor indexes: an end, or begin and end.
pub(crate) fn parse_range(value: &Value) -> Result<(u32, u32)> {
    let (low, high): (i64, i64) = match value {
        Value::Number(_) => (0, json::as_int(value)?),
        Value::Array(pair) => match pair.as_slice() {
            [low @ Value::Number(_), high @ Value::Number(_)] => (json::as_int(low)?, json::as_int(high)?),
            _ => return Err(RpcError::invalid_parameter("Range must be specified as end or as [begin,end]")),
        },
        _ => return Err(RpcError::invalid_parameter("Range must be specified as end or as [begin,end]")),
    };
    if value.is_array() && low > high {
        return Err(RpcError::invalid_parameter("Range specified as [begin,end] must not have begin after end"));
    }
    if low < 0 {
        return Err(RpcError::invalid_parameter("Range should be greater or equal than 0"));
    }
    if high >> 31 != 0 {
        return Err(RpcError::invalid_parameter("End of range is too high"));
    }
    if high >= low + 1_000_000 {
        return Err(RpcError::invalid_parameter("Range is too large"));
    }
    let bound = |n: i64| u32::try_from(n).map_err(|_| RpcError::invalid_parameter("End of range is too high"));
    Ok((bound(low)?, bound(high)?))
}

/// Returns the warnings in force: a list, or with `-deprecatedrpc=warnings` the latest as a string.
pub(crate) fn warnings(ctx: &NodeContext) -> Value {
    let messages = ctx.warnings.messages();
    if deprecated(ctx, "warnings") { value!(messages.last().cloned().unwrap_or_default()) } else { value!(messages) }
}

/// Says whether a deprecated feature was asked for.
pub(crate) fn deprecated(ctx: &NodeContext, feature: &str) -> bool {
    ctx.args.get_all("deprecatedrpc").iter().any(|name| name == feature)
}

/// Reads an address of the node's chain.
pub(crate) fn parse_address(ctx: &NodeContext, text: &str) -> Option<ScriptBuf> {
    super::shape::address::decode(text, ctx.chain.network()).ok()
}

/// Returns the script blocks must satisfy, in hex, if the chain is a signet: the one given, or the default one's.
pub(crate) fn signet_challenge(ctx: &NodeContext) -> Option<String> {
    (ctx.chain == common::chain::Chain::Signet).then(|| crate::signet::challenge(&ctx.args))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let check = |range: Value, expected: std::result::Result<(u32, u32), &str>| {
            let got = parse_range(&range).map_err(|error| error.message);
            assert_eq!(got, expected.map_err(str::to_owned), "{range}");
        };
        check(value!(1000), Ok((0, 1000)));
        check(value!([5, 7]), Ok((5, 7)));
        check(value!(-1), Err("End of range is too high"));
        check(value!([-1, 10]), Err("Range should be greater or equal than 0"));
        check(value!([2, 1]), Err("Range specified as [begin,end] must not have begin after end"));
        check(value!([0, 1_000_001]), Err("Range is too large"));
        check(value!([7_589_934_592i64, 8_589_934_592i64]), Err("End of range is too high"));
        check(value!("x"), Err("Range must be specified as end or as [begin,end]"));
        check(value!([1]), Err("Range must be specified as end or as [begin,end]"));
    }

    #[test]
    fn fees_round_up() {
        assert_eq!(fee_at(1000, 141), 141);
        assert_eq!(fee_at(1, 1), 1);
        assert_eq!(fee_at(0, 1000), 0);
    }
}
