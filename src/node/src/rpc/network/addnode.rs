//! `addnode`.

use rpc::{Arg, ArgType, Call, Command, Default, Res, RpcError, RpcResult, code, example_cli, example_rpc};
use serde_json::Value;

use super::network;
use crate::NodeContext;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "addnode",
    category: "network",
    args: &[
        Arg::required("node", ArgType::Str, "Address or host name of the node, with :port if it is not the usual one"),
        Arg::required(
            "command",
            ArgType::Str,
            "'add' to add a node to the list, 'remove' to take it off, 'onetry' to try a connection once",
        ),
        Arg::new(
            "v2transport",
            ArgType::Bool,
            Default::Hint("set by -v2transport"),
            "Whether to connect with encryption (BIP324)",
        ),
    ],
    description: "Adds a node to the list of those to keep connections to, takes it off, or connects to it once.",
    result: &[Res::none()],
    examples: &[
        example_cli!("addnode", "\"192.168.0.6:8333\" \"onetry\" true"),
        example_rpc!("addnode", "\"192.168.0.6:8333\", \"onetry\" true"),
    ],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let (node, command) = (call.str("node")?, call.str("command")?);
    if !["add", "remove", "onetry"].contains(&command) {
        return Err(RpcError::misc(COMMAND.help()));
    }
    let network = network(ctx)?;
    let v2_enabled = ctx.args.get_bool("v2transport");
    if call.bool_or("v2transport", v2_enabled)? && !v2_enabled {
        return Err(RpcError::invalid_parameter("Error: v2transport requested but not enabled (see -v2transport)"));
    }
    match command {
        "onetry" => network.connect_once(node),
        "add" if !network.add_node(node) => {
            return Err(RpcError::new(code::CLIENT_NODE_ALREADY_ADDED, "Error: Node already added"));
        }
        "remove" if !network.remove_node(node) => {
            return Err(RpcError::new(
                code::CLIENT_NODE_NOT_ADDED,
                "Error: Node could not be removed. It has not been added previously.",
            ));
        }
        _ => {}
    }
    Ok(Value::Null)
}
