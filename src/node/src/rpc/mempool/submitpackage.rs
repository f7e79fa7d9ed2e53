//! `submitpackage`.

use std::collections::{BTreeSet, HashSet};

use bitcoin::{Transaction, Txid};
use kernel::{AcceptResult, Accepted, FeeRate, PackageResult, RejectKind};
use rpc::{Arg, ArgType, Call, Command, Res, RpcError, RpcResult, example_cli, example_rpc, json as values};
use serde_json::{Map, Value, json};

use super::getmempoolinfo::feerate_json;
use super::sendrawtransaction::check_burn;
use super::testmempoolaccept::{MAX_PACKAGE_COUNT, decode};
use crate::NodeContext;
use crate::rpc::support::{MAX_BURN, MAX_FEERATE, engine_error, max_feerate};

pub(super) const COMMAND: Command<NodeContext> = Command {
    name: "submitpackage",
    category: "rawtransactions",
    args: &[
        Arg::required(
            "package",
            ArgType::Arr,
            "The serialized transactions in hex: one, or a child as the last with any of its unconfirmed parents, which \
             must not depend on each other. Parents in the mempool need not be among them.",
        )
        .inner(&[Arg::optional("rawtx", ArgType::StrHex, "")]),
        MAX_FEERATE,
        MAX_BURN,
    ],
    description: "Hands raw transactions to the mempool together. Each that consensus and policy allow is taken.\n\
                  \nThe interface may change. That a package is taken does not mean that it spreads.",
    result: &[Res::obj(
        "",
        "",
        &[
            Res::str("package_msg", "\"success\" if all transactions are in the mempool now, else what is wrong"),
            Res::obj_dyn(
                "tx-results",
                "An answer for each transaction by its hash with the witness",
                &[Res::obj(
                    "wtxid",
                    "",
                    &[
                        Res::hex("txid", "The transaction id"),
                        Res::hex("other-wtxid", "Hash of the same transaction with another witness that is there instead")
                            .optional(),
                        Res::num("vsize", "Virtual size, adjusted for sigops").optional(),
                        Res::obj(
                            "fees",
                            "Fees",
                            &[
                                Res::amount("base", "Its fee in BTC"),
                                Res::amount("effective-feerate", "The rate in BTC/kvB it was judged by, if it is new")
                                    .optional(),
                                Res::arr(
                                    "effective-includes",
                                    "The transactions judged by this rate together",
                                    &[Res::hex("", "Hash with the witness")],
                                )
                                .optional(),
                            ],
                        )
                        .optional(),
                        Res::str("error", "Why it was refused, or \"package-not-validated\"").optional(),
                    ],
                )],
            ),
            Res::arr("replaced-transactions", "Transactions that were replaced", &[Res::hex("", "The transaction id")])
                .optional(),
        ],
    )],
    examples: &[
        example_rpc!("submitpackage", "[\"raw-parent-tx-1\", \"raw-parent-tx-2\", \"raw-child-tx\"]"),
        example_cli!("submitpackage", "'[\"raw-tx-without-unconfirmed-parents\"]'"),
    ],
    run,
};

fn run(ctx: &NodeContext, call: &Call<'_>) -> RpcResult {
    let texts = call.array("package")?;
    if texts.is_empty() || texts.len() > MAX_PACKAGE_COUNT {
        return Err(RpcError::invalid_parameter(format!(
            "Array must contain between 1 and {MAX_PACKAGE_COUNT} transactions."
        )));
    }
    let rate = i64::try_from(max_feerate(call, "maxfeerate")?).unwrap_or(i64::MAX);
    let max_rate = Some(FeeRate::from_sat_per_kvb(rate)).filter(|_| rate > 0);
    let max_burn = call.amount("maxburnamount")?;
    let mut transactions = Vec::with_capacity(texts.len());
    for text in texts {
        let tx = decode(text)?;
        check_burn(&tx, max_burn)?;
        transactions.push(tx);
    }
    if transactions.len() > 1 && !is_child_with_parents(&transactions) {
        return Err(RpcError::verify(
            "package topology disallowed. not child-with-parents or parents depend on each other.",
        ));
    }
    let PackageResult { rejection, transactions: answers } =
        ctx.kernel.accept_package(&transactions, false, max_rate).map_err(engine_error)?;
    let message = match rejection {
        None => "success".to_owned(),
        Some(rejection) if rejection.kind == RejectKind::Failed => return Err(RpcError::verify(rejection.reason)),
        Some(rejection) => rejection.message(),
    };
    for tx in &transactions {
        if ctx.kernel.mempool_contains(&tx.compute_txid()).map_err(engine_error)? {
            ctx.kernel.set_unbroadcast(&tx.compute_txid(), true).map_err(engine_error)?;
            ctx.peers.announce(tx.compute_txid(), tx.compute_wtxid());
        }
    }
    ctx.sync_events().map_err(engine_error)?;
    let mut results = Map::new();
    let mut replaced = BTreeSet::new();
    for (i, tx) in transactions.iter().enumerate() {
        let answer = answers.get(i).and_then(Option::as_ref);
        results.insert(tx.compute_wtxid().to_string(), describe(tx, answer, &mut replaced));
    }
    let replaced: Vec<String> = replaced.iter().map(Txid::to_string).collect();
    Ok(json!({"package_msg": message, "tx-results": results, "replaced-transactions": replaced}))
}

/// Says whether the last transaction spends from each of the others, and none of those from another.
fn is_child_with_parents(transactions: &[Transaction]) -> bool {
    let spent_by =
        |tx: &Transaction| -> HashSet<Txid> { tx.input.iter().map(|input| input.previous_output.txid).collect() };
    let Some((child, parents)) = transactions.split_last() else { return false };
    let ids: HashSet<Txid> = parents.iter().map(Transaction::compute_txid).collect();
    ids.is_subset(&spent_by(child)) && parents.iter().all(|parent| spent_by(parent).is_disjoint(&ids))
}

fn describe(tx: &Transaction, answer: Option<&AcceptResult>, all_replaced: &mut BTreeSet<Txid>) -> Value {
    let mut out = Map::new();
    out.insert("txid".into(), json!(tx.compute_txid().to_string()));
    match answer {
        None => {
            out.insert("error".into(), json!("package-not-validated"));
        }
        Some(AcceptResult::Rejected(rejection)) => {
            out.insert("error".into(), json!(rejection.message()));
        }
        Some(AcceptResult::DifferentWitness(other)) => {
            out.insert("other-wtxid".into(), json!(other.to_string()));
        }
        Some(AcceptResult::AlreadyInMempool { vsize, fee }) => {
            out.insert("vsize".into(), json!(vsize));
            out.insert("fees".into(), json!({"base": values::amount(*fee)}));
        }
        Some(AcceptResult::Accepted(Accepted { vsize, fee, effective_feerate, effective_includes, replaced })) => {
            let includes: Vec<String> = effective_includes.iter().map(|wtxid| wtxid.to_string()).collect();
            out.insert("vsize".into(), json!(vsize));
            out.insert(
                "fees".into(),
                json!({
                    "base": values::amount(*fee),
                    "effective-feerate": feerate_json(*effective_feerate),
                    "effective-includes": includes,
                }),
            );
            all_replaced.extend(replaced);
        }
    }
    Value::Object(out)
}
