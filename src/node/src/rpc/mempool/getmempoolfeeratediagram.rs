//! `getmempoolfeeratediagram`.

use rpc::{Call, Command, Res, RpcResult, example_cli, example_rpc, json as values};
use serde_json::{Value, json};

use crate::NodeContext;
use crate::rpc::support::engine_error;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getmempoolfeeratediagram",
    category: "hidden",
    args: &[],
    description: "Returns what the chunks of the mempool weigh and pay together, one after the other as they would be \
                  mined.",
    result: &[Res::arr(
        "",
        "",
        &[Res::obj(
            "",
            "",
            &[
                Res::num("weight", "Weight up to here, adjusted for sigops"),
                Res::num("fee", "Fees up to here in BTC, with deltas"),
            ],
        )],
    )
    .when("mempool chunks")],
    examples: &[example_cli!("getmempoolfeeratediagram", ""), example_rpc!("getmempoolfeeratediagram", "")],
    run,
};

fn run(ctx: &NodeContext, _: &Call<'_>) -> RpcResult {
    let points = ctx.kernel.mempool_diagram().map_err(engine_error)?;
    let describe =
        |point: &kernel::DiagramPoint| json!({"weight": point.weight, "fee": values::signed_amount(point.fee)});
    Ok(points.iter().map(describe).collect::<Value>())
}
