//! `estimatesmartfee`: the arguments and the answer of a Bitcoin Core that has seen no transactions confirm yet. There is
//! no estimator so far; clients that ask take this answer and fall back on a fee rate of their own.

use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc};
use serde_json::json;

use crate::NodeContext;

/// Highest confirmation target that Core's estimator follows, in blocks.
const MAX_TARGET: i32 = 1008;
/// Names of the estimate modes, as they are compared: without regard to case.
const MODES: [&str; 3] = ["unset", "economical", "conservative"];

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "estimatesmartfee",
    category: "util",
    args: &[
        Arg::required("conf_target", ArgType::Num, "Confirmation target in blocks (1 - 1008)"),
        Arg::or(
            "estimate_mode",
            ArgType::Str,
            "\"economical\"",
            "The estimate mode, one of unset, economical and conservative.\nunset means the default. economical follows \
             falling fees soon. conservative looks further back, which makes a rate that is too low less likely.",
        ),
    ],
    description: "Estimates the fee rate, per kilobyte of virtual size (BIP141), with which a transaction begins to confirm \
                  within conf_target blocks.\nThis version keeps no statistics of fees: the answer always is that there \
                  are too few data for an estimate.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::amount("feerate", "Estimated fee rate in BTC/kvB, unless there are errors").optional(),
            Res::arr("errors", "Why there is no estimate", &[Res::str("", "error")]).optional(),
            Res::num("blocks", "Target in blocks that the estimate is for; 0 if there is no estimate for any number"),
        ],
    )],
    examples: &[example_cli!("estimatesmartfee", "6"), example_rpc!("estimatesmartfee", "6")],
    run,
};

fn run(_: &NodeContext, call: &Call<'_>) -> RpcResult {
    let target = call.int::<i32>("conf_target")?;
    if !(1..=MAX_TARGET).contains(&target) {
        return Err(RpcError::invalid_parameter(format!("Invalid conf_target, must be between 1 and {MAX_TARGET}")));
    }
    let mode = call.str("estimate_mode")?;
    if !MODES.iter().any(|known| known.eq_ignore_ascii_case(mode)) {
        return Err(RpcError::invalid_parameter(format!(
            "Invalid estimate_mode parameter, must be one of: \"{}\"",
            MODES.join("\", \"")
        )));
    }
    Ok(json!({"errors": ["Insufficient data or no feerate found"], "blocks": 0}))
}
