//! `getnettotals`.

use rpc::{Call, Command, Res, RpcResult, example_cli, example_rpc};
use serde_json::json;

use super::network;
use crate::NodeContext;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getnettotals",
    category: "network",
    args: &[],
    description: "Returns how many bytes came from peers and went to them, and the system's time.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::num("totalbytesrecv", "Bytes received"),
            Res::num("totalbytessent", "Bytes sent"),
            Res::time("timemillis", "The system's time in milliseconds since the Unix epoch"),
            Res::obj(
                "uploadtarget",
                "",
                &[
                    Res::num("timeframe", "Seconds over which uploads are counted"),
                    Res::num("target", "Bytes they are to stay below"),
                    Res::bool("target_reached", "Whether they reached that"),
                    Res::bool("serve_historical_blocks", "Whether old blocks are served"),
                    Res::num("bytes_left_in_cycle", "Bytes left in this timeframe"),
                    Res::num("time_left_in_cycle", "Seconds left in this timeframe"),
                ],
            ),
        ],
    )],
    examples: &[example_cli!("getnettotals", ""), example_rpc!("getnettotals", "")],
    run,
};

fn run(ctx: &NodeContext, _: &Call<'_>) -> RpcResult {
    let network = network(ctx)?;
    let (totals, upload) = (network.totals(), network.upload_target());
    let milliseconds = u64::try_from(common::clock::since_epoch().as_millis()).unwrap_or(u64::MAX);
    Ok(json!({
        "totalbytesrecv": totals.received,
        "totalbytessent": totals.sent,
        "timemillis": milliseconds,
        "uploadtarget": {
            "timeframe": p2p::TIMEFRAME,
            "target": upload.target,
            "target_reached": upload.reached,
            "serve_historical_blocks": upload.serves_old_blocks,
            "bytes_left_in_cycle": upload.bytes_left,
            "time_left_in_cycle": upload.seconds_left,
        },
    }))
}
