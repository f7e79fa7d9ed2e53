//! Fee rates in the unit the engine uses. Separate from `bitcoin::FeeRate`, which counts satoshi per 1000 weight units
//! and would lose the last digits of a rate given per 1000 virtual bytes.

/// A fee rate in satoshi per 1000 virtual bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FeeRate(i64);

impl FeeRate {
    /// Makes a rate from satoshi per 1000 virtual bytes.
    pub const fn from_sat_per_kvb(sat: i64) -> FeeRate {
        FeeRate(sat)
    }

    /// Returns satoshi per 1000 virtual bytes: the number that, divided by 100 000 000, RPC prints as BTC/kvB.
    pub const fn to_sat_per_kvb(self) -> i64 {
        self.0
    }
}
