//! What the mempool says of transactions, as plain data: answers to a submission, entries, totals.

use bitcoin::{Amount, SignedAmount, Transaction, Txid, Wtxid};

use crate::FeeRate;

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

/// Transactions of a cluster that would be mined together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MempoolChunk {
    /// Their fees with deltas.
    pub fee: SignedAmount,
    /// Their weights, adjusted for sigops.
    pub weight: u64,
    /// The transactions in the order they would be mined.
    pub txids: Vec<Txid>,
}

/// What the best chunks of the mempool come to together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiagramPoint {
    /// Their weights, adjusted for sigops.
    pub weight: u64,
    /// Their fees with deltas.
    pub fee: SignedAmount,
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
