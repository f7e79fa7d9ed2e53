//! `gettxoutproof` and `verifytxoutproof`: proofs that a block has transactions (BIP37 merkle blocks).

use std::collections::BTreeSet;

use bitcoin::consensus::encode::{self, deserialize_partial, serialize_hex};
use bitcoin::{BlockHash, MerkleBlock, OutPoint, Txid};
use kernel::{BlockIndex, CoinView};
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, json as values};
use serde_json::{Value, json};

use crate::NodeContext;
use crate::rpc::support::{Result, engine_error, find_block};

/// Outputs of a transaction that are looked for in the UTXO set to find its block.
const MAX_OUTPUTS: u32 = 4_000_000 / 36;
/// Outputs looked up at once.
const BATCH: u32 = 100;

pub(super) const GET: Command<NodeContext> = Command {
    name: "gettxoutproof",
    category: "blockchain",
    args: &[
        Arg::required("txids", ArgType::Arr, "The transactions to prove").inner(&[Arg::optional(
            "txid",
            ArgType::StrHex,
            "A transaction id",
        )]),
        Arg::optional("blockhash", ArgType::StrHex, "The block they are in"),
    ],
    description: "Returns a proof in hex that a block has certain transactions.\n\
                  \nUnless the block is given, it can only be found while one of them has an unspent output.",
    result: &[Res::str("data", "The serialized proof in hex")],
    examples: &[],
    run: get,
};

pub(super) const VERIFY: Command<NodeContext> = Command {
    name: "verifytxoutproof",
    category: "blockchain",
    args: &[Arg::required("proof", ArgType::StrHex, "The proof in hex, from gettxoutproof")],
    description: "Checks a proof and returns the transactions it is for. A block that is not on the active chain is an \
                  error.",
    result: &[Res::arr("", "", &[Res::hex("txid", "A transaction id; none if the proof does not hold")])],
    examples: &[],
    run: verify,
};

fn get(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let texts = call.array("txids")?;
    if texts.is_empty() {
        return Err(RpcError::invalid_parameter("Parameter 'txids' cannot be empty"));
    }
    let mut txids: BTreeSet<Txid> = BTreeSet::new();
    for text in texts {
        if !txids.insert(values::parse_hash(text, "txid")?) {
            let text = values::as_str(text)?;
            return Err(RpcError::invalid_parameter(format!("Invalid parameter, duplicated txid: {text}")));
        }
    }
    let index = match call.opt_hash::<BlockHash>("blockhash")? {
        Some(hash) => find_block(ctx, &hash)?,
        None => block_with_any(ctx, &txids)?
            .ok_or_else(|| RpcError::invalid_address_or_key("Transaction not yet in block"))?,
    };
    let block = ctx.kernel.block(&index.hash).map_err(engine_error)?;
    let found = block.txdata.iter().filter(|tx| txids.contains(&tx.compute_txid())).count();
    if found != txids.len() {
        return Err(RpcError::invalid_address_or_key("Not all transactions found in specified or retrieved block"));
    }
    let proof = MerkleBlock::from_block_with_predicate(&block, |txid| txids.contains(txid));
    Ok(json!(serialize_hex(&proof)))
}

/// Finds the block of one of the transactions by an output of it that is unspent.
fn block_with_any(ctx: &NodeContext, txids: &BTreeSet<Txid>) -> Result<Option<BlockIndex>> {
    for txid in txids {
        for start in (0..MAX_OUTPUTS).step_by(BATCH as usize) {
            let outpoints: Vec<OutPoint> = (start..start + BATCH).map(|vout| OutPoint { txid: *txid, vout }).collect();
            let coins = ctx.kernel.coins(&outpoints, CoinView::Chain).map_err(engine_error)?;
            if let Some(height) = coins.into_iter().flatten().find_map(|coin| coin.height) {
                return ctx.kernel.block_index_at(height).map_err(engine_error);
            }
        }
    }
    Ok(None)
}

fn verify(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let bytes = call.hex("proof")?;
    let (proof, _) = deserialize_partial::<MerkleBlock>(&bytes).map_err(|error| match error {
        encode::Error::Io(_) => RpcError::misc("SpanReader::read(): end of data: iostream error"),
        other => RpcError::misc(other),
    })?;
    let (mut txids, mut positions): (Vec<Txid>, Vec<u32>) = (Vec::new(), Vec::new());
    if proof.extract_matches(&mut txids, &mut positions).is_err() {
        return Ok(json!([]));
    }
    let index = ctx
        .kernel
        .block_index(&proof.header.block_hash())
        .map_err(engine_error)?
        .filter(|index| index.active && index.n_tx > 0)
        .ok_or_else(|| RpcError::invalid_address_or_key("Block not found in chain"))?;
    // A proof for another number of transactions may stand for an inner node of the tree.
    if index.n_tx != proof.txn.num_transactions() {
        return Ok(json!([]));
    }
    Ok(txids.iter().map(|txid| json!(txid.to_string())).collect::<Value>())
}
