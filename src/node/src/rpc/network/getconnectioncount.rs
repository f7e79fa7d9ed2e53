//! `getconnectioncount`.

use rpc::{Command, Res, example_cli, example_rpc};
use serde_json::json;

use super::network;
use crate::NodeContext;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getconnectioncount",
    category: "network",
    args: &[],
    description: "Returns the number of connections to other nodes.",
    result: &[Res::num("", "Number of connections")],
    examples: &[example_cli!("getconnectioncount", ""), example_rpc!("getconnectioncount", "")],
    run: |ctx, _| {
        let (inbound, outbound) = network(ctx)?.counts();
        Ok(json!(inbound + outbound))
    },
};
