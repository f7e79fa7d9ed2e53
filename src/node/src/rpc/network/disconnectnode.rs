//! `disconnectnode`.

use rpc::{Arg, ArgType, Call, Command, Default, Res, RpcError, RpcResult, code, example_cli, example_rpc};
use serde_json::Value;

use super::network;
use crate::NodeContext;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "disconnectnode",
    category: "network",
    args: &[
        Arg::new("address", ArgType::Str, Default::Hint("fallback to nodeid"), "Address and port of the node"),
        Arg::new(
            "nodeid",
            ArgType::Num,
            Default::Hint("fallback to address"),
            "Number of the connection (see getpeerinfo)",
        ),
    ],
    description: "Ends the connection to a node, named by address or by the number of the connection, not both. To name \
                  it by number give an empty address, or the number as a named argument.",
    result: &[Res::none()],
    examples: &[
        example_cli!("disconnectnode", "\"192.168.0.6:8333\""),
        example_cli!("disconnectnode", "\"\" 1"),
        example_rpc!("disconnectnode", "\"192.168.0.6:8333\""),
        example_rpc!("disconnectnode", "\"\", 1"),
    ],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let network = network(ctx)?;
    let done = match (call.opt_str("address")?, call.opt_i64("nodeid")?) {
        (Some(address), None) => network.disconnect_name(address),
        (None | Some(""), Some(id)) => network.disconnect_id(id),
        _ => return Err(RpcError::invalid_params("Only one of address and nodeid should be provided.")),
    };
    if !done {
        return Err(RpcError::new(code::CLIENT_NODE_NOT_CONNECTED, "Node not found in connected nodes"));
    }
    Ok(Value::Null)
}
