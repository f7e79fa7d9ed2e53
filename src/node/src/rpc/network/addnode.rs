//! `addnode`: refused, as without a peer-to-peer network in Core.

use rpc::{Arg, ArgType, Call, Command, Default, Res, RpcError, RpcResult, code, example_cli, example_rpc};

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

fn run(_: &NodeContext, call: &Call<'_>) -> RpcResult {
    match call.str("command")? {
        "add" | "remove" | "onetry" => {
            Err(RpcError::new(code::CLIENT_P2P_DISABLED, "Error: Peer-to-peer functionality missing or disabled"))
        }
        _ => Err(RpcError::misc(COMMAND.help())),
    }
}
