//! The mempool: what goes in, what is in it.

use bitcoin::hashes::Hash;
use bitcoin::{Amount, OutPoint, SignedAmount, Transaction, Txid, Wtxid};

use crate::convert::{amount, decode_tx, encode_tx, hashes, signed, txids, wtxids};
use crate::{Error, FeeRate, Kernel, ffi};

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum AcceptResult {
    /// It is in the mempool now, or would be.
    Accepted(Accepted),
    /// It was in the mempool already. Only in packages; alone it is rejected with `txn-already-in-mempool`.
    AlreadyInMempool {
        /// Virtual size with sigops counted.
        vsize: u64,
        /// Fee without deltas.
        fee: Amount,
    },
    /// It is in the mempool with another witness. Only in packages.
    DifferentWitness(Wtxid),
    /// It was refused.
    Rejected(Rejection),
}

/// A transaction that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Virtual size with sigops counted.
    pub vsize: u64,
    /// Fee without deltas.
    pub fee: Amount,
    /// Rate it was judged by: with deltas, and of the whole group it was judged with.
    pub effective_feerate: FeeRate,
    /// That group.
    pub effective_includes: Vec<Wtxid>,
    /// Transactions it replaced.
    pub replaced: Vec<Txid>,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Which kind of rule.
    pub kind: RejectKind,
    /// Reject reason, such as `min relay fee not met`.
    pub reason: String,
    /// More for logs; may be empty.
    pub debug: String,
    /// Rate it was judged by, where that was the reason.
    pub effective_feerate: Option<FeeRate>,
    /// The group judged by it.
    pub effective_includes: Vec<Wtxid>,
}

impl Rejection {
    /// Returns reason and detail in one line, as RPC errors have it.
    pub fn message(&self) -> String {
        if self.debug.is_empty() { self.reason.clone() } else { format!("{}, {}", self.reason, self.debug) }
    }
}

/// Kinds of rules transactions break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectKind {
    /// Consensus.
    Consensus,
    /// Its inputs are not standard.
    InputsNotStandard,
    /// It is not standard.
    NotStandard,
    /// An input is unknown or spent.
    MissingInputs,
    /// A coinbase or a lock is not mature.
    PrematureSpend,
    /// The witness may have been changed.
    WitnessMutated,
    /// The witness is missing.
    WitnessStripped,
    /// Already in the mempool or the chain.
    Conflict,
    /// Fees, sizes, replacement.
    MempoolPolicy,
    /// Might do in another package.
    Reconsiderable,
    /// Not validated because its package failed.
    NotValidated,
    /// Validation itself failed.
    Failed,
}

/// What became of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct PackageResult {
    /// What is wrong with the package as a whole, if anything.
    pub rejection: Option<Rejection>,
    /// An answer for each transaction, in order; `None` where validation ended before it.
    pub transactions: Vec<Option<AcceptResult>>,
}

/// A transaction in the mempool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MempoolTransaction {
    /// The transaction.
    pub transaction: Transaction,
    /// When it came, Unix seconds.
    pub time: i64,
    /// Its fee, without deltas.
    pub fee: Amount,
    /// Delta of its fee for mining.
    pub fee_delta: SignedAmount,
}

/// What the mempool knows of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MempoolEntry {
    /// Its id.
    pub txid: Txid,
    /// Its id with the witness.
    pub wtxid: Wtxid,
    /// Virtual size with sigops counted.
    pub vsize: u64,
    /// Weight.
    pub weight: u64,
    /// When it came, Unix seconds.
    pub time: i64,
    /// Height of the tip when it came.
    pub height: u32,
    /// Fee.
    pub fee: Amount,
    /// Fee with delta.
    pub modified_fee: SignedAmount,
    /// Ancestors in the mempool, itself included; so are the next two.
    pub ancestor_count: u64,
    /// Their virtual size.
    pub ancestor_size: u64,
    /// Their fees with deltas.
    pub ancestor_fees: SignedAmount,
    /// Descendants in the mempool, itself included; so are the next two.
    pub descendant_count: u64,
    /// Their virtual size.
    pub descendant_size: u64,
    /// Their fees with deltas.
    pub descendant_fees: SignedAmount,
    /// Weight of the chunk it would be mined with.
    pub chunk_weight: u64,
    /// Fees of that chunk.
    pub chunk_fee: SignedAmount,
    /// Unconfirmed transactions it spends from, sorted by the hexadecimal txid.
    pub depends: Vec<Txid>,
    /// Unconfirmed transactions that spend from it.
    pub spent_by: Vec<Txid>,
    /// No peer asked for it yet.
    pub unbroadcast: bool,
    /// It or an ancestor signals replaceability (BIP125).
    pub bip125_replaceable: bool,
}

/// State of the mempool at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MempoolInfo {
    /// An attempt to load it from disk was made.
    pub loaded: bool,
    /// Transactions.
    pub size: u64,
    /// Sum of virtual sizes.
    pub bytes: u64,
    /// Bytes of memory.
    pub usage: u64,
    /// Sum of fees.
    pub total_fee: Amount,
    /// Most bytes of memory.
    pub max_usage: u64,
    /// Least rate that gets in now, the higher of the rolling minimum and `min_relay_fee`.
    pub min_fee: FeeRate,
    /// Least rate to be relayed.
    pub min_relay_fee: FeeRate,
    /// Rate a replacement must add.
    pub incremental_fee: FeeRate,
    /// Rate that defines dust.
    pub dust_fee: FeeRate,
    /// Transactions no peer asked for yet.
    pub unbroadcast: u64,
    /// Non-standard transactions are refused.
    pub require_standard: bool,
    /// Bare multisig is relayed.
    pub permit_bare_multisig: bool,
    /// Largest standard `OP_RETURN` script; `None` allows none.
    pub max_datacarrier: Option<u32>,
    /// Most transactions of a cluster.
    pub cluster_count: u32,
    /// Most virtual bytes of a cluster.
    pub cluster_size: u64,
    /// Most ancestors, itself included.
    pub ancestor_count: u64,
    /// Most descendants, itself included.
    pub descendant_count: u64,
    /// Every cluster is linearised as well as it can be.
    pub optimal: bool,
    /// Count of changes so far.
    pub sequence: u64,
    /// Count of changes that may change a block template.
    pub transactions_updated: u32,
}

/// Relatives of a transaction in the mempool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MempoolAncestry {
    /// Ancestors, itself included.
    pub ancestors: u64,
    /// Descendants, itself included.
    pub descendants: u64,
    /// Transactions of its cluster.
    pub cluster: u64,
}

/// A fee delta set with [`Kernel::prioritise`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prioritisation {
    /// The transaction.
    pub txid: Txid,
    /// The delta.
    pub delta: SignedAmount,
    /// Its fee with the delta, if it is in the mempool.
    pub modified_fee: Option<SignedAmount>,
}

impl Kernel {
    /// Submits a transaction to the mempool, or only says what would happen.
    pub fn accept_transaction(&self, transaction: &Transaction, test_only: bool) -> Result<AcceptResult, Error> {
        self.accept(transaction, test_only, -1)
    }

    /// Submits a transaction as of an earlier time, for loading a stored mempool.
    pub fn accept_stored_transaction(&self, transaction: &Transaction, time: i64) -> Result<AcceptResult, Error> {
        self.accept(transaction, false, time.max(0))
    }

    /// Submits transactions together, parents first, or only says what would happen. `max_feerate` refuses any that
    /// pays more.
    pub fn accept_package(
        &self,
        transactions: &[Transaction],
        test_only: bool,
        max_feerate: Option<FeeRate>,
    ) -> Result<PackageResult, Error> {
        let bytes: Vec<ffi::TxBytes> = transactions.iter().map(encode_tx).collect();
        let max_feerate = max_feerate.map_or(-1, FeeRate::to_sat_per_kvb);
        let package = self.call(|engine| engine.accept_package(&bytes, test_only, max_feerate))?;
        let transactions = package.results.into_iter().map(accept_result).collect::<Result<_, _>>()?;
        Ok(PackageResult {
            rejection: package.has_rejection.then(|| package_rejection(package.rejection)),
            transactions,
        })
    }

    /// Returns all entries, parents before children, best first.
    pub fn mempool_entries(&self) -> Result<Vec<MempoolEntry>, Error> {
        Ok(self.call(|engine| engine.mempool_entries())?.iter().map(MempoolEntry::from).collect())
    }

    /// Returns one entry.
    pub fn mempool_entry(&self, txid: &Txid) -> Result<Option<MempoolEntry>, Error> {
        Ok(self.call(|engine| engine.mempool_entry(txid.as_byte_array()))?.entries.first().map(MempoolEntry::from))
    }

    /// Returns all ids, parents before children, best first, and the count of changes they are as of.
    pub fn mempool_txids(&self) -> Result<(Vec<Txid>, u64), Error> {
        let ids = self.call(|engine| engine.mempool_ids())?;
        Ok((txids(&ids.txids), ids.sequence))
    }

    /// Returns all transactions, parents before children, best first.
    pub fn mempool_transactions(&self) -> Result<Vec<MempoolTransaction>, Error> {
        self.call(|engine| engine.mempool_transactions())?.iter().map(pool_transaction).collect()
    }

    /// Returns a transaction of the mempool.
    pub fn mempool_transaction(&self, txid: &Txid) -> Result<Option<MempoolTransaction>, Error> {
        let found = self.call(|engine| engine.mempool_transaction(txid.as_byte_array(), false))?;
        found.found.then(|| pool_transaction(&found)).transpose()
    }

    /// Returns a transaction of the mempool by its id with the witness.
    pub fn mempool_transaction_by_wtxid(&self, wtxid: &Wtxid) -> Result<Option<MempoolTransaction>, Error> {
        let found = self.call(|engine| engine.mempool_transaction(wtxid.as_byte_array(), true))?;
        found.found.then(|| pool_transaction(&found)).transpose()
    }

    /// Says whether a transaction is in the mempool.
    pub fn mempool_contains(&self, txid: &Txid) -> Result<bool, Error> {
        self.call(|engine| engine.mempool_contains(txid.as_byte_array()))
    }

    /// Returns the entries of a transaction's ancestors, without itself; `None` if it is not there.
    pub fn mempool_ancestors(&self, txid: &Txid) -> Result<Option<Vec<MempoolEntry>>, Error> {
        self.relatives(txid, false)
    }

    /// Returns the entries of a transaction's descendants, without itself; `None` if it is not there.
    pub fn mempool_descendants(&self, txid: &Txid) -> Result<Option<Vec<MempoolEntry>>, Error> {
        self.relatives(txid, true)
    }

    /// Counts relatives; an answer for each, in order, `None` if it is not there.
    pub fn mempool_ancestry(&self, txids: &[Txid]) -> Result<Vec<Option<MempoolAncestry>>, Error> {
        let ancestry = self.call(|engine| engine.mempool_ancestry(&hashes(txids)))?;
        let convert = |entry: &ffi::AncestryEntry| {
            entry.found.then_some(MempoolAncestry {
                ancestors: entry.ancestors,
                descendants: entry.descendants,
                cluster: entry.cluster,
            })
        };
        Ok(ancestry.iter().map(convert).collect())
    }

    /// Returns the transaction in the mempool that spends each output, in order.
    pub fn mempool_spenders(&self, outpoints: &[OutPoint]) -> Result<Vec<Option<Txid>>, Error> {
        let wanted: Vec<ffi::OutPointEntry> = outpoints.iter().map(ffi::OutPointEntry::from).collect();
        let spenders = self.call(|engine| engine.mempool_spenders(&wanted))?;
        Ok(spenders.iter().map(|spender| spender.found.then(|| Txid::from_byte_array(spender.bytes))).collect())
    }

    /// Returns the state of the mempool.
    pub fn mempool_info(&self) -> Result<MempoolInfo, Error> {
        Ok((&self.call(|engine| engine.mempool_info())?).into())
    }

    /// Adds to the fee delta of a transaction, in the mempool or not.
    pub fn prioritise(&self, txid: &Txid, delta: SignedAmount) -> Result<(), Error> {
        self.call(|engine| engine.prioritise(txid.as_byte_array(), delta.to_sat()))
    }

    /// Returns all fee deltas.
    pub fn prioritisations(&self) -> Result<Vec<Prioritisation>, Error> {
        let deltas = self.call(|engine| engine.prioritisations())?;
        let convert = |entry: &ffi::DeltaEntry| Prioritisation {
            txid: Txid::from_byte_array(entry.txid),
            delta: signed(entry.delta),
            modified_fee: entry.in_mempool.then(|| signed(entry.modified_fee)),
        };
        Ok(deltas.iter().map(convert).collect())
    }

    /// Marks a transaction as not yet asked for by any peer, or as asked for.
    pub fn set_unbroadcast(&self, txid: &Txid, unbroadcast: bool) -> Result<(), Error> {
        self.call(|engine| engine.set_unbroadcast(txid.as_byte_array(), unbroadcast))
    }

    /// Returns the transactions no peer asked for yet.
    pub fn unbroadcast(&self) -> Result<Vec<Txid>, Error> {
        Ok(txids(&self.call(|engine| engine.unbroadcast())?))
    }

    /// Says that an attempt to load the mempool from disk was made.
    pub fn set_mempool_loaded(&self, loaded: bool) -> Result<(), Error> {
        self.call(|engine| engine.set_mempool_loaded(loaded))
    }

    fn accept(&self, transaction: &Transaction, test_only: bool, time: i64) -> Result<AcceptResult, Error> {
        let bytes = encode_tx(transaction);
        let entry = self.call(|engine| engine.accept_transaction(&bytes, test_only, time))?;
        accept_result(entry)?.ok_or_else(|| Error::Engine("validation ended early".to_owned()))
    }

    fn relatives(&self, txid: &Txid, descendants: bool) -> Result<Option<Vec<MempoolEntry>>, Error> {
        let relatives = self.call(|engine| engine.mempool_relatives(txid.as_byte_array(), descendants))?;
        Ok(relatives.found.then(|| relatives.entries.iter().map(MempoolEntry::from).collect()))
    }
}

/// Converts an answer; `None` where validation ended before it.
fn accept_result(entry: ffi::AcceptEntry) -> Result<Option<AcceptResult>, Error> {
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
fn package_rejection(entry: ffi::RejectionEntry) -> Rejection {
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

fn pool_transaction(entry: &ffi::PoolTx) -> Result<MempoolTransaction, Error> {
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
