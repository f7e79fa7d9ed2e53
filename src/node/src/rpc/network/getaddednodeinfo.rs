//! `getaddednodeinfo`.

use rpc::{Arg, ArgType, Call, Command, Default, Res, RpcError, RpcResult, code, example_cli, example_rpc};
use serde_json::{Value, json};

use super::network;
use crate::NodeContext;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getaddednodeinfo",
    category: "network",
    args: &[Arg::new("node", ArgType::Str, Default::Hint("all nodes"), "Show this node only")],
    description: "Returns the nodes added with addnode, those tried once left out, and whether they are connected.",
    result: &[Res::arr(
        "",
        "",
        &[Res::obj(
            "",
            "",
            &[
                Res::str("addednode", "Address or name, as it was added"),
                Res::bool("connected", "Whether it is connected"),
                Res::arr(
                    "addresses",
                    "The connection, if there is one",
                    &[Res::obj(
                        "",
                        "",
                        &[
                            Res::str("address", "Address and port"),
                            Res::str("connected", "The direction: inbound or outbound"),
                        ],
                    )],
                ),
            ],
        )],
    )],
    examples: &[
        example_cli!("getaddednodeinfo", "\"192.168.0.201\""),
        example_rpc!("getaddednodeinfo", "\"192.168.0.201\""),
    ],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let mut nodes = network(ctx)?.added_nodes();
    if let Some(name) = call.opt_str("node")? {
        nodes.retain(|node| node.name == name);
        if nodes.is_empty() {
            return Err(RpcError::new(code::CLIENT_NODE_NOT_ADDED, "Error: Node has not been added."));
        }
    }
    let describe = |node: &p2p::AddedNode| {
        let addresses: Vec<Value> = node
            .connection
            .iter()
            .map(|(address, inbound)| {
                json!({
                    "address": address.to_string(),
                    "connected": if *inbound { "inbound" } else { "outbound" },
                })
            })
            .collect();
        json!({"addednode": node.name, "connected": node.connection.is_some(), "addresses": addresses})
    };
    Ok(nodes.iter().map(describe).collect())
}
