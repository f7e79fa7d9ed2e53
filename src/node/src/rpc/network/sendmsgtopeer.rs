//! `sendmsgtopeer`.

use bitcoin::hex::FromHex;
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc};
use serde_json::json;

use super::network;
use crate::NodeContext;

/// Longest name of a message.
const MAX_NAME: usize = 12;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "sendmsgtopeer",
    category: "hidden",
    args: &[
        Arg::required("peer_id", ArgType::Num, "The peer (see getpeerinfo)."),
        Arg::required("msg_type", ArgType::Str, "The name of the message (maximum length 12)"),
        Arg::required("msg", ArgType::StrHex, "The content in hex; what comes before it on the wire is added"),
    ],
    description: "Sends a message to a peer, whatever it says. For tests only.",
    result: &[Res::obj("", "", &[])],
    examples: &[
        example_cli!("sendmsgtopeer", "0 \"addr\" \"ffffff\""),
        example_rpc!("sendmsgtopeer", "0 \"addr\" \"ffffff\""),
    ],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let peer = call.i64("peer_id")?;
    let name = call.str("msg_type")?;
    if name.len() > MAX_NAME {
        let text = format!("Error: msg_type too long, max length is {MAX_NAME}");
        return Err(RpcError::invalid_parameter(text));
    }
    let message =
        Vec::from_hex(call.str("msg")?).map_err(|_| RpcError::invalid_parameter("Error parsing input for msg"))?;
    if !network(ctx)?.send_message(peer, name, &message) {
        return Err(RpcError::misc("Error: Could not send message to peer"));
    }
    Ok(json!({}))
}
