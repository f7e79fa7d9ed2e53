//! `importdescriptors`

use std::sync::PoisonError;

use rpc::command::example_cli;
use rpc::{Arg, ArgType, Command, Res, RpcError, json};
use serde_json::{Map, Value};

use super::{CATEGORY, WARNINGS, checked_label, push_warnings, synced_wallet};
use crate::loader::Loader;
use crate::wallet::Wallet;
use crate::wallet::import::Import;
use crate::wallet::load::TIMESTAMP_WINDOW;
use crate::wallet::scan::{Reservation, ScanEnd};

/// Most indices in a range.
const MAX_RANGE: i64 = 1_000_000;

pub(super) static COMMANDS: &[Command<Loader>] = &[Command {
    name: "importdescriptors",
    category: CATEGORY,
    args: &[Arg::required("requests", ArgType::Arr, "Data to be imported")
        .inner(&[Arg::optional("", ArgType::Obj, "").inner(&[
            Arg::required("desc", ArgType::Str, "Descriptor to import."),
            Arg::or("active", ArgType::Bool, "false", "Make new addresses of its kind from it"),
            Arg::optional("range", ArgType::Range, "Last index, or first and last index, of the scripts to look for"),
            Arg::optional("next_index", ArgType::Num, "Index of the next address to make, if active"),
            Arg::required(
                "timestamp",
                ArgType::Num,
                "From when on to search the chain for it; \"now\" for not at all, 0 for all of it. Blocks up to 2 hours \
                 before the earliest of all are searched, and the mempool.",
            )
            .type_str("timestamp | \"now\"", "integer / string"),
            Arg::or("internal", ArgType::Bool, "false", "Its outputs are change, not payments"),
            Arg::or("label", ArgType::Str, "\"\"", "Label of the address; only if not internal and without a range"),
        ])])
        .oneline("requests")],
    description: "Imports descriptors and searches the chain for their transactions, which can take long. Make a new \
                  backup afterwards.\nOf a multipath descriptor with two paths the second is for change.",
    result: &[Res::arr("", "The outcome of each request, in order", &[Res::obj("", "", &[
        Res::bool("success", ""),
        WARNINGS,
        Res::obj("error", "", &[Res::num("code", "JSONRPC error code"), Res::str("message", "JSONRPC error message")])
            .optional(),
    ])])],
    examples: &[example_cli!(
        "importdescriptors",
        "'[{ \"desc\": \"<my descriptor>\", \"timestamp\":1455191478, \"internal\": true }]'"
    )],
    run: |loader, call| {
        let wallet = super::wallet(loader, call)?;
        let reservation = wallet.reserve_scan()?;
        let wallet = synced_wallet(loader, call).map(|_| wallet.clone())?;
        let _unlocked = wallet.relock.lock().unwrap_or_else(PoisonError::into_inner);
        wallet.state().ensure_unlocked()?;
        let tip = wallet.chain.status()?.tip;
        let (now, mut lowest) = (tip.median_time, tip.time);
        let mut results = Vec::new();
        let mut any = false;
        let requests = call.array("requests")?;
        for request in requests {
            let timestamp = timestamp(request, now)?.max(1);
            let mut warnings = Vec::new();
            let outcome = parse(request, timestamp).and_then(|import| Ok(wallet.import(&import, &mut warnings)?));
            let mut result = Map::from_iter([("success".to_owned(), Value::from(outcome.is_ok()))]);
            any |= outcome.is_ok();
            if let Err(error) = outcome {
                result.insert("error".to_owned(), error.to_json());
            }
            push_warnings(&mut result, warnings);
            results.push(result);
            lowest = lowest.min(timestamp);
        }
        if any {
            let failed = search(&wallet, lowest, &reservation)?;
            wallet.resubmit()?;
            if let Some(failed_time) = failed {
                for (request, result) in requests.iter().zip(&mut results) {
                    mark_unsearched(result, timestamp(request, now)?, failed_time);
                }
            }
        }
        Ok(results.into_iter().map(Value::from).collect())
    },
}];

fn timestamp(request: &Value, now: i64) -> Result<i64, RpcError> {
    match request.get("timestamp") {
        Some(Value::Number(_)) => json::as_int(&request["timestamp"]),
        Some(Value::String(text)) if text == "now" => Ok(now),
        Some(other) => Err(RpcError::type_error(format!(
            "Expected number or \"now\" timestamp value for key. got type {}",
            json::type_name(other)
        ))),
        None => Err(RpcError::type_error("Missing required timestamp field for key")),
    }
}

fn parse(request: &Value, timestamp: i64) -> Result<Import, RpcError> {
    let text = request.get("desc").ok_or_else(|| RpcError::invalid_parameter("Descriptor not found."))?;
    let flag = |name: &str| request.get(name).map(json::as_bool).transpose();
    let label = request.get("label").map(json::as_str).transpose()?;
    Ok(Import {
        text: json::as_str(text)?.to_owned(),
        active: flag("active")?.unwrap_or(false),
        range: request.get("range").map(range).transpose()?,
        next_index: request.get("next_index").map(json::as_int).transpose()?,
        internal: flag("internal")?,
        label: label.map(checked_label).transpose()?.map(str::to_owned),
        timestamp,
    })
}

/// Reads `last` or `[first, last]`.
fn range(value: &Value) -> Result<(i32, i32), RpcError> {
    let invalid = |text: &str| RpcError::invalid_parameter(text);
    let (first, last): (i64, i64) = match value {
        Value::Number(_) => (0, json::as_int(value)?),
        Value::Array(pair) => match &pair[..] {
            [first, last] => (json::as_int(first)?, json::as_int(last)?),
            _ => return Err(invalid("Range must have exactly two elements")),
        },
        _ => return Err(invalid("Range must be specified as end or as [begin,end]")),
    };
    if first > last {
        return Err(invalid("Range specified as [begin,end] must not have begin after end"));
    }
    if first < 0 {
        return Err(invalid("Range should be greater or equal than 0"));
    }
    if last >> 31 != 0 {
        return Err(invalid("End of range is too high"));
    }
    if last >= first + MAX_RANGE {
        return Err(invalid("Range is too large"));
    }
    let index = |index: i64| i32::try_from(index).map_err(|_| invalid("End of range is too high"));
    Ok((index(first)?, index(last)?))
}

/// Searches from `lowest` on and takes in the mempool; returns the time of the block that could not be read, if any.
fn search(wallet: &Wallet, lowest: i64, reservation: &Reservation<'_>) -> Result<Option<i64>, RpcError> {
    let first = wallet.chain.find_first_block(lowest - TIMESTAMP_WINDOW, 0)?;
    let end = match first {
        Some(block) => wallet.scan_blocks(block.height, None, reservation)?,
        None => ScanEnd::Done(None),
    };
    wallet.take_mempool()?;
    match end {
        ScanEnd::Done(_) => Ok(None),
        ScanEnd::Aborted => Err(RpcError::misc("Rescan aborted by user.")),
        ScanEnd::Unreadable(height) => {
            let block = wallet.chain.block_at(height)?;
            Ok(Some(block.map_or(i64::MAX, |block| block.max_time)))
        }
    }
}

/// A request whose blocks were not all searched did not succeed.
fn mark_unsearched(result: &mut Map<String, Value>, timestamp: i64, failed_time: i64) {
    if failed_time.saturating_add(TIMESTAMP_WINDOW + 1) <= timestamp || result.contains_key("error") {
        return;
    }
    let error = RpcError::misc(format!(
        "Rescan failed for descriptor with timestamp {timestamp}. There was an error reading a block from time \
         {failed_time}, which is after or within {TIMESTAMP_WINDOW} seconds of key creation, and could contain \
         transactions pertaining to the desc. As a result, transactions and coins using this desc may not appear in the \
         wallet. This error could be caused by pruning or data corruption (see bitcoind log for details) and could be \
         dealt with by downloading and rescanning the relevant blocks (see -reindex option and rescanblockchain RPC)."
    ));
    *result = Map::from_iter([("success".to_owned(), Value::from(false)), ("error".to_owned(), error.to_json())]);
}
