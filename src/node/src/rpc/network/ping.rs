//! `ping`.

use rpc::{Command, Res, example_cli, example_rpc};
use serde_json::Value;

use super::network;
use crate::NodeContext;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "ping",
    category: "network",
    args: &[],
    description: "Sends every peer a ping, to measure the round trip; getpeerinfo has the results. Peers handle it after \
                  what they were sent before, so it measures how busy they are, too.",
    result: &[Res::none()],
    examples: &[example_cli!("ping", ""), example_rpc!("ping", "")],
    run: |ctx, _| {
        network(ctx)?.ping_all();
        Ok(Value::Null)
    },
};
