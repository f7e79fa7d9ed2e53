//! Fee rates: what a payment has to pay, from the caller's wish, the node's estimate and the options.
//!
//! **Invariant:** rates are exact, in satoshi per 1000 virtual bytes, and fees round up.

use bitcoin::{Amount, FeeRate};
use interfaces::{Chain, FeePolicy};

use crate::error::Result;
use crate::options::Options;

/// A fee rate in satoshi per 1000 virtual bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rate(u64);

impl Rate {
    /// Makes a rate.
    pub(crate) const fn from_sat_per_kvb(rate: u64) -> Self {
        Rate(rate)
    }

    /// Says whether it is zero.
    pub(crate) const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Returns the rate.
    pub(crate) const fn sat_per_kvb(self) -> u64 {
        self.0
    }

    /// Returns the fee of a size in virtual bytes.
    pub(crate) const fn fee(self, vsize: u64) -> u64 {
        self.0.saturating_mul(vsize).div_ceil(1000)
    }

    /// Writes it as messages do.
    pub(crate) fn text(self) -> String {
        format!("{}.{:03} sat/vB", self.0 / 1000, self.0 % 1000)
    }
}

impl From<FeeRate> for Rate {
    fn from(rate: FeeRate) -> Self {
        Rate(rate.to_sat_per_kwu().saturating_mul(4))
    }
}

/// Writes an amount as messages do: in BTC, with two decimals or as many as it takes.
pub(crate) fn money(amount: Amount) -> String {
    let text = format!("{}.{:08}", amount.to_sat() / 100_000_000, amount.to_sat() % 100_000_000);
    let needless = text.bytes().rev().take(6).take_while(|digit| *digit == b'0').count();
    text[..text.len() - needless].to_owned()
}

/// How a caller wants the fee rate to be found.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FeeWish {
    /// This rate, no other.
    pub(crate) rate: Option<Rate>,
    /// Confirmation within so many blocks.
    pub(crate) target: Option<u32>,
    /// The safer estimate (`Some(true)`), the cheaper (`Some(false)`), or by whether the payment can be replaced.
    pub(crate) conservative: Option<bool>,
    /// Signal that the payment may be replaced.
    pub(crate) replaceable: Option<bool>,
}

/// Why a fee rate is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FeeReason {
    /// The caller or the node's estimate said so.
    None,
    /// From the node's estimates.
    Estimate,
    /// The `-fallbackfee`.
    Fallback,
    /// The mempool accepts no less.
    MempoolMin,
    /// The minimum of wallet or relay.
    Required,
}

impl FeeReason {
    /// Text in RPC results.
    pub(crate) fn text(self) -> &'static str {
        match self {
            FeeReason::None => "None",
            FeeReason::Estimate => "Conservative Double Target longer horizon",
            FeeReason::Fallback => "Fallback fee",
            FeeReason::MempoolMin => "Mempool Min Fee",
            FeeReason::Required => "Minimum Required Fee",
        }
    }
}

/// The rates a payment goes by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FeePlan {
    /// What the payment pays.
    pub(crate) rate: Rate,
    /// Why.
    pub(crate) reason: FeeReason,
    /// Below the cost of spending it at this rate, change is left to the fee.
    pub(crate) discard: Rate,
    /// What the node does not relay outputs below.
    pub(crate) dust: Rate,
    /// The node's minimum relay rate.
    pub(crate) relay: Rate,
    /// Rate at which coins can be spent some other time.
    pub(crate) long_term: Rate,
}

/// Finds the fee rate of a payment.
pub(crate) fn plan(chain: &dyn Chain, policy: &FeePolicy, options: &Options, wish: &FeeWish) -> Result<FeePlan> {
    let long_term = options.consolidate_fee;
    let (mempool, relay, dust) =
        (Rate::from(policy.mempool_min), Rate::from(policy.relay_min), Rate::from(policy.dust));
    let longest = chain.estimate_fee(1008, false)?.rate.map(Rate::from);
    let discard = longest.map_or(options.discard_fee, |rate| rate.min(options.discard_fee)).max(dust);
    let (mut rate, mut reason) = (wish.rate.unwrap_or(Rate(0)), FeeReason::None);
    if wish.rate.is_none() {
        let target = wish.target.unwrap_or(options.confirm_target);
        let conservative = wish.conservative.unwrap_or(!wish.replaceable.unwrap_or(options.signal_rbf));
        (rate, reason) = match chain.estimate_fee(target, conservative)?.rate {
            Some(estimate) => (estimate.into(), FeeReason::Estimate),
            None => (options.fallback_fee, FeeReason::Fallback),
        };
        if rate.is_zero() {
            return Ok(FeePlan { rate, reason, discard, dust, relay, long_term });
        }
        if rate < mempool {
            (rate, reason) = (mempool, FeeReason::MempoolMin);
        }
    }
    let required = options.min_fee.max(relay);
    if rate < required {
        (rate, reason) = (required, FeeReason::Required);
    }
    Ok(FeePlan { rate, reason, discard, dust, relay, long_term })
}
