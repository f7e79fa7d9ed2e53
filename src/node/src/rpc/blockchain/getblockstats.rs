//! `getblockstats`: sums, extremes, averages and percentiles over the transactions of one block.

use std::collections::BTreeSet;

use bitcoin::{Block, BlockHash, Transaction, TxOut};
use kernel::{BlockIndex, Coin};
use rpc::{Arg, ArgType, Call, Command, Default, Res, RpcError, RpcResult, example_cli, example_rpc, json as values};
use serde_json::{Map, Value, json};

use crate::NodeContext;
use crate::rpc::shape::script::is_unspendable;
use crate::rpc::support::{engine_error, find_hash_or_height};

/// Bytes an output takes in the UTXO set besides itself: its outpoint, and its height with the coinbase flag.
const PER_OUTPUT_OVERHEAD: usize = 36 + 4;
/// Weight units of a virtual byte.
const WITNESS_SCALE_FACTOR: i64 = 4;
/// Blocks of the main chain whose coinbase repeats an earlier one and adds nothing to the UTXO set (BIP30).
const REPEATED_COINBASES: [(u32, &str); 2] = [
    (91_842, "00000000000a4d0a398161ffc163c503763b1f4360639393e0e4c8e300e0caec"),
    (91_880, "00000000000743f190a18c5577a3c2d2a1f610ae9601ac046a38084ccb7cd721"),
];

const fn number(key: &'static str, help: &'static str) -> Res {
    Res::num(key, help).optional()
}

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getblockstats",
    category: "blockchain",
    args: &[
        Arg::required("hash_or_height", ArgType::Num, "Hash or height of the block")
            .skip_type_check()
            .type_str("", "string or numeric"),
        Arg::new("stats", ArgType::Arr, Default::Hint("all values"), "Only these values (see the result below)")
            .inner(&[Arg::optional("height", ArgType::Str, "A value"), Arg::optional("time", ArgType::Str, "A value")])
            .oneline("stats"),
    ],
    description: "Returns statistics of a block. Amounts are in satoshi. Needs the block and its undo data, which pruning \
                  deletes.",
    result: &[Res::obj(
        "",
        "",
        &[
            number("avgfee", "Average fee"),
            number("avgfeerate", "Average fee rate in satoshi per virtual byte"),
            number("avgtxsize", "Average size of a transaction"),
            Res::hex("blockhash", "Hash of the block").optional(),
            Res::new(
                rpc::ResType::ArrFixed,
                "feerate_percentiles",
                "Fee rates, in satoshi per virtual byte, below which these shares of the weight are",
            )
            .inner(&[
                Res::num("10th_percentile_feerate", "10 %"),
                Res::num("25th_percentile_feerate", "25 %"),
                Res::num("50th_percentile_feerate", "50 %"),
                Res::num("75th_percentile_feerate", "75 %"),
                Res::num("90th_percentile_feerate", "90 %"),
            ])
            .optional(),
            number("height", "Height of the block"),
            number("ins", "Inputs, without the coinbase's"),
            number("maxfee", "Highest fee"),
            number("maxfeerate", "Highest fee rate in satoshi per virtual byte"),
            number("maxtxsize", "Largest size of a transaction"),
            number("medianfee", "Median fee"),
            number("mediantime", "Median time past"),
            number("mediantxsize", "Median size of a transaction"),
            number("minfee", "Lowest fee"),
            number("minfeerate", "Lowest fee rate in satoshi per virtual byte"),
            number("mintxsize", "Smallest size of a transaction"),
            number("outs", "Outputs"),
            number("subsidy", "New coins"),
            number("swtotal_size", "Size of all transactions with a witness"),
            number("swtotal_weight", "Weight of all transactions with a witness"),
            number("swtxs", "Transactions with a witness"),
            number("time", "Time of the block"),
            number("total_out", "Value of all outputs, without the coinbase's"),
            number("total_size", "Size of all transactions but the coinbase"),
            number("total_weight", "Weight of all transactions but the coinbase"),
            number("totalfee", "Sum of fees"),
            number("txs", "Transactions, the coinbase included"),
            number("utxo_increase", "Outputs made less outputs spent, unspendable ones included"),
            number("utxo_size_inc", "Growth of the UTXO set in bytes, unspendable outputs included"),
            number("utxo_increase_actual", "Outputs made less outputs spent, without unspendable ones"),
            number("utxo_size_inc_actual", "Growth of the UTXO set in bytes, without unspendable outputs"),
        ],
    )],
    examples: &[
        example_cli!(
            "getblockstats",
            "'\"00000000c937983704a73af28acdec37b049d214adbda81d7e2a3dd146f6ed09\"' '[\"minfeerate\",\"avgfeerate\"]'"
        ),
        example_cli!("getblockstats", "1000 '[\"minfeerate\",\"avgfeerate\"]'"),
        example_rpc!(
            "getblockstats",
            "\"00000000c937983704a73af28acdec37b049d214adbda81d7e2a3dd146f6ed09\", [\"minfeerate\",\"avgfeerate\"]"
        ),
        example_rpc!("getblockstats", "1000, [\"minfeerate\",\"avgfeerate\"]"),
    ],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let index = find_hash_or_height(ctx, call.value("hash_or_height"))?;
    let mut wanted = BTreeSet::new();
    for name in call.opt_array("stats")?.into_iter().flatten() {
        wanted.insert(values::as_str(name)?);
    }
    let block = ctx.kernel.block(&index.hash).map_err(engine_error)?;
    let undo = ctx.kernel.read_undo(&index.hash).map_err(|error| match error {
        kernel::Error::BlockPruned(_) => RpcError::misc("Undo data not available (pruned data)"),
        kernel::Error::BlockNotDownloaded(_) => RpcError::misc("Undo data not available (not fully downloaded)"),
        _ => RpcError::misc("Can't read undo data from disk"),
    })?;
    let subsidy = ctx.kernel.block_subsidy(index.height).map_err(engine_error)?.to_sat();
    let statistics = Statistics::of(&index, &block, &undo)
        .ok_or_else(|| RpcError::internal("Internal bug detected: a fee of the block is out of range"))?;
    let all = statistics.to_json(&index, &block, subsidy);
    if wanted.is_empty() {
        return Ok(all.into());
    }
    let mut out = Map::new();
    for name in wanted {
        let value =
            all.get(name).ok_or_else(|| RpcError::invalid_parameter(format!("Invalid selected statistic '{name}'")))?;
        out.insert(name.to_owned(), value.clone());
    }
    Ok(out.into())
}

/// What one pass over a block collects. Lists have an entry for every transaction but the coinbase.
#[derive(Default)]
struct Statistics {
    inputs: i64,
    outputs: i64,
    spendable_outputs: i64,
    total_out: i64,
    utxo_size: i64,
    utxo_size_actual: i64,
    segwit_count: i64,
    segwit_size: i64,
    segwit_weight: i64,
    fees: Vec<i64>,
    sizes: Vec<i64>,
    /// Fee rates and weights.
    feerates: Vec<(i64, i64)>,
}

impl Statistics {
    /// Goes over a block and the outputs it spends; `None` if a fee is out of range.
    fn of(index: &BlockIndex, block: &Block, undo: &[Vec<Coin>]) -> Option<Self> {
        let mut all = Statistics::default();
        for (at, tx) in block.txdata.iter().enumerate() {
            let adds_nothing = at == 0 && (index.height == 0 || repeats_coinbase(index));
            all.add_outputs(tx, !adds_nothing);
            if at > 0 {
                all.add_spending(tx, undo.get(at - 1)?)?;
            }
        }
        Some(all)
    }

    fn add_outputs(&mut self, tx: &Transaction, counted: bool) {
        self.outputs += signed(tx.output.len());
        for output in &tx.output {
            let size = utxo_size(output);
            self.utxo_size += size;
            if counted && !is_unspendable(&output.script_pubkey) {
                self.spendable_outputs += 1;
                self.utxo_size_actual += size;
            }
        }
    }

    fn add_spending(&mut self, tx: &Transaction, spent: &[Coin]) -> Option<()> {
        let value_out = total_value(tx.output.iter())?;
        let value_in = total_value(spent.iter().map(|coin| &coin.output))?;
        let fee = value_in.checked_sub(value_out).filter(|fee| *fee >= 0)?;
        let (size, weight) = (signed(tx.total_size()), i64::try_from(tx.weight().to_wu()).ok()?);
        self.inputs += signed(tx.input.len());
        self.total_out = self.total_out.checked_add(value_out)?;
        let freed: i64 = spent.iter().map(|coin| utxo_size(&coin.output)).sum();
        self.utxo_size -= freed;
        self.utxo_size_actual -= freed;
        if tx.input.iter().any(|input| !input.witness.is_empty()) {
            self.segwit_count += 1;
            self.segwit_size += size;
            self.segwit_weight += weight;
        }
        self.fees.push(fee);
        self.sizes.push(size);
        self.feerates.push((fee.checked_mul(WITNESS_SCALE_FACTOR)?.checked_div(weight).unwrap_or(0), weight));
        Some(())
    }

    fn to_json(&self, index: &BlockIndex, block: &Block, subsidy: u64) -> Map<String, Value> {
        let rates: Vec<i64> = self.feerates.iter().map(|(rate, _)| *rate).collect();
        let total_weight: i64 = self.feerates.iter().map(|(_, weight)| weight).sum();
        let total_fee: i64 = self.fees.iter().sum();
        let total_size: i64 = self.sizes.iter().sum();
        let count = signed(self.fees.len());
        let values = [
            ("avgfee", json!(total_fee.checked_div(count).unwrap_or(0))),
            (
                "avgfeerate",
                json!(total_fee.saturating_mul(WITNESS_SCALE_FACTOR).checked_div(total_weight).unwrap_or(0)),
            ),
            ("avgtxsize", json!(total_size.checked_div(count).unwrap_or(0))),
            ("blockhash", json!(index.hash.to_string())),
            ("feerate_percentiles", json!(percentiles(&self.feerates, total_weight))),
            ("height", json!(index.height)),
            ("ins", json!(self.inputs)),
            ("maxfee", json!(highest(&self.fees))),
            ("maxfeerate", json!(highest(&rates))),
            ("maxtxsize", json!(highest(&self.sizes))),
            ("medianfee", json!(median(&self.fees))),
            ("mediantime", json!(index.median_time)),
            ("mediantxsize", json!(median(&self.sizes))),
            ("minfee", json!(lowest(&self.fees))),
            ("minfeerate", json!(lowest(&rates))),
            ("mintxsize", json!(lowest(&self.sizes))),
            ("outs", json!(self.outputs)),
            ("subsidy", json!(subsidy)),
            ("swtotal_size", json!(self.segwit_size)),
            ("swtotal_weight", json!(self.segwit_weight)),
            ("swtxs", json!(self.segwit_count)),
            ("time", json!(index.header.time)),
            ("total_out", json!(self.total_out)),
            ("total_size", json!(total_size)),
            ("total_weight", json!(total_weight)),
            ("totalfee", json!(total_fee)),
            ("txs", json!(block.txdata.len())),
            ("utxo_increase", json!(self.outputs - self.inputs)),
            ("utxo_size_inc", json!(self.utxo_size)),
            ("utxo_increase_actual", json!(self.spendable_outputs - self.inputs)),
            ("utxo_size_inc_actual", json!(self.utxo_size_actual)),
        ];
        values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

fn repeats_coinbase(index: &BlockIndex) -> bool {
    REPEATED_COINBASES
        .iter()
        .any(|(height, hash)| index.height == *height && hash.parse() == Ok::<BlockHash, _>(index.hash))
}

fn total_value<'a>(mut outputs: impl Iterator<Item = &'a TxOut>) -> Option<i64> {
    outputs.try_fold(0i64, |sum, output| sum.checked_add(i64::try_from(output.value.to_sat()).ok()?))
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn utxo_size(output: &TxOut) -> i64 {
    signed(output.size() + PER_OUTPUT_OVERHEAD)
}

fn highest(list: &[i64]) -> i64 {
    list.iter().copied().max().unwrap_or(0)
}

fn lowest(list: &[i64]) -> i64 {
    list.iter().copied().min().unwrap_or(0)
}

/// Returns the median, rounded towards zero; zero of nothing.
fn median(list: &[i64]) -> i64 {
    let mut sorted = list.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    match sorted.as_slice() {
        [] => 0,
        list if list.len() % 2 == 0 => (list[middle - 1] + list[middle]) / 2,
        list => list[middle],
    }
}

/// Returns the rates at which 10, 25, 50, 75 and 90 % of the weight are reached, going up from the lowest.
fn percentiles(feerates: &[(i64, i64)], total_weight: i64) -> [i64; 5] {
    let mut sorted = feerates.to_vec();
    sorted.sort_unstable();
    // In twentieths, so that no fraction is left.
    [2, 5, 10, 15, 18].map(|share| {
        let mut weight = 0;
        let reached = sorted.iter().find(|(_, own)| {
            weight += own;
            weight * 20 >= total_weight * share
        });
        reached.or(sorted.last()).map_or(0, |(rate, _)| *rate)
    })
}

#[cfg(test)]
mod tests {
    use bitcoin::hashes::Hash;

    use super::*;

    #[test]
    fn medians_are_truncated() {
        let check = |list: &[i64], expected: i64| assert_eq!(median(list), expected, "{list:?}");
        check(&[], 0);
        check(&[7], 7);
        check(&[4, 1], 2);
        check(&[9, 1, 5], 5);
        check(&[8, 2, 5, 4], 4);
    }

    #[test]
    fn percentiles_count_weight() {
        assert_eq!(percentiles(&[], 0), [0; 5]);
        assert_eq!(percentiles(&[(5, 100)], 100), [5; 5]);
        assert_eq!(percentiles(&[(3, 80), (1, 10), (2, 10)], 100), [1, 3, 3, 3, 3]);
        assert_eq!(percentiles(&[(1, 25), (2, 25), (3, 25), (4, 25)], 100), [1, 1, 2, 3, 4]);
    }

    #[test]
    fn repeated_coinbases_parse() {
        for (_, hash) in REPEATED_COINBASES {
            assert_ne!(hash.parse::<BlockHash>().expect("a hash"), BlockHash::all_zeros());
        }
    }
}
