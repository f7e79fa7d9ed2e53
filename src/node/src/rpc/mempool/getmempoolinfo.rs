//! `getmempoolinfo`.

use rpc::{Call, Command, Res, RpcResult, example_cli, example_rpc, json as values};
use serde_json::{Map, Value, json};

use crate::NodeContext;
use crate::rpc::support::{deprecated, engine_error};

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getmempoolinfo",
    category: "blockchain",
    args: &[],
    description: "Returns the state of the mempool.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::bool("loaded", "Whether loading the stored mempool was tried"),
            Res::num("size", "Number of transactions"),
            Res::num("bytes", "Sum of virtual sizes (BIP141)"),
            Res::num("usage", "Bytes of memory"),
            Res::amount("total_fee", "Sum of fees in BTC, without deltas"),
            Res::num("maxmempool", "Most bytes of memory"),
            Res::amount("mempoolminfee", "Least fee rate in BTC/kvB that gets in now"),
            Res::amount("minrelaytxfee", "Least fee rate in BTC/kvB to be relayed"),
            Res::num("incrementalrelayfee", "Fee rate in BTC/kvB a replacement must add"),
            Res::num("unbroadcastcount", "Transactions no peer has asked for yet"),
            Res::bool("permitbaremultisig", "Whether bare multisig outputs are relayed"),
            Res::num("maxdatacarriersize", "Most bytes of OP_RETURN outputs that are relayed"),
            Res::num("limitclustercount", "Most transactions of a cluster"),
            Res::num("limitclustersize", "Most virtual bytes of a cluster"),
            Res::bool("optimal", "Whether the order of transactions is known to be the best"),
            Res::bool("fullrbf", "Always true (only with `-deprecatedrpc=fullrbf`)").optional().elided(),
        ],
    )],
    examples: &[example_cli!("getmempoolinfo", ""), example_rpc!("getmempoolinfo", "")],
    run,
};

/// Writes a fee rate in BTC per 1000 virtual bytes.
pub(in crate::rpc) fn feerate_json(rate: kernel::FeeRate) -> Value {
    values::signed_amount(bitcoin::SignedAmount::from_sat(rate.to_sat_per_kvb()))
}

fn run(ctx: &NodeContext, _: &Call<'_>) -> RpcResult {
    let info = ctx.kernel.mempool_info().map_err(engine_error)?;
    let mut out = Map::new();
    out.insert("loaded".into(), json!(info.loaded));
    out.insert("size".into(), json!(info.size));
    out.insert("bytes".into(), json!(info.bytes));
    out.insert("usage".into(), json!(info.usage));
    out.insert("total_fee".into(), values::amount(info.total_fee));
    out.insert("maxmempool".into(), json!(info.max_usage));
    out.insert("mempoolminfee".into(), feerate_json(info.min_fee));
    out.insert("minrelaytxfee".into(), feerate_json(info.min_relay_fee));
    out.insert("incrementalrelayfee".into(), feerate_json(info.incremental_fee));
    out.insert("unbroadcastcount".into(), json!(info.unbroadcast));
    out.insert("permitbaremultisig".into(), json!(info.permit_bare_multisig));
    out.insert("maxdatacarriersize".into(), json!(info.max_datacarrier.unwrap_or(0)));
    out.insert("limitclustercount".into(), json!(info.cluster_count));
    out.insert("limitclustersize".into(), json!(info.cluster_size));
    out.insert("optimal".into(), json!(info.optimal));
    if deprecated(ctx, "fullrbf") {
        out.insert("fullrbf".into(), json!(true));
    }
    Ok(out.into())
}
