//! `gettxoutsetinfo`, counted from the UTXO set itself: there is no index of coin statistics.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use bitcoin::consensus::Encodable;
use bitcoin::hashes::{Hash, HashEngine, sha256, sha256d};
use bitcoin::{Amount, OutPoint, Txid};
use kernel::Coin;
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
            "The hash over the set: 'hash_serialized_3' or 'none'. 'muhash' is not offered yet.",
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
            Res::amount("total_amount", "Sum of all values, in BTC"),
            Res::num("transactions", "Number of transactions with unspent outputs"),
            Res::num("disk_size", "Bytes of the chain state on disk"),
        ],
    )],
    examples: &[
        example_cli!("gettxoutsetinfo", ""),
        example_cli!("gettxoutsetinfo", "\"none\""),
        example_rpc!("gettxoutsetinfo", ""),
        example_rpc!("gettxoutsetinfo", "\"none\""),
    ],
    run,
};

#[derive(Default)]
struct Statistics {
    outputs: u64,
    transactions: u64,
    bogosize: u64,
    total: Amount,
    overflow: bool,
    hash: Option<sha256::HashEngine>,
}

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let hash_type = call.str("hash_type")?;
    let hash = match hash_type {
        "hash_serialized_3" => Some(sha256d::Hash::engine()),
        "none" => None,
        "muhash" => return Err(RpcError::invalid_parameter("hash_type 'muhash' is not available")),
        _ => return Err(RpcError::invalid_parameter(format!("'{hash_type}' is not a valid hash_type"))),
    };
    if call.has("hash_or_height") {
        return Err(RpcError::invalid_parameter("Querying specific block heights requires coinstatsindex"));
    }
    let mut statistics = Statistics { hash, ..Statistics::default() };
    let mut current: Option<Txid> = None;
    let mut outputs: BTreeMap<u32, Coin> = BTreeMap::new();
    let mut visit = |outpoint: OutPoint, coin: Coin, _: u8| {
        if let Some(previous) = current.replace(outpoint.txid).filter(|previous| *previous != outpoint.txid) {
            statistics.add(previous, &std::mem::take(&mut outputs));
        }
        outputs.insert(outpoint.vout, coin);
        if ctx.shutdown.is_requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let index = ctx.kernel.for_each_coin(&mut visit).map_err(engine_error)?;
    if ctx.shutdown.is_requested() {
        return Err(RpcError::not_connected("Shutting down"));
    }
    if let Some(last) = current {
        statistics.add(last, &outputs);
    }
    if statistics.overflow {
        return Err(RpcError::internal("Unable to read UTXO set"));
    }
    let mut out = Map::new();
    out.insert("height".into(), json!(index.height));
    out.insert("bestblock".into(), json!(index.hash.to_string()));
    out.insert("txouts".into(), json!(statistics.outputs));
    out.insert("bogosize".into(), json!(statistics.bogosize));
    if let Some(engine) = statistics.hash {
        out.insert("hash_serialized_3".into(), json!(sha256d::Hash::from_engine(engine).to_string()));
    }
    out.insert("total_amount".into(), values::amount(statistics.total));
    out.insert("transactions".into(), json!(statistics.transactions));
    out.insert("disk_size".into(), json!(directory_size(&ctx.net_datadir.join("chainstate"))));
    Ok(out.into())
}

impl Statistics {
    /// Counts the outputs of a transaction.
    fn add(&mut self, txid: Txid, outputs: &BTreeMap<u32, Coin>) {
        self.transactions += 1;
        for (vout, coin) in outputs {
            let script_len = coin.output.script_pubkey.len() as u64;
            self.outputs += 1;
            // Transaction id, output number, height and coinbase flag, value, length of the script, script.
            self.bogosize += 32 + 4 + 4 + 8 + 2 + script_len;
            match self.total.checked_add(coin.output.value) {
                Some(total) => self.total = total,
                None => self.overflow = true,
            }
            if let Some(engine) = &mut self.hash {
                let code = coin.height.unwrap_or(0) << 1 | u32::from(coin.coinbase);
                engine.input(&txid.to_byte_array());
                engine.input(&vout.to_le_bytes());
                engine.input(&code.to_le_bytes());
                coin.output.consensus_encode(engine).expect("a hash takes any bytes");
            }
        }
    }
}

/// Returns the bytes of a directory's files; what cannot be read does not count.
fn directory_size(path: &std::path::Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else { return 0 };
    entries
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .filter(|data| data.is_file())
        .map(|data| data.len())
        .sum()
}
