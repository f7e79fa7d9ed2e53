//! `getmempoolcluster`.

use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc, json as values};
use serde_json::{Value, json};

use crate::NodeContext;
use crate::rpc::support::engine_error;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getmempoolcluster",
    category: "blockchain",
    args: &[Arg::required("txid", ArgType::StrHex, "A transaction of the cluster")],
    description: "Returns the cluster of a transaction in the mempool: all it is connected with.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::num("clusterweight", "Weight of all, adjusted for sigops"),
            Res::num("txcount", "Number of transactions"),
            Res::arr(
                "chunks",
                "The chunks in the order they would be mined",
                &[Res::obj(
                    "chunk",
                    "",
                    &[
                        Res::num("chunkfee", "Fees of its transactions in BTC, with deltas"),
                        Res::num("chunkweight", "Weight of its transactions, adjusted for sigops"),
                        Res::arr(
                            "txs",
                            "Its transactions in the order they would be mined",
                            &[Res::hex("txid", "The transaction id")],
                        ),
                    ],
                )],
            ),
        ],
    )],
    examples: &[example_cli!("getmempoolcluster", "txid"), example_rpc!("getmempoolcluster", "txid")],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let chunks = ctx.kernel.mempool_cluster(&call.hash("txid")?).map_err(engine_error)?;
    if chunks.is_empty() {
        return Err(RpcError::invalid_address_or_key("Transaction not in mempool"));
    }
    let weight: u64 = chunks.iter().map(|chunk| chunk.weight).sum();
    let count: usize = chunks.iter().map(|chunk| chunk.txids.len()).sum();
    let chunks: Vec<Value> = chunks
        .iter()
        .map(|chunk| {
            let txids: Vec<String> = chunk.txids.iter().map(|txid| txid.to_string()).collect();
            json!({"chunkfee": values::signed_amount(chunk.fee), "chunkweight": chunk.weight, "txs": txids})
        })
        .collect();
    Ok(json!({"clusterweight": weight, "txcount": count, "chunks": chunks}))
}
