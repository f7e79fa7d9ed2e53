//! `getblockfrompeer`.

use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc};
use serde_json::json;

use super::network;
use crate::NodeContext;
use crate::rpc::support::{engine_error, tip};

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getblockfrompeer",
    category: "blockchain",
    args: &[
        Arg::required("blockhash", ArgType::StrHex, "The block to fetch"),
        Arg::required("peer_id", ArgType::Num, "The peer to fetch it from (see getpeerinfo)"),
    ],
    description: "Asks a certain peer for a block, whose header must be known. The block comes without undo data. Another \
                  call for the same block makes an answer to the first be ignored. Peers do not show blocks off their \
                  chain that they never verified or that are more than a month old, and one that does not answer is \
                  disconnected. The block may be pruned again as soon as it came. Returns an empty object when the peer \
                  was asked.",
    result: &[Res::obj("", "", &[])],
    examples: &[
        example_cli!("getblockfrompeer", "\"00000000c937983704a73af28acdec37b049d214adbda81d7e2a3dd146f6ed09\" 0"),
        example_rpc!("getblockfrompeer", "\"00000000c937983704a73af28acdec37b049d214adbda81d7e2a3dd146f6ed09\" 0"),
    ],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let network = network(ctx)?;
    let hash = call.hash("blockhash")?;
    let peer = call.i64("peer_id")?;
    let index = ctx.kernel.block_index(&hash).map_err(engine_error)?;
    let index = index.ok_or_else(|| RpcError::misc("Block header missing"))?;
    if ctx.args.get_int("prune") != 0 && index.height > tip(ctx)?.height {
        return Err(RpcError::misc(
            "In prune mode, only blocks that the node has already synced previously can be fetched from a peer",
        ));
    }
    if index.status.have_data {
        return Err(RpcError::misc("Block already downloaded"));
    }
    network.fetch_block(peer, hash, index.height).map_err(RpcError::misc)?;
    Ok(json!({}))
}
