//! `preciousblock`.

use rpc::{Arg, ArgType, Command, Res, example_cli, example_rpc};
use serde_json::Value;

use crate::NodeContext;
use crate::rpc::support::engine_error;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "preciousblock",
    category: "blockchain",
    args: &[Arg::required("blockhash", ArgType::StrHex, "The block to prefer")],
    description: "Treats a block as if it had come before others with the same work.\n\
                  \nA later call overrides an earlier one. The effect does not outlast a restart.",
    result: &[Res::none()],
    examples: &[example_cli!("preciousblock", "\"blockhash\""), example_rpc!("preciousblock", "\"blockhash\"")],
    run: |ctx, call| {
        ctx.kernel.precious_block(&call.hash("blockhash")?).map_err(engine_error)?;
        Ok(Value::Null)
    },
};
