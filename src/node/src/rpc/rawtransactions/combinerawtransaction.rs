//! `combinerawtransaction`.

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{OutPoint, ScriptBuf, Transaction, TxOut, Witness};
use kernel::CoinView;
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, json as values};
use serde_json::json;

use crate::NodeContext;
use crate::rpc::shape::transaction::{self, Encoding};
use crate::rpc::support::{Result, engine_error};
use crate::signing::{Input, Keys};

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "combinerawtransaction",
    category: "rawtransactions",
    args: &[Arg::required("txs", ArgType::Arr, "The transactions, each with some of the signatures")
        .inner(&[Arg::optional("hexstring", ArgType::StrHex, "A transaction in hex")])],
    description: "Puts the signatures together that several signers made for one transaction. Some may still be missing \
                  afterwards.",
    result: &[Res::str("", "The transaction in hex, with all signatures")],
    examples: &[example_cli!("combinerawtransaction", "'[\"myhex1\", \"myhex2\", \"myhex3\"]'")],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let texts = call.array("txs")?;
    if texts.len() < 2 {
        return Err(RpcError::deserialization("Missing transactions. At least two transactions required."));
    }
    let decode = |(at, text)| {
        transaction::from_hex(values::as_str(text)?, Encoding::Either).ok_or_else(|| {
            RpcError::deserialization(format!("TX decode failed for tx {at}. Make sure the tx has at least one input."))
        })
    };
    let variants = texts.iter().enumerate().map(decode).collect::<Result<Vec<Transaction>>>()?;
    let first = unsigned(&variants[0]);
    for (at, variant) in variants.iter().enumerate() {
        if unsigned(variant) != first {
            return Err(RpcError::invalid_parameter(format!(
                "Transaction number {} not compatible with first transaction",
                at + 1
            )));
        }
    }
    let mut merged = variants[0].clone();
    let outpoints: Vec<OutPoint> = merged.input.iter().map(|input| input.previous_output).collect();
    let coins = ctx.kernel.coins(&outpoints, CoinView::WithMempool).map_err(engine_error)?;
    let all_spent: Vec<Option<TxOut>> = coins.into_iter().map(|coin| coin.map(|coin| coin.output)).collect();
    for (index, spent) in all_spent.iter().enumerate() {
        let spent =
            spent.as_ref().ok_or_else(|| RpcError::new(rpc::code::VERIFY_ERROR, "Input not found or already spent"))?;
        let input = |transaction| Input { transaction, index, spent, all_spent: &all_spent };
        let mut parts = input(&merged).read().map_err(engine_error)?;
        for variant in &variants[1..] {
            parts.merge(input(variant).read().map_err(engine_error)?);
        }
        input(&merged).sign(&Keys::default(), 0, &mut parts).map_err(engine_error)?;
        merged.input[index].script_sig = parts.script_sig;
        merged.input[index].witness = parts.witness;
    }
    Ok(json!(serialize_hex(&merged)))
}

/// Takes off what signers add.
fn unsigned(transaction: &Transaction) -> Transaction {
    let mut transaction = transaction.clone();
    for input in &mut transaction.input {
        input.script_sig = ScriptBuf::new();
        input.witness = Witness::new();
    }
    transaction
}
