//! What a block template is made of. The engine selects and orders transactions, because its mempool has them sorted;
//! coinbase, commitments and header are the caller's.

use bitcoin::{Amount, CompactTarget, SignedAmount, Transaction};

use crate::convert::{amount, decode_tx, signed};
use crate::{BlockIndex, Error, FeeRate, Kernel, ffi};

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
        let request = ffi::TemplateRequest {
            use_mempool: options.use_mempool,
            max_weight: options.max_weight,
            reserved_weight: options.reserved_weight,
            reserved_sigops: options.reserved_sigops,
            min_feerate: options.min_feerate.to_sat_per_kvb(),
        };
        let entry = self.call(|engine| engine.block_template(&request))?;
        let previous = entry.previous.into_option().ok_or(Error::NoTip)?;
        let transactions = entry.transactions.iter().map(transaction).collect::<Result<_, _>>()?;
        Ok(BlockTemplate {
            previous,
            height: entry.height,
            version: entry.version,
            time: entry.time,
            min_time: entry.min_time,
            bits: CompactTarget::from_consensus(entry.bits),
            subsidy: amount(entry.subsidy),
            segwit: entry.segwit,
            signet_challenge: entry.has_signet_challenge.then_some(entry.signet_challenge),
            deployments: entry.deployments.into_iter().map(TemplateDeployment::from).collect(),
            transactions,
            chunk_feerates: entry.chunk_feerates.into_iter().map(FeeRate::from_sat_per_kvb).collect(),
            fees: signed(entry.fees),
            weight: entry.weight,
            sigops: entry.sigops,
        })
    }

    /// Returns the difficulty the next block must have if its time is `time`.
    pub fn next_work_required(&self, time: u32) -> Result<CompactTarget, Error> {
        Ok(CompactTarget::from_consensus(self.call(|engine| engine.next_work_required(time))?))
    }

    /// Returns the new coins a block at `height` may create.
    pub fn block_subsidy(&self, height: u32) -> Result<Amount, Error> {
        Ok(amount(self.call(|engine| engine.block_subsidy(height))?))
    }
}

fn transaction(entry: &ffi::TemplateTx) -> Result<TemplateTransaction, Error> {
    Ok(TemplateTransaction {
        transaction: decode_tx(&entry.data)?,
        fee: signed(entry.fee),
        sigops: u64::try_from(entry.sigops).unwrap_or(0),
        weight: u64::try_from(entry.weight).unwrap_or(0),
    })
}

impl From<ffi::TemplateBit> for TemplateDeployment {
    fn from(entry: ffi::TemplateBit) -> TemplateDeployment {
        TemplateDeployment {
            name: entry.name,
            bit: entry.bit,
            optional: entry.optional,
            state: match entry.state {
                0 => TemplateDeploymentState::Signalling,
                1 => TemplateDeploymentState::LockedIn,
                _ => TemplateDeploymentState::Active,
            },
        }
    }
}
