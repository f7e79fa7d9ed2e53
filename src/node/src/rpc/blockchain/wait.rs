//! `waitfornewblock`, `waitforblock` and `waitforblockheight`: they answer with the tip when it is the one waited for,
//! when time is up, or when the program ends.

use std::time::{Duration, Instant};

use bitcoin::BlockHash;
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc};
use serde_json::json;

use crate::NodeContext;
use crate::rpc::support::engine_error;
use crate::tip::Tip;

const RESULT: &[Res] =
    &[Res::obj("", "", &[Res::hex("hash", "Hash of the tip"), Res::num("height", "Height of the tip")])];
const TIMEOUT: Arg = Arg::or("timeout", ArgType::Num, "0", "Milliseconds to wait at most; 0 is for ever.");

pub(super) const NEW_BLOCK: Command<NodeContext> = Command {
    name: "waitfornewblock",
    category: "blockchain",
    args: &[TIMEOUT, Arg::optional("current_tip", ArgType::StrHex, "Wait for the tip to differ from this one.")],
    description: "Waits for a new block and returns the tip.\n\
                  \nReturns the current tip when time is up or the node stops.\n\
                  \nUse it without a timeout of the client's own (bitcoin-cli -rpcclienttimeout=0).",
    result: RESULT,
    examples: &[example_cli!("waitfornewblock", "1000"), example_rpc!("waitfornewblock", "1000")],
    run: |ctx, call| {
        let deadline = deadline(call)?;
        let old = match call.opt_hash::<BlockHash>("current_tip")? {
            Some(hash) => Some(hash),
            None => {
                // A block from before the call must not count as new because its event is still on the way.
                ctx.kernel.sync_events().map_err(engine_error)?;
                ctx.tip_watch().tip().map(|tip| tip.hash)
            }
        };
        answer(ctx, deadline, |tip| Some(tip.hash) != old)
    },
};

pub(super) const BLOCK: Command<NodeContext> = Command {
    name: "waitforblock",
    category: "blockchain",
    args: &[Arg::required("blockhash", ArgType::StrHex, "The block to wait for."), TIMEOUT],
    description: "Waits for a certain block to be the tip and returns the tip.\n\
                  \nReturns the current tip when time is up or the node stops.\n\
                  \nUse it without a timeout of the client's own (bitcoin-cli -rpcclienttimeout=0).",
    result: RESULT,
    examples: &[
        example_cli!("waitforblock", "\"0000000000079f8ef3d2c688c244eb7a4570b24c9ed7b4a8c619eb02596f8862\" 1000"),
        example_rpc!("waitforblock", "\"0000000000079f8ef3d2c688c244eb7a4570b24c9ed7b4a8c619eb02596f8862\", 1000"),
    ],
    run: |ctx, call| {
        let wanted: BlockHash = call.hash("blockhash")?;
        answer(ctx, deadline(call)?, |tip| tip.hash == wanted)
    },
};

pub(super) const BLOCK_HEIGHT: Command<NodeContext> = Command {
    name: "waitforblockheight",
    category: "blockchain",
    args: &[Arg::required("height", ArgType::Num, "The height to wait for."), TIMEOUT],
    description: "Waits for the tip to reach a height and returns the tip.\n\
                  \nReturns the current tip when time is up or the node stops.\n\
                  \nUse it without a timeout of the client's own (bitcoin-cli -rpcclienttimeout=0).",
    result: RESULT,
    examples: &[example_cli!("waitforblockheight", "100 1000"), example_rpc!("waitforblockheight", "100, 1000")],
    run: |ctx, call| {
        let wanted = i64::from(call.int::<i32>("height")?);
        answer(ctx, deadline(call)?, |tip| i64::from(tip.height) >= wanted)
    },
};

fn deadline(call: &Call<'_>) -> Result<Option<Instant>, RpcError> {
    match call.int::<i32>("timeout")? {
        0 => Ok(None),
        timeout => u64::try_from(timeout)
            .map(|timeout| Some(Instant::now() + Duration::from_millis(timeout)))
            .map_err(|_| RpcError::misc("Negative timeout")),
    }
}

fn answer(ctx: &NodeContext, deadline: Option<Instant>, done: impl FnMut(&Tip) -> bool) -> RpcResult {
    // What the caller did before must be seen, though its event may still be on its way.
    ctx.kernel.sync_events().map_err(engine_error)?;
    let tip = ctx.tip_watch().wait_until(deadline, done).ok_or_else(|| RpcError::misc("The chain has no tip"))?;
    Ok(json!({"hash": tip.hash.to_string(), "height": tip.height}))
}
