//! `getdeploymentinfo`.

use bitcoin::BlockHash;
use kernel::{Deployment, SignalStatistics, Signalling};
use rpc::{Arg, ArgType, Call, Command, Default, Res, RpcResult, example_cli, example_rpc};
use serde_json::{Map, Value, json};

use crate::NodeContext;
use crate::rpc::support::engine_error;

const DEPLOYMENT: Res = Res::obj(
    "xxxx",
    "Name of the rule change",
    &[
        Res::str("type", "\"buried\" or \"bip9\""),
        Res::num("height", "First height the rules hold at (buried, or bip9 once that is known)").optional(),
        Res::bool("active", "Whether the rules hold for mempool and next block"),
        Res::obj(
            "bip9",
            "Signalling (only for bip9)",
            &[
                Res::num("bit", "Bit of the block version (only while signalling)").optional(),
                Res::time("start_time", "Earliest median time past of signalling"),
                Res::time("timeout", "Median time past at which it fails"),
                Res::num("min_activation_height", "Lowest height of activation"),
                Res::str("status", "\"defined\", \"started\", \"locked_in\", \"active\" or \"failed\""),
                Res::num("since", "Height since when it is in that state"),
                Res::str("status_next", "State at the next block"),
                Res::obj(
                    "statistics",
                    "Counts of the current period (only while signalling)",
                    &[
                        Res::num("period", "Blocks of a period"),
                        Res::num("threshold", "Blocks that must signal (only while started)").optional(),
                        Res::num("elapsed", "Blocks of the period so far"),
                        Res::num("count", "Blocks that signalled"),
                        Res::bool("possible", "Whether the threshold can still be reached (only while started)")
                            .optional(),
                    ],
                )
                .optional(),
                Res::str("signalling", "A # for each block that signalled, a - for each that did not").optional(),
            ],
        )
        .optional(),
    ],
);

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getdeploymentinfo",
    category: "blockchain",
    args: &[Arg::new(
        "blockhash",
        ArgType::StrHex,
        Default::Hint("\"hash of current chain tip\""),
        "The block as of which to answer",
    )],
    description: "Returns the state of consensus rule changes. Those in force since genesis are not among them.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::str("hash", "Hash of the block"),
            Res::num("height", "Height of the block"),
            Res::arr("script_flags", "Script rules in force for the block", &[Res::str("flag", "A script rule")]),
            Res::obj_dyn("deployments", "", &[DEPLOYMENT]),
        ],
    )],
    examples: &[example_cli!("getdeploymentinfo", ""), example_rpc!("getdeploymentinfo", "")],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let hash = call.opt_hash::<BlockHash>("blockhash")?;
    let info = ctx.kernel.deployments(hash.as_ref()).map_err(engine_error)?;
    let deployments: Map<String, Value> =
        info.deployments.iter().map(|deployment| (deployment.name.clone(), deployment_json(deployment))).collect();
    Ok(json!({
        "hash": info.hash.to_string(),
        "height": info.height,
        "script_flags": info.script_flags,
        "deployments": deployments,
    }))
}

fn deployment_json(deployment: &Deployment) -> Value {
    let Deployment { name: _, active, height, signalling } = deployment;
    let mut out = Map::new();
    match signalling {
        None => {
            out.insert("type".into(), json!("buried"));
            out.insert("active".into(), json!(active));
            out.insert("height".into(), json!(height));
        }
        Some(signalling) => {
            out.insert("type".into(), json!("bip9"));
            if let Some(height) = height {
                out.insert("height".into(), json!(height));
            }
            out.insert("active".into(), json!(active));
            out.insert("bip9".into(), signalling_json(signalling));
        }
    }
    Value::Object(out)
}

fn signalling_json(signalling: &Signalling) -> Value {
    let mut out = Map::new();
    if let Some(bit) = signalling.bit {
        out.insert("bit".into(), json!(bit));
    }
    out.insert("start_time".into(), json!(signalling.start_time));
    out.insert("timeout".into(), json!(signalling.timeout));
    out.insert("min_activation_height".into(), json!(signalling.min_activation_height));
    out.insert("status".into(), json!(signalling.status));
    out.insert("since".into(), json!(signalling.since));
    out.insert("status_next".into(), json!(signalling.status_next));
    if let Some(SignalStatistics { period, threshold, elapsed, count, possible }) = &signalling.statistics {
        let mut statistics = Map::new();
        statistics.insert("period".into(), json!(period));
        statistics.insert("elapsed".into(), json!(elapsed));
        statistics.insert("count".into(), json!(count));
        if *threshold > 0 || *possible {
            statistics.insert("threshold".into(), json!(threshold));
            statistics.insert("possible".into(), json!(possible));
        }
        out.insert("statistics".into(), statistics.into());
    }
    if let Some(signals) = &signalling.signals {
        out.insert("signalling".into(), json!(signals));
    }
    Value::Object(out)
}
