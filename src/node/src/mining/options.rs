//! The options that shape blocks (`-blockmaxweight`, `-blockreservedweight`, `-blockmintxfee`, `-blockversion`,
//! `-printpriority`), read and checked once at start-up and again wherever a block is made.

use common::args::Args;
use kernel::{FeeRate, TemplateOptions};

use crate::init::money;

/// Most weight consensus allows a block.
pub const MAX_BLOCK_WEIGHT: u64 = 4_000_000;
/// Most weighted signature operations consensus allows a block.
pub const MAX_BLOCK_SIGOPS_COST: u64 = 80_000;
/// Most bytes a serialized block may have.
pub const MAX_BLOCK_SERIALIZED_SIZE: u64 = 4_000_000;
/// Least weight kept free for header, transaction count and coinbase.
const MIN_RESERVED_WEIGHT: u64 = 2_000;

/// What the blocks this node makes look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MiningOptions {
    /// Most weight.
    pub max_weight: u64,
    /// Weight kept free for header, transaction count and coinbase.
    pub reserved_weight: u64,
    /// Signature operations kept free for the coinbase.
    pub reserved_sigops: u64,
    /// Least fee rate of a transaction.
    pub min_feerate: FeeRate,
    /// Version of regtest blocks, if not the one that is due.
    pub block_version: Option<i32>,
    /// Log each transaction taken.
    pub print_priority: bool,
}

/// What the options are called where they are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// On the command line.
    Options,
    /// Over an interface.
    Fields,
}

impl Names {
    fn reserved(self) -> &'static str {
        match self {
            Names::Options => "-blockreservedweight",
            Names::Fields => "block_reserved_weight",
        }
    }

    fn max(self) -> &'static str {
        match self {
            Names::Options => "-blockmaxweight",
            Names::Fields => "block_max_weight",
        }
    }
}

/// A value the options cannot have. The text is Bitcoin Core's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MiningOptionsError {
    /// The fee rate is no amount.
    #[error("Invalid amount for -blockmintxfee=<amount>: '{0}'")]
    MinFee(String),
    /// Too little is reserved.
    #[error("{0} ({1}) is lower than minimum safety value of ({MIN_RESERVED_WEIGHT})")]
    ReservedTooLow(&'static str, u64),
    /// A weight is beyond what consensus allows.
    #[error("{0} ({1}) exceeds consensus maximum block weight ({MAX_BLOCK_WEIGHT})")]
    BeyondConsensus(&'static str, u64),
    /// Nothing would be left for transactions.
    #[error("{0} ({1}) exceeds {2} ({3})")]
    ReservedBeyondMax(&'static str, u64, &'static str, u64),
    /// More signature operations are reserved than a block may have.
    #[error(
        "coinbase_output_max_additional_sigops ({0}) exceeds consensus maximum block sigops cost \
         ({MAX_BLOCK_SIGOPS_COST})"
    )]
    SigopsBeyondConsensus(u64),
}

impl Default for MiningOptions {
    fn default() -> Self {
        let TemplateOptions { use_mempool: _, max_weight, reserved_weight, reserved_sigops, min_feerate } =
            TemplateOptions::default();
        Self { max_weight, reserved_weight, reserved_sigops, min_feerate, block_version: None, print_priority: false }
    }
}

impl MiningOptions {
    /// Reads the options and checks them.
    pub fn from_args(args: &Args) -> Result<Self, MiningOptionsError> {
        let mut options = Self::default();
        if let Some(text) = args.get("blockmintxfee") {
            let rate = money::parse(&text).ok_or(MiningOptionsError::MinFee(text))?;
            options.min_feerate = FeeRate::from_sat_per_kvb(rate);
        }
        options.reserved_weight = args.opt_uint("blockreservedweight").unwrap_or(options.reserved_weight);
        options.max_weight = args.opt_uint("blockmaxweight").unwrap_or(options.max_weight);
        if args.chain() == common::chain::Chain::Regtest {
            options.block_version = args.opt_int("blockversion").map(|version| version as i32);
        }
        options.print_priority = args.get_bool("printpriority");
        options.check(Names::Options)?;
        Ok(options)
    }

    pub(crate) fn check(&self, names: Names) -> Result<(), MiningOptionsError> {
        use MiningOptionsError::{BeyondConsensus, ReservedBeyondMax, ReservedTooLow, SigopsBeyondConsensus};
        match (self.reserved_weight, self.max_weight) {
            (reserved, _) if reserved < MIN_RESERVED_WEIGHT => Err(ReservedTooLow(names.reserved(), reserved)),
            (reserved, _) if reserved > MAX_BLOCK_WEIGHT => Err(BeyondConsensus(names.reserved(), reserved)),
            (_, max) if max > MAX_BLOCK_WEIGHT => Err(BeyondConsensus(names.max(), max)),
            (reserved, max) if reserved > max => Err(ReservedBeyondMax(names.reserved(), reserved, names.max(), max)),
            _ if self.reserved_sigops > MAX_BLOCK_SIGOPS_COST => Err(SigopsBeyondConsensus(self.reserved_sigops)),
            _ => Ok(()),
        }
    }

    /// Returns what the engine needs to select transactions.
    pub(crate) fn engine(&self, use_mempool: bool) -> TemplateOptions {
        TemplateOptions {
            use_mempool,
            max_weight: self.max_weight,
            reserved_weight: self.reserved_weight,
            reserved_sigops: self.reserved_sigops,
            min_feerate: self.min_feerate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_checked() {
        let check = |reserved_weight: u64, max_weight: u64, expected: Option<&str>| {
            let options = MiningOptions { reserved_weight, max_weight, ..MiningOptions::default() };
            assert_eq!(options.check(Names::Options).err().map(|error| error.to_string()).as_deref(), expected);
        };
        check(8000, 4_000_000, None);
        check(2000, 2000, None);
        check(1999, 4_000_000, Some("-blockreservedweight (1999) is lower than minimum safety value of (2000)"));
        check(
            4_000_001,
            4_000_000,
            Some("-blockreservedweight (4000001) exceeds consensus maximum block weight (4000000)"),
        );
        check(8000, 4_000_001, Some("-blockmaxweight (4000001) exceeds consensus maximum block weight (4000000)"));
        check(8000, 7999, Some("-blockreservedweight (8000) exceeds -blockmaxweight (7999)"));
        let options = MiningOptions { reserved_weight: 8000, max_weight: 7999, ..MiningOptions::default() };
        let says = options.check(Names::Fields).err().map(|error| error.to_string());
        assert_eq!(says.as_deref(), Some("block_reserved_weight (8000) exceeds block_max_weight (7999)"));
    }
}
