//! `getdifficulty`.

use rpc::{Command, Res, example_cli, example_rpc, json};

use crate::NodeContext;
use crate::rpc::shape::block::difficulty;
use crate::rpc::support::tip;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getdifficulty",
    category: "blockchain",
    args: &[],
    description: "Returns the difficulty of the proof of work as a multiple of the lowest one of the main chain.",
    result: &[Res::num("", "The difficulty")],
    examples: &[example_cli!("getdifficulty", ""), example_rpc!("getdifficulty", "")],
    run: |ctx, _| Ok(json::float(difficulty(tip(ctx)?.header.bits))),
};
