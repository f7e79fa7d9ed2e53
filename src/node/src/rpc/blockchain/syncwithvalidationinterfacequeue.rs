//! `syncwithvalidationinterfacequeue`.

use rpc::{Command, Res, example_cli, example_rpc};
use serde_json::Value;

use crate::NodeContext;
use crate::rpc::support::engine_error;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "syncwithvalidationinterfacequeue",
    category: "hidden",
    args: &[],
    description: "Waits until every validation event from before the call was delivered.",
    result: &[Res::none()],
    examples: &[
        example_cli!("syncwithvalidationinterfacequeue", ""),
        example_rpc!("syncwithvalidationinterfacequeue", ""),
    ],
    run: |ctx, _| {
        ctx.sync_events().map_err(engine_error)?;
        Ok(Value::Null)
    },
};
