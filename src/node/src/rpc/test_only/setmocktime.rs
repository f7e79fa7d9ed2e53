//! `setmocktime`: one clock for this process, the engine and the wallet.

use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult};
use serde_json::Value;

use crate::NodeContext;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "setmocktime",
    category: "hidden",
    args: &[Arg::required("timestamp", ArgType::Num, "The time in Unix seconds; 0 goes back to the system's.")],
    description: "Sets the clock (-regtest only).",
    result: &[Res::none()],
    examples: &[],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    if ctx.chain != common::chain::Chain::Regtest {
        return Err(RpcError::misc("setmocktime is for regression testing (-regtest mode) only"));
    }
    let time = call.i64("timestamp")?;
    if u32::try_from(time).is_err() {
        return Err(RpcError::invalid_parameter(format!(
            "Mocktime must be in the range [0, {}], not {time}.",
            u32::MAX
        )));
    }
    let time = Some(time).filter(|time| *time != 0);
    common::clock::set_mock_time(time);
    kernel::set_mock_time(time);
    if let Some(wallet) = ctx.wallet() {
        wallet.set_mock_time(time)?;
    }
    Ok(Value::Null)
}
