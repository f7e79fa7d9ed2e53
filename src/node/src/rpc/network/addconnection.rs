//! `addconnection`: for tests.

use common::chain::Chain;
use p2p::ConnectionKind;
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, code, example_cli, example_rpc};
use serde_json::json;

use super::network;
use crate::NodeContext;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "addconnection",
    category: "hidden",
    args: &[
        Arg::required("address", ArgType::Str, "Address and port to connect to"),
        Arg::required(
            "connection_type",
            ArgType::Str,
            "Type of the connection (\"outbound-full-relay\", \"block-relay-only\", \"addr-fetch\" or \"feeler\")",
        ),
        Arg::required("v2transport", ArgType::Bool, "Whether to connect with encryption (BIP324)"),
    ],
    description: "Makes a connection to a node as if it had been chosen of itself. For tests only.",
    result: &[Res::obj(
        "",
        "",
        &[Res::str("address", "Address connected to"), Res::str("connection_type", "Type of the connection")],
    )],
    examples: &[
        example_cli!("addconnection", "\"192.168.0.6:8333\" \"outbound-full-relay\" true"),
        example_rpc!("addconnection", "\"192.168.0.6:8333\" \"outbound-full-relay\" true"),
    ],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    if ctx.chain != Chain::Regtest {
        return Err(RpcError::misc("addconnection is for regression testing (-regtest mode) only."));
    }
    let address = call.str("address")?;
    let name = call.str("connection_type")?.trim();
    let kind = ConnectionKind::from_name(name).ok_or_else(|| RpcError::invalid_parameter(COMMAND.help()))?;
    if call.bool("v2transport")? && !ctx.args.get_bool("v2transport") {
        return Err(RpcError::invalid_parameter(
            "Error: Adding v2transport connections requires -v2transport init flag to be set.",
        ));
    }
    if !network(ctx)?.add_connection(address, kind) {
        return Err(RpcError::new(
            code::CLIENT_NODE_CAPACITY_REACHED,
            "Error: Already at capacity for specified connection type.",
        ));
    }
    Ok(json!({"address": address, "connection_type": name}))
}
