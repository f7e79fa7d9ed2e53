//! `generateblock`: a block of exactly these transactions.

use std::sync::{Mutex, PoisonError};

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{Transaction, Txid};
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, json as values};
use serde_json::{Value, json};

use super::work::{complete, options, script_of_descriptor, submit, template_error};
use crate::NodeContext;
use crate::mining::grind::DEFAULT_MAX_TRIES;
use crate::mining::template::check;
use crate::mining::{TemplateError, new_block, regenerate_commitments};
use crate::rpc::shape::transaction::{Encoding, from_hex};
use crate::rpc::support::{Result, engine_error, parse_address};

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "generateblock",
    category: "hidden",
    args: &[
        Arg::required("output", ArgType::Str, "The address or descriptor to send the newly generated bitcoin to."),
        Arg::required(
            "transactions",
            ArgType::Arr,
            "Transaction ids or raw transactions in hex, in the order they are to have.\n\
             Ids must be of transactions in the mempool. All must be valid, or the block is refused.",
        )
        .inner(&[Arg::optional("rawtx/txid", ArgType::StrHex, "")]),
        Arg::or(
            "submit",
            ArgType::Bool,
            "true",
            "Whether to submit the block before the RPC call returns or to return it as hex.",
        ),
    ],
    description: "Mines a block of given transactions, whose reward without fees goes to an address or descriptor, and \
                  returns its hash.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::hex("hash", "Hash of the block"),
            Res::hex("hex", "The serialized block in hex (only if it was not submitted)").optional(),
        ],
    )],
    examples: &[
        "\nGenerate a block to myaddress, with txs rawtx and mempool_txid\n",
        example_cli!("generateblock", "\"myaddress\" '[\"rawtx\", \"mempool_txid\"]'"),
    ],
    run,
};

/// Held while a block is made on the tip and checked against it, so that calls at once do not overtake each other
/// between the two.
static ASSEMBLING: Mutex<()> = Mutex::new(());

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let output = call.str("output")?;
    let script = match script_of_descriptor(ctx, output)? {
        Ok(script) => script,
        Err(_) => parse_address(ctx, output)
            .ok_or_else(|| RpcError::invalid_address_or_key("Error: Invalid address or descriptor"))?,
    };
    let transactions =
        call.array("transactions")?.iter().map(|tx| find_or_decode(ctx, tx)).collect::<Result<Vec<_>>>()?;
    let options = options(ctx)?;
    let submitting = call.bool("submit")?;
    let guard = ASSEMBLING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut block = new_block(&ctx.kernel, &options, &script, false).map_err(template_error)?.block;
    block.txdata.extend(transactions);
    regenerate_commitments(&mut block);
    check(&ctx.kernel, &block).map_err(|error| match error {
        // Only here are the transactions the caller's own, so only here is it their verdict.
        TemplateError::Invalid(_) => RpcError::verify(error),
        other => template_error(other),
    })?;
    let mut tries = DEFAULT_MAX_TRIES;
    let block =
        complete(ctx, block, &mut tries).ok().flatten().ok_or_else(|| RpcError::misc("Failed to make block."))?;
    if submitting {
        let hash = submit(ctx, &block)?;
        drop(guard);
        Ok(json!({"hash": hash.to_string()}))
    } else {
        Ok(json!({"hash": block.block_hash().to_string(), "hex": serialize_hex(&block)}))
    }
}

fn find_or_decode(ctx: &NodeContext, value: &Value) -> Result<Transaction> {
    let text = values::as_str(value)?;
    if text.len() == 64
        && let Ok(txid) = text.parse::<Txid>()
    {
        return match ctx.kernel.mempool_transaction(&txid).map_err(engine_error)? {
            Some(found) => Ok(found.transaction),
            None => Err(RpcError::invalid_address_or_key(format!("Transaction {text} not in mempool."))),
        };
    }
    from_hex(text, Encoding::Either).ok_or_else(|| {
        RpcError::deserialization(format!(
            "Transaction decode failed for {text}. Make sure the tx has at least one input."
        ))
    })
}
