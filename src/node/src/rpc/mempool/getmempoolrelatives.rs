//! `getmempoolancestors` and `getmempooldescendants`.

use kernel::MempoolEntry;
use rpc::json::Text;
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc};

use super::entry::{self, Entries};
use crate::NodeContext;
use crate::rpc::shape::transaction::List;
use crate::rpc::support::{deprecated, engine_error};

const ARGS: &[Arg] = &[
    Arg::required("txid", ArgType::StrHex, "The transaction id (must be in mempool)"),
    Arg::or("verbose", ArgType::Bool, "false", "true for an object of entries, false for a list of ids"),
];
const RESULT: &[Res] = &[
    Res::arr("", "", &[Res::hex("", "The transaction id")]).when("for verbose = false"),
    Res::obj_dyn("", "", &[Res::obj("transactionid", "", entry::DOC)]).when("for verbose = true"),
];

pub(super) const ANCESTORS: Command<NodeContext> = Command {
    name: "getmempoolancestors",
    category: "blockchain",
    args: ARGS,
    description: "Returns all ancestors in the mempool of a transaction in the mempool.",
    result: RESULT,
    examples: &[example_cli!("getmempoolancestors", "\"mytxid\""), example_rpc!("getmempoolancestors", "\"mytxid\"")],
    run: |ctx, call| {
        let relatives = ctx.kernel.mempool_ancestors(&call.hash("txid")?).map_err(engine_error)?;
        answer(ctx, call, relatives)
    },
};

pub(super) const DESCENDANTS: Command<NodeContext> = Command {
    name: "getmempooldescendants",
    category: "blockchain",
    args: ARGS,
    description: "Returns all descendants in the mempool of a transaction in the mempool.",
    result: RESULT,
    examples: &[
        example_cli!("getmempooldescendants", "\"mytxid\""),
        example_rpc!("getmempooldescendants", "\"mytxid\""),
    ],
    run: |ctx, call| {
        let relatives = ctx.kernel.mempool_descendants(&call.hash("txid")?).map_err(engine_error)?;
        answer(ctx, call, relatives)
    },
};

fn answer(ctx: &NodeContext, call: &Call<'_>, relatives: Option<Vec<MempoolEntry>>) -> RpcResult {
    let relatives = relatives.ok_or_else(|| RpcError::invalid_address_or_key("Transaction not in mempool"))?;
    if call.bool("verbose")? {
        return call.write(&Entries { entries: &relatives, bip125: deprecated(ctx, "bip125") });
    }
    call.write(&List(relatives.iter().map(|entry| Text(entry.txid))))
}
