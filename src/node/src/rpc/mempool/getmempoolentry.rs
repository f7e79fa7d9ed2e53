//! `getmempoolentry`.

use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc};

use super::entry::{self, View};
use crate::NodeContext;
use crate::rpc::support::{deprecated, engine_error};

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getmempoolentry",
    category: "blockchain",
    args: &[Arg::required("txid", ArgType::StrHex, "The transaction id (must be in mempool)")],
    description: "Returns what the mempool knows of a transaction in it.",
    result: &[Res::obj("", "", entry::DOC)],
    examples: &[example_cli!("getmempoolentry", "\"mytxid\""), example_rpc!("getmempoolentry", "\"mytxid\"")],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let entry = ctx.kernel.mempool_entry(&call.hash("txid")?).map_err(engine_error)?;
    match entry {
        Some(entry) => call.write(&View { entry: &entry, bip125: deprecated(ctx, "bip125") }),
        None => Err(RpcError::invalid_address_or_key("Transaction not in mempool")),
    }
}
