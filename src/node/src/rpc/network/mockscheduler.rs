//! `mockscheduler`: for tests. What the node does from time to time is done by its network, and by who watches the disk.

use std::time::Duration;

use common::chain::Chain;
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult};
use serde_json::Value;

use super::network;
use crate::NodeContext;
use crate::rpc::support::engine_error;

/// Most seconds that can pass at once.
const MAX_SECONDS: u64 = 3600;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "mockscheduler",
    category: "hidden",
    args: &[Arg::required("delta_time", ArgType::Num, "Seconds to let pass")],
    description: "Lets time pass for what is done from time to time (-regtest only).",
    result: &[Res::none()],
    examples: &[],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    if ctx.chain != Chain::Regtest {
        return Err(RpcError::misc("mockscheduler is for regression testing (-regtest mode) only"));
    }
    let seconds = u64::try_from(call.i64("delta_time")?).unwrap_or(0);
    if seconds == 0 || seconds > MAX_SECONDS {
        return Err(RpcError::misc("delta_time must be between 1 and 3600 seconds (1 hr)"));
    }
    network(ctx)?.advance(Duration::from_secs(seconds));
    ctx.disk.advance(Duration::from_secs(seconds));
    ctx.sync_events().map_err(engine_error)?;
    Ok(Value::Null)
}
