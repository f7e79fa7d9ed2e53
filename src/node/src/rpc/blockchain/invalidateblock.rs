//! `invalidateblock` and `reconsiderblock`.

use rpc::{Arg, ArgType, Command, Res, example_cli, example_rpc};
use serde_json::Value;

use crate::NodeContext;
use crate::rpc::support::engine_error;

pub(super) const INVALIDATE: Command<NodeContext> = Command {
    name: "invalidateblock",
    category: "hidden",
    args: &[Arg::required("blockhash", ArgType::StrHex, "The block to mark")],
    description: "Marks a block invalid for good, as if it broke a consensus rule.",
    result: &[Res::none()],
    examples: &[example_cli!("invalidateblock", "\"blockhash\""), example_rpc!("invalidateblock", "\"blockhash\"")],
    run: |ctx, call| {
        ctx.kernel.invalidate_block(&call.hash("blockhash")?).map_err(engine_error)?;
        Ok(Value::Null)
    },
};

pub(super) const RECONSIDER: Command<NodeContext> = Command {
    name: "reconsiderblock",
    category: "hidden",
    args: &[Arg::required("blockhash", ArgType::StrHex, "The block to reconsider")],
    description: "Takes the mark of invalidity off a block, its ancestors and its descendants, and connects what has the \
                  most work. Undoes invalidateblock.",
    result: &[Res::none()],
    examples: &[example_cli!("reconsiderblock", "\"blockhash\""), example_rpc!("reconsiderblock", "\"blockhash\"")],
    run: |ctx, call| {
        ctx.kernel.reconsider_block(&call.hash("blockhash")?).map_err(engine_error)?;
        Ok(Value::Null)
    },
};
