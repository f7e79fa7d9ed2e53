//! `testmempoolaccept`.

use bitcoin::Transaction;
use kernel::{AcceptResult, Accepted, PackageResult, RejectKind, Rejection};
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc, json as values};
use serde_json::{Map, Value, json};

use super::getmempoolinfo::feerate_json;
use crate::NodeContext;
use crate::rpc::shape::transaction::{self, Encoding};
use crate::rpc::support::{MAX_FEERATE, Result, engine_error, fee_at, max_feerate};

/// Most transactions of a package.
pub(super) const MAX_PACKAGE_COUNT: usize = 25;

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "testmempoolaccept",
    category: "rawtransactions",
    args: &[
        Arg::required("rawtxs", ArgType::Arr, "The serialized transactions in hex").inner(&[Arg::optional(
            "rawtx",
            ArgType::StrHex,
            "",
        )]),
        MAX_FEERATE,
    ],
    description: "Says whether the mempool would accept raw transactions, by consensus and policy.\n\
                  \nSeveral transactions are a package: parents come before children, and none may conflict with the \
                  mempool or another. If one fails, others may stay without an answer ('allowed' is missing).\n\
                  \nAt most 25 transactions.\n\
                  \nSee sendrawtransaction call.",
    result: &[Res::arr(
        "",
        "An answer for each transaction, in order; for those not validated because another failed, without 'allowed'",
        &[Res::obj(
            "",
            "",
            &[
                Res::hex("txid", "The transaction id"),
                Res::hex("wtxid", "The hash with the witness"),
                Res::str("package-error", "What is wrong with the package, if anything").optional(),
                Res::bool("allowed", "Whether the mempool, and maxfeerate, would let it in").optional(),
                Res::num("vsize", "Virtual size (only if allowed)").optional(),
                Res::obj(
                    "fees",
                    "Fees (only if allowed)",
                    &[
                        Res::amount("base", "Its fee in BTC"),
                        Res::amount(
                            "effective-feerate",
                            "The rate in BTC/kvB it is judged by, deltas and package counted",
                        ),
                        Res::arr(
                            "effective-includes",
                            "The transactions judged by this rate together",
                            &[Res::hex("", "Hash with the witness")],
                        ),
                    ],
                )
                .optional(),
                Res::str("reject-reason", "Why it is refused (only if not allowed)").optional(),
                Res::str("reject-details", "That in more detail (only if not allowed)").optional(),
            ],
        )],
    )],
    examples: &[
        example_cli!("testmempoolaccept", "'[\"signedhex\"]'"),
        example_rpc!("testmempoolaccept", "[\"signedhex\"]"),
    ],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let texts = call.array("rawtxs")?;
    if texts.is_empty() || texts.len() > MAX_PACKAGE_COUNT {
        return Err(RpcError::invalid_parameter(format!(
            "Array must contain between 1 and {MAX_PACKAGE_COUNT} transactions."
        )));
    }
    let max_rate = max_feerate(call, "maxfeerate")?;
    let transactions = texts.iter().map(decode).collect::<Result<Vec<_>>>()?;
    let PackageResult { rejection, transactions: answers } = match transactions.as_slice() {
        [one] => {
            let answer = ctx.kernel.accept_transaction(one, true).map_err(engine_error)?;
            PackageResult { rejection: None, transactions: vec![Some(answer)] }
        }
        many => ctx.kernel.accept_package(many, true, None).map_err(engine_error)?,
    };
    // "transaction failed" is said of the package when one of its transactions is at fault: that one tells.
    let package_error =
        rejection.filter(|rejection| rejection.kind == RejectKind::MempoolPolicy).map(|rejection| rejection.message());
    let mut too_dear = false;
    let mut out = Vec::with_capacity(transactions.len());
    for (i, tx) in transactions.iter().enumerate() {
        let mut entry = Map::new();
        entry.insert("txid".into(), json!(tx.compute_txid().to_string()));
        entry.insert("wtxid".into(), json!(tx.compute_wtxid().to_string()));
        if let Some(error) = &package_error {
            entry.insert("package-error".into(), json!(error));
        }
        if let Some(answer) = answers.get(i).and_then(Option::as_ref).filter(|_| !too_dear) {
            too_dear = describe(&mut entry, answer, max_rate);
        }
        out.push(Value::Object(entry));
    }
    Ok(Value::Array(out))
}

/// Reads one transaction of a package.
pub(super) fn decode(text: &Value) -> Result<Transaction> {
    let text = values::as_str(text)?;
    transaction::from_hex(text, Encoding::Either).ok_or_else(|| {
        RpcError::deserialization(format!("TX decode failed: {text} Make sure the tx has at least one input."))
    })
}

/// Adds an answer; says whether the transaction pays too much, which ends the evaluation of the package.
fn describe(entry: &mut Map<String, Value>, answer: &AcceptResult, max_rate: u64) -> bool {
    let mut refuse = |reason: &str, details: Option<String>| {
        entry.insert("allowed".into(), json!(false));
        entry.insert("reject-reason".into(), json!(reason));
        if let Some(details) = details {
            entry.insert("reject-details".into(), json!(details));
        }
    };
    match answer {
        AcceptResult::Accepted(Accepted { vsize, fee, effective_feerate, effective_includes, replaced: _ }) => {
            let max_fee = fee_at(max_rate, *vsize);
            if max_fee > 0 && fee.to_sat() > max_fee {
                refuse("max-fee-exceeded", None);
                return true;
            }
            let includes: Vec<String> = effective_includes.iter().map(|wtxid| wtxid.to_string()).collect();
            entry.insert("allowed".into(), json!(true));
            entry.insert("vsize".into(), json!(vsize));
            entry.insert(
                "fees".into(),
                json!({
                    "base": values::amount(*fee),
                    "effective-feerate": feerate_json(*effective_feerate),
                    "effective-includes": includes,
                }),
            );
        }
        AcceptResult::AlreadyInMempool { .. } => refuse("txn-already-in-mempool", None),
        AcceptResult::DifferentWitness(_) => refuse("txn-same-nonwitness-data-in-mempool", None),
        AcceptResult::Rejected(Rejection { kind: RejectKind::MissingInputs, .. }) => refuse("missing-inputs", None),
        AcceptResult::Rejected(rejection) => refuse(&rejection.reason, Some(rejection.message())),
    }
    false
}
