//! `getrawtransaction`: from the mempool, or from a block that the caller names.

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{BlockHash, Txid};
use kernel::BlockIndex;
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc, json as values};
use serde_json::{Map, Value, json};

use crate::NodeContext;
use crate::rpc::shape::transaction::{self, INPUT_DOC, INPUT_WITH_PREVOUT_DOC, Spent, transaction_doc};
use crate::rpc::support::{block_and_undo, engine_error};

macro_rules! result_doc {
    ($vin:expr $(, $before:expr)*) => {
        transaction_doc!(
            [
                Res::bool("in_active_chain", "Whether the block given is on the active chain (only with blockhash)").optional(),
                Res::hex("blockhash", "Hash of its block").optional(),
                Res::num("confirmations", "Number of confirmations").optional(),
                Res::time("blocktime", "Time of its block, in Unix seconds").optional(),
                Res::num("time", "Same as blocktime").optional(),
                Res::hex("hex", "The serialized transaction in hex")
                $(, $before)*
            ],
            $vin
        )
    };
}

/// Where `fee` and `vin` are in the description of a transaction, and `prevout` in that of an input.
const FEE: usize = 6;
const VIN: usize = 14;
const PREVOUT: usize = 6;

const WITH_PREVOUTS: &[Res] = &Res::elide(
    *result_doc!(INPUT, Res::amount("fee", "The fee in BTC (only if undo data is at hand)").optional()),
    [FEE, VIN],
    "Same as if verbosity is set to 1",
);
const INPUT: &[Res] = &Res::elide(*INPUT_WITH_PREVOUT_DOC, [PREVOUT], "Same as if verbosity is set to 1");

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "getrawtransaction",
    category: "rawtransactions",
    args: &[
        Arg::required("txid", ArgType::StrHex, "The transaction id"),
        Arg::or(
            "verbosity|verbose",
            ArgType::Num,
            "0",
            "0 for hex, 1 for an object, 2 for an object with fee and the outputs spent",
        )
        .skip_type_check(),
        Arg::optional("blockhash", ArgType::StrHex, "The block to look in"),
    ],
    description: "Returns a transaction of the mempool, or of a block whose hash is given.\n\
                  \nHint: use gettransaction for transactions of a wallet.",
    result: &[
        Res::str("data", "The serialized transaction in hex").when("if verbosity is not set or set to 0"),
        Res::obj("", "", result_doc!(INPUT_DOC)).when("if verbosity is set to 1"),
        Res::obj("", "", WITH_PREVOUTS).when("for verbosity = 2"),
    ],
    examples: &[
        example_cli!("getrawtransaction", "\"mytxid\""),
        example_cli!("getrawtransaction", "\"mytxid\" 1"),
        example_rpc!("getrawtransaction", "\"mytxid\", 1"),
        example_cli!("getrawtransaction", "\"mytxid\" 0 \"myblockhash\""),
        example_cli!("getrawtransaction", "\"mytxid\" 1 \"myblockhash\""),
        example_cli!("getrawtransaction", "\"mytxid\" 2 \"myblockhash\""),
    ],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let txid: Txid = values::parse_hash(call.value("txid"), "parameter 1")?;
    let genesis = bitcoin::constants::genesis_block(ctx.chain.network());
    if genesis.txdata.iter().any(|tx| tx.compute_txid() == txid) {
        return Err(RpcError::invalid_address_or_key(
            "The genesis block coinbase is not considered an ordinary transaction and cannot be retrieved",
        ));
    }
    let verbosity = call.verbosity("verbosity", 0, true)?;
    let block = match call.value("blockhash") {
        Value::Null => None,
        hash => {
            let hash: BlockHash = values::parse_hash(hash, "parameter 3")?;
            let index = ctx.kernel.block_index(&hash).map_err(engine_error)?;
            Some(index.ok_or_else(|| RpcError::invalid_address_or_key("Block hash not found"))?)
        }
    };
    match block {
        None => from_mempool(ctx, &txid, verbosity),
        Some(index) => from_block(ctx, &txid, verbosity, &index),
    }
}

fn from_mempool(ctx: &NodeContext, txid: &Txid, verbosity: i64) -> RpcResult {
    let found = ctx.kernel.mempool_transaction(txid).map_err(engine_error)?.ok_or_else(|| {
        RpcError::invalid_address_or_key(
            "No such mempool transaction. Use -txindex or provide a block hash to enable blockchain transaction queries. \
             Use gettransaction for wallet transactions.",
        )
    })?;
    if verbosity <= 0 {
        return Ok(json!(serialize_hex(&found.transaction)));
    }
    Ok(transaction::to_json(&found.transaction, ctx.chain.network(), Spent::Unknown, true).into())
}

fn from_block(ctx: &NodeContext, txid: &Txid, verbosity: i64, index: &BlockIndex) -> RpcResult {
    if !index.status.have_data {
        return Err(RpcError::misc("Block not available"));
    }
    let (block, undo) = match verbosity {
        2.. => block_and_undo(ctx, index)?,
        _ => (ctx.kernel.block(&index.hash).map_err(engine_error)?, None),
    };
    let position = block.txdata.iter().position(|tx| tx.compute_txid() == *txid).ok_or_else(|| {
        RpcError::invalid_address_or_key(
            "No such transaction found in the provided block. Use gettransaction for wallet transactions.",
        )
    })?;
    let tx = &block.txdata[position];
    if verbosity <= 0 {
        return Ok(json!(serialize_hex(tx)));
    }
    let coins = undo.as_ref().and_then(|undo| undo.get(position.checked_sub(1)?));
    let spent = coins.map_or(Spent::Unknown, |coins| Spent::Shown(coins));
    let mut out = Map::new();
    out.insert("in_active_chain".into(), json!(index.active));
    out.extend(transaction::to_json(tx, ctx.chain.network(), spent, true));
    add_block(&mut out, index);
    Ok(out.into())
}

fn add_block(out: &mut Map<String, Value>, index: &BlockIndex) {
    out.insert("blockhash".into(), json!(index.hash.to_string()));
    out.insert("confirmations".into(), json!(index.confirmations));
    if index.active {
        out.insert("time".into(), json!(index.time()));
        out.insert("blocktime".into(), json!(index.time()));
    }
}
