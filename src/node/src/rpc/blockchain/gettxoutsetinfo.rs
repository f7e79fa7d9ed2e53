//! `gettxoutsetinfo`, counted from the UTXO set itself: there is no index of coin statistics.

use kernel::CoinHashType;
use rpc::{Arg, ArgType, Call, Command, Default, Res, RpcError, RpcResult, example_cli, example_rpc, json as values};
use serde_json::{Map, json};

use crate::NodeContext;
use crate::rpc::support::engine_error;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "gettxoutsetinfo",
    category: "blockchain",
    args: &[
        Arg::or(
            "hash_type",
            ArgType::Str,
            "\"hash_serialized_3\"",
            "The hash over the set: 'hash_serialized_3', 'muhash' or 'none'.",
        ),
        Arg::new(
            "hash_or_height",
            ArgType::Num,
            Default::Hint("the current best block"),
            "The block as of which to answer; needs coinstatsindex, which is not offered yet.",
        )
        .skip_type_check()
        .type_str("", "string or numeric"),
        Arg::or("use_index", ArgType::Bool, "true", "Use coinstatsindex, if available."),
    ],
    description: "Returns statistics about the set of unspent outputs. This takes a while.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::num("height", "Height of the block they are as of"),
            Res::hex("bestblock", "Hash of that block"),
            Res::num("txouts", "Number of unspent outputs"),
            Res::num("bogosize", "A measure of the set's size that does not depend on the database"),
            Res::hex("hash_serialized_3", "The hash over the set (only for hash_type 'hash_serialized_3')").optional(),
            Res::hex("muhash", "The hash over the set (only for hash_type 'muhash')").optional(),
            Res::num("transactions", "Number of transactions with unspent outputs (not from an index)").optional(),
            Res::num("disk_size", "Bytes of the chain state on disk (not from an index)").optional(),
            Res::amount("total_amount", "Sum of all values, in BTC"),
            Res::amount("total_unspendable_amount", "Sum of what can never be spent (only from an index)").optional(),
            Res::obj(
                "block_info",
                "What the block changed (only from an index)",
                &[
                    Res::amount("prevout_spent", "Sum of the outputs spent"),
                    Res::amount("coinbase", "Sum of the coinbase's outputs"),
                    Res::amount("new_outputs_ex_coinbase", "Sum of the other new outputs"),
                    Res::amount("unspendable", "Sum of the outputs that can never be spent"),
                    Res::obj(
                        "unspendables",
                        "These by reason",
                        &[
                            Res::amount("genesis_block", "The genesis block's"),
                            Res::amount("bip30", "Overwritten by a transaction with the same id (BIP30)"),
                            Res::amount("scripts", "Scripts that cannot be satisfied"),
                            Res::amount("unclaimed_rewards", "Fees and subsidy the coinbase left"),
                        ],
                    ),
                ],
            )
            .optional(),
        ],
    )],
    examples: &[
        example_cli!("gettxoutsetinfo", ""),
        example_cli!("gettxoutsetinfo", "\"none\""),
        example_cli!("-named gettxoutsetinfo", "hash_type='muhash' use_index='false'"),
        example_rpc!("gettxoutsetinfo", ""),
        example_rpc!("gettxoutsetinfo", "\"none\""),
    ],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let name = call.str("hash_type")?;
    let hash_type = match name {
        "hash_serialized_3" => CoinHashType::Serialized,
        "muhash" => CoinHashType::MuHash,
        "none" => CoinHashType::None,
        _ => return Err(RpcError::invalid_parameter(format!("'{name}' is not a valid hash_type"))),
    };
    if call.has("hash_or_height") {
        return Err(RpcError::invalid_parameter("Querying specific block heights requires coinstatsindex"));
    }
    let statistics = ctx
        .kernel
        .coin_stats(hash_type)
        .map_err(engine_error)?
        .ok_or_else(|| RpcError::internal("Unable to read UTXO set"))?;
    let total = statistics.total.ok_or_else(|| RpcError::internal("Unable to read UTXO set"))?;
    let mut out = Map::new();
    out.insert("height".into(), json!(statistics.height));
    out.insert("bestblock".into(), json!(statistics.best_block.to_string()));
    out.insert("txouts".into(), json!(statistics.outputs));
    out.insert("bogosize".into(), json!(statistics.bogosize));
    if hash_type != CoinHashType::None {
        out.insert(name.to_owned(), json!(statistics.hash.to_string()));
    }
    out.insert("total_amount".into(), values::amount(total));
    out.insert("transactions".into(), json!(statistics.transactions));
    out.insert("disk_size".into(), json!(statistics.disk_size));
    Ok(out.into())
}
