//! `getorphantxs`.

use bitcoin::consensus::encode::serialize_hex;
use p2p::OrphanInfo;
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc};
use serde_json::{Value, json};

use super::network;
use crate::NodeContext;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getorphantxs",
    category: "hidden",
    args: &[Arg::or(
        "verbosity",
        ArgType::Num,
        "0",
        "0 for the ids (some may be there twice), 1 for details, 2 for details and the transactions in hex",
    )
    .skip_type_check()],
    description: "Returns the transactions from peers that wait for a parent. May change in later versions.",
    result: &[
        Res::arr("", "", &[Res::hex("txid", "Id of the transaction")]).when("for verbose = 0"),
        Res::arr("", "", &[Res::obj("", "", &[TXID, WTXID, BYTES, VSIZE, WEIGHT, FROM])]).when("for verbose = 1"),
        Res::arr("", "", &[Res::obj("", "", &[TXID, WTXID, BYTES, VSIZE, WEIGHT, FROM, HEX])]).when("for verbose = 2"),
    ],
    examples: &[example_cli!("getorphantxs", "2"), example_rpc!("getorphantxs", "2")],
    run,
};

const TXID: Res = Res::hex("txid", "Id of the transaction");
const WTXID: Res = Res::hex("wtxid", "Its id with the witness");
const BYTES: Res = Res::num("bytes", "Its serialized size");
const VSIZE: Res = Res::num("vsize", "Its virtual size (BIP141)");
const WEIGHT: Res = Res::num("weight", "Its weight (BIP141)");
const FROM: Res = Res::arr("from", "", &[Res::num("peer_id", "A peer that has it")]);
const HEX: Res = Res::hex("hex", "The transaction, serialized");

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let orphans = network(ctx)?.orphans();
    Ok(match call.verbosity("verbosity", 0, false)? {
        0 => orphans.iter().map(|orphan| json!(orphan.transaction.compute_txid().to_string())).collect(),
        1 => orphans.iter().map(describe).collect(),
        2 => {
            let with_hex = |orphan: &OrphanInfo| {
                let mut out = describe(orphan);
                out["hex"] = json!(serialize_hex(&orphan.transaction));
                out
            };
            orphans.iter().map(with_hex).collect()
        }
        other => return Err(RpcError::invalid_parameter(format!("Invalid verbosity value {other}"))),
    })
}

fn describe(orphan: &OrphanInfo) -> Value {
    let OrphanInfo { transaction, peers } = orphan;
    json!({
        "txid": transaction.compute_txid().to_string(),
        "wtxid": transaction.compute_wtxid().to_string(),
        "bytes": transaction.total_size(),
        "vsize": transaction.vsize(),
        "weight": transaction.weight().to_wu(),
        "from": peers,
    })
}
