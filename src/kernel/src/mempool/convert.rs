//! From the bridge's flat answers to the types callers see. Apart from them because it changes with the engine.

use bitcoin::hashes::Hash;
use bitcoin::{Txid, Wtxid};

use super::types::{AcceptResult, Accepted, MempoolEntry, MempoolInfo, MempoolTransaction, RejectKind, Rejection};
use crate::convert::{amount, decode_tx, signed, txids, wtxids};
use crate::{Error, FeeRate, ffi};

/// Converts an answer; `None` where validation ended before it.
pub(super) fn accept_result(entry: ffi::AcceptEntry) -> Result<Option<AcceptResult>, Error> {
    let includes = wtxids(&entry.includes);
    let feerate = entry.has_feerate.then(|| FeeRate::from_sat_per_kvb(entry.feerate));
    let vsize = u64::try_from(entry.vsize).unwrap_or(0);
    Ok(Some(match entry.status {
        ffi::AcceptStatus::Accepted => AcceptResult::Accepted(Accepted {
            vsize,
            fee: amount(entry.fee),
            effective_feerate: feerate.unwrap_or_default(),
            effective_includes: includes,
            replaced: txids(&entry.replaced),
        }),
        ffi::AcceptStatus::InMempool => AcceptResult::AlreadyInMempool { vsize, fee: amount(entry.fee) },
        ffi::AcceptStatus::DifferentWitness => {
            AcceptResult::DifferentWitness(Wtxid::from_byte_array(entry.other_wtxid))
        }
        ffi::AcceptStatus::Rejected => AcceptResult::Rejected(Rejection {
            kind: if entry.rejection.failed { RejectKind::Failed } else { reject_kind(entry.rejection.kind) },
            reason: entry.rejection.reason,
            debug: entry.rejection.debug,
            effective_feerate: feerate,
            effective_includes: includes,
        }),
        ffi::AcceptStatus::Unfinished => return Ok(None),
        _ => return Err(Error::Decode("the engine cannot read the transaction".to_owned())),
    }))
}

/// The engine's kinds of rejected transactions, by number.
fn reject_kind(kind: u8) -> RejectKind {
    match kind {
        1 => RejectKind::Consensus,
        2 => RejectKind::InputsNotStandard,
        3 => RejectKind::NotStandard,
        4 => RejectKind::MissingInputs,
        5 => RejectKind::PrematureSpend,
        6 => RejectKind::WitnessMutated,
        7 => RejectKind::WitnessStripped,
        8 => RejectKind::Conflict,
        9 => RejectKind::MempoolPolicy,
        11 => RejectKind::Reconsiderable,
        12 => RejectKind::NotValidated,
        _ => RejectKind::Failed,
    }
}

/// The engine numbers kinds of rejected packages apart from those of transactions.
pub(super) fn package_rejection(entry: ffi::RejectionEntry) -> Rejection {
    let kind = match entry.kind {
        _ if entry.failed => RejectKind::Failed,
        1 => RejectKind::MempoolPolicy,
        2 => RejectKind::NotValidated,
        _ => RejectKind::Failed,
    };
    Rejection {
        kind,
        reason: entry.reason,
        debug: entry.debug,
        effective_feerate: None,
        effective_includes: Vec::new(),
    }
}

pub(super) fn pool_transaction(entry: &ffi::PoolTx) -> Result<MempoolTransaction, Error> {
    Ok(MempoolTransaction {
        transaction: decode_tx(&entry.data)?,
        time: entry.time,
        fee: amount(entry.fee),
        fee_delta: signed(entry.fee_delta),
    })
}

impl From<&ffi::PoolEntry> for MempoolEntry {
    fn from(entry: &ffi::PoolEntry) -> MempoolEntry {
        let size = |n: i64| u64::try_from(n).unwrap_or(0);
        MempoolEntry {
            txid: Txid::from_byte_array(entry.txid),
            wtxid: Wtxid::from_byte_array(entry.wtxid),
            vsize: size(entry.vsize),
            weight: size(entry.weight),
            time: entry.time,
            height: entry.height,
            fee: amount(entry.fee),
            modified_fee: signed(entry.modified_fee),
            ancestor_count: entry.ancestor_count,
            ancestor_size: entry.ancestor_size,
            ancestor_fees: signed(entry.ancestor_fees),
            descendant_count: entry.descendant_count,
            descendant_size: entry.descendant_size,
            descendant_fees: signed(entry.descendant_fees),
            chunk_weight: size(entry.chunk_weight),
            chunk_fee: signed(entry.chunk_fee),
            depends: txids(&entry.depends),
            spent_by: txids(&entry.spent_by),
            unbroadcast: entry.unbroadcast,
            bip125_replaceable: entry.replaceable,
        }
    }
}

impl From<&ffi::PoolInfo> for MempoolInfo {
    fn from(info: &ffi::PoolInfo) -> MempoolInfo {
        let size = |n: i64| u64::try_from(n).unwrap_or(0);
        MempoolInfo {
            loaded: info.loaded,
            size: info.size,
            bytes: info.bytes,
            usage: info.usage,
            total_fee: amount(info.total_fee),
            max_usage: size(info.max_usage),
            min_fee: FeeRate::from_sat_per_kvb(info.min_fee),
            min_relay_fee: FeeRate::from_sat_per_kvb(info.min_relay_fee),
            incremental_fee: FeeRate::from_sat_per_kvb(info.incremental_fee),
            dust_fee: FeeRate::from_sat_per_kvb(info.dust_fee),
            unbroadcast: info.unbroadcast,
            require_standard: info.require_standard,
            permit_bare_multisig: info.permit_bare_multisig,
            max_datacarrier: info.has_datacarrier.then_some(info.max_datacarrier),
            cluster_count: info.cluster_count,
            cluster_size: size(info.cluster_size),
            ancestor_count: size(info.ancestor_count),
            descendant_count: size(info.descendant_count),
            optimal: info.optimal,
            sequence: info.sequence,
            transactions_updated: info.transactions_updated,
        }
    }
}
