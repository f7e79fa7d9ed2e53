//! Between the engine's types and those of `interfaces`. Structures are taken apart completely, so that a new field
//! does not go unnoticed.

use bitcoin::FeeRate;
use interfaces::BlockRef;
use kernel::BlockIndex;

/// Describes a block of the block index.
pub(crate) fn block_ref(index: &BlockIndex) -> BlockRef {
    BlockRef {
        hash: index.hash,
        height: index.height,
        time: index.time(),
        median_time: index.median_time,
        max_time: index.max_time,
        active: index.active,
    }
}

/// Describes an output.
pub(crate) fn coin(coin: kernel::Coin) -> interfaces::Coin {
    let kernel::Coin { output, height, coinbase } = coin;
    interfaces::Coin { output, height, coinbase }
}

/// Converts a rate, rounding up: a wallet that pays it must not fall below the engine's limit.
pub(crate) fn fee_rate(rate: kernel::FeeRate) -> FeeRate {
    FeeRate::from_sat_per_kwu(rate.to_sat_per_kvb().max(0).unsigned_abs().div_ceil(4))
}

/// The outer error of a call the engine could not answer.
pub(crate) fn internal(error: kernel::Error) -> interfaces::Error {
    interfaces::Error::internal(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_round_up() {
        let check = |sat_per_kvb: i64, sat_per_kwu: u64| {
            let rate = fee_rate(kernel::FeeRate::from_sat_per_kvb(sat_per_kvb));
            assert_eq!(rate.to_sat_per_kwu(), sat_per_kwu, "{sat_per_kvb}");
        };
        check(0, 0);
        check(100, 25);
        check(101, 26);
        check(1000, 250);
        check(-1, 0);
    }
}
