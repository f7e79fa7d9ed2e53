//! What a block template is made of. The engine selects and orders transactions, because its mempool has them sorted;
//! coinbase, commitments and header are the caller's.

use bitcoin::{Amount, CompactTarget, SignedAmount, Transaction};

use crate::{BlockIndex, Error, FeeRate, Kernel};

/// What may go into a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateOptions {
    /// Take transactions from the mempool.
    pub use_mempool: bool,
    /// Most weight of the block (`-blockmaxweight`).
    pub max_weight: u64,
    /// Weight kept free for header, transaction count and coinbase (`-blockreservedweight`).
    pub reserved_weight: u64,
    /// Signature operations kept free for the coinbase.
    pub reserved_sigops: u64,
    /// Least rate of a transaction (`-blockmintxfee`).
    pub min_feerate: FeeRate,
}

impl Default for TemplateOptions {
    fn default() -> TemplateOptions {
        TemplateOptions {
            use_mempool: true,
            max_weight: 4_000_000,
            reserved_weight: 8000,
            reserved_sigops: 400,
            min_feerate: FeeRate::from_sat_per_kvb(1),
        }
    }
}

/// What the next block needs, all of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockTemplate {
    /// The tip it goes on top of.
    pub previous: BlockIndex,
    /// Its height.
    pub height: u32,
    /// Its version, with the signals of deployments in progress.
    pub version: i32,
    /// Its time: now, or `min_time` if that is later.
    pub time: u32,
    /// Least time it may have.
    pub min_time: u32,
    /// Its difficulty, for `time`.
    pub bits: CompactTarget,
    /// New coins it may create, without fees.
    pub subsidy: Amount,
    /// It must commit to witnesses if it has any.
    pub segwit: bool,
    /// Script of a signet, if the chain is one.
    pub signet_challenge: Option<Vec<u8>>,
    /// Deployments in progress.
    pub deployments: Vec<TemplateDeployment>,
    /// Transactions in order, without the coinbase.
    pub transactions: Vec<TemplateTransaction>,
    /// Rates of the chunks they were taken in, in order.
    pub chunk_feerates: Vec<FeeRate>,
    /// Sum of fees.
    pub fees: SignedAmount,
    /// Weight, with the reserved one.
    pub weight: u64,
    /// Signature operations, with the reserved ones.
    pub sigops: u64,
}

/// A transaction of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateTransaction {
    /// The transaction.
    pub transaction: Transaction,
    /// Its fee.
    pub fee: SignedAmount,
    /// Its signature operations, weighted (BIP141).
    pub sigops: u64,
    /// Its weight.
    pub weight: u64,
}

/// A deployment in progress, as miners see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateDeployment {
    /// Its name.
    pub name: String,
    /// Its bit of the block version.
    pub bit: u32,
    /// Miners that do not know it may still mine.
    pub optional: bool,
    /// How far it is.
    pub state: TemplateDeploymentState,
}

/// How far a deployment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TemplateDeploymentState {
    /// Miners signal.
    Signalling,
    /// Decided, not yet in force.
    LockedIn,
    /// In force.
    Active,
}

impl Kernel {
    /// Makes a template for the block after the tip.
    pub fn block_template(&self, options: &TemplateOptions) -> Result<BlockTemplate, Error> {
        let _ = options;
        unimplemented!()
    }

    /// Returns the difficulty the next block must have if its time is `time`.
    pub fn next_work_required(&self, time: u32) -> Result<CompactTarget, Error> {
        let _ = time;
        unimplemented!()
    }
}
