//! `getpeerinfo`.

use rpc::{Command, Res, example_cli, example_rpc};
use serde_json::json;

use crate::NodeContext;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getpeerinfo",
    category: "network",
    args: &[],
    description: "Returns an entry for each connected node.",
    result: &[Res::arr("", "", &[])],
    examples: &[example_cli!("getpeerinfo", ""), example_rpc!("getpeerinfo", "")],
    run: |_, _| Ok(json!([])),
};
