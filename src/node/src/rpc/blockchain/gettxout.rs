//! `gettxout`.

use bitcoin::OutPoint;
use kernel::CoinView;
use rpc::{Arg, ArgType, Call, Command, Res, RpcResult, example_cli, example_rpc, json as values};
use serde_json::{Value, json};

use crate::NodeContext;
use crate::rpc::shape::script;
use crate::rpc::shape::transaction::SCRIPT_DOC;
use crate::rpc::support::{engine_error, tip};

/// The type stands before the address here.
const SCRIPT: &[Res] = &[SCRIPT_DOC[0], SCRIPT_DOC[1], SCRIPT_DOC[2], SCRIPT_DOC[4], SCRIPT_DOC[3]];

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "gettxout",
    category: "blockchain",
    args: &[
        Arg::required("txid", ArgType::Str, "The transaction id"),
        Arg::required("n", ArgType::Num, "The output number"),
        Arg::or(
            "include_mempool",
            ArgType::Bool,
            "true",
            "Whether to count the mempool: its outputs are found, outputs spent in it are not",
        ),
    ],
    description: "Returns an unspent output.",
    result: &[
        Res::none().when("If the UTXO was not found"),
        Res::obj(
            "",
            "",
            &[
                Res::hex("bestblock", "Hash of the tip"),
                Res::num("confirmations", "Number of confirmations"),
                Res::amount("value", "The value in BTC"),
                Res::obj("scriptPubKey", "", SCRIPT),
                Res::bool("coinbase", "Created by a coinbase"),
            ],
        )
        .when("Otherwise"),
    ],
    examples: &[example_cli!("gettxout", "\"txid\" 1"), example_rpc!("gettxout", "\"txid\", 1")],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let outpoint = OutPoint { txid: call.hash("txid")?, vout: call.int("n")? };
    let view = if call.bool("include_mempool")? { CoinView::UnspentWithMempool } else { CoinView::Chain };
    let Some(coin) = ctx.kernel.coin(&outpoint, view).map_err(engine_error)? else { return Ok(Value::Null) };
    let tip = tip(ctx)?;
    Ok(json!({
        "bestblock": tip.hash.to_string(),
        "confirmations": coin.height.map_or(0, |height| i64::from(tip.height) - i64::from(height) + 1),
        "value": values::amount(coin.output.value),
        "scriptPubKey": script::to_json(&coin.output.script_pubkey, ctx.chain.network()),
        "coinbase": coin.coinbase,
    }))
}
