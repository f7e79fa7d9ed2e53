//! `getrawmempool`.

use rpc::json::Text;
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc};
use serde_json::json;

use super::entry::{self, Entries};
use crate::NodeContext;
use crate::rpc::shape::transaction::List;
use crate::rpc::support::{deprecated, engine_error};

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getrawmempool",
    category: "blockchain",
    args: &[
        Arg::or("verbose", ArgType::Bool, "false", "true for an object of entries, false for a list of ids"),
        Arg::or(
            "mempool_sequence",
            ArgType::Bool,
            "false",
            "With verbose=false: return an object with the list and the mempool's sequence number",
        ),
    ],
    description: "Returns the ids of all transactions in the mempool.\n\
                  \nHint: use getmempoolentry for one transaction.",
    result: &[
        Res::arr("", "", &[Res::hex("", "The transaction id")]).when("for verbose = false"),
        Res::obj_dyn("", "", &[Res::obj("transactionid", "", entry::DOC)]).when("for verbose = true"),
        Res::obj(
            "",
            "",
            &[
                Res::arr("txids", "", &[Res::hex("", "The transaction id")]),
                Res::num("mempool_sequence", "The mempool's sequence number"),
            ],
        )
        .when("for verbose = false and mempool_sequence = true"),
    ],
    examples: &[example_cli!("getrawmempool", "true"), example_rpc!("getrawmempool", "true")],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let with_sequence = call.bool("mempool_sequence")?;
    if call.bool("verbose")? {
        if with_sequence {
            return Err(RpcError::invalid_parameter("Verbose results cannot contain mempool sequence values."));
        }
        let entries = ctx.kernel.mempool_entries().map_err(engine_error)?;
        return call.write(&Entries { entries: &entries, bip125: deprecated(ctx, "bip125") });
    }
    let (txids, sequence) = ctx.kernel.mempool_txids().map_err(engine_error)?;
    let txids = List(txids.iter().map(Text));
    if with_sequence {
        return Ok(json!({"txids": txids, "mempool_sequence": sequence}));
    }
    call.write(&txids)
}
