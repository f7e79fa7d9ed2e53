//! `setnetworkactive`.

use rpc::{Arg, ArgType, Command, Res, ResType};
use serde_json::json;

use super::network;
use crate::NodeContext;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "setnetworkactive",
    category: "network",
    args: &[Arg::required("state", ArgType::Bool, "Whether networking is to be on")],
    description: "Turns networking on or off.",
    result: &[Res::new(ResType::Bool, "", "What was given")],
    examples: &[],
    run: |ctx, call| {
        let network = network(ctx)?;
        network.set_active(call.bool("state")?);
        Ok(json!(network.is_active()))
    },
};
