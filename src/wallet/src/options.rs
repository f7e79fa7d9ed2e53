//! The wallet's options, read once from what the parent process sent.
//!
//! **Invariant:** a bad value is an error at start-up, never a silent default.

use bitcoin::Network;
use common::chain::Chain;
use interfaces::ProcessConfig;
use rpc::json::parse_fixed_point;

use crate::descriptor::OutputType;
use crate::fees::Rate;

/// Addresses made ahead of use, per descriptor (`-keypool`).
const DEFAULT_KEYPOOL: i64 = 1000;

/// The wallet's options.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Chain of the wallets.
    pub(crate) network: Network,
    /// Where wallets are.
    pub(crate) wallet_dir: std::path::PathBuf,
    /// `-walletdir` as given.
    pub(crate) wallet_dir_given: Option<String>,
    /// Wallets to open at start-up; `None` if nothing was said about it.
    pub(crate) wallets: Option<Vec<String>>,
    /// `-keypool`
    pub(crate) keypool: i32,
    /// `-addresstype`
    pub(crate) address_type: OutputType,
    /// `-changetype`
    pub(crate) change_type: Option<OutputType>,
    /// `-fallbackfee`; zero if off.
    pub(crate) fallback_fee: Rate,
    /// `-mintxfee`
    pub(crate) min_fee: Rate,
    /// `-discardfee`
    pub(crate) discard_fee: Rate,
    /// `-consolidatefeerate`
    pub(crate) consolidate_fee: Rate,
    /// `-maxtxfee`, satoshi.
    pub(crate) max_fee: u64,
    /// `-maxtxfee` as given.
    max_fee_given: String,
    /// `-maxapsfee`, satoshi; `None` if coins of a script are never to be spent together for it.
    pub(crate) max_aps_fee: Option<u64>,
    /// `-txconfirmtarget`
    pub(crate) confirm_target: u32,
    /// `-spendzeroconfchange`
    pub(crate) spend_unconfirmed_change: bool,
    /// `-walletrbf`
    pub(crate) signal_rbf: bool,
    /// `-walletrbf` was given, which is deprecated.
    pub(crate) signal_rbf_given: bool,
    /// `-walletbroadcast`
    pub(crate) broadcast: bool,
    /// `-walletrejectlongchains`
    pub(crate) reject_long_chains: bool,
    /// `-avoidpartialspends`
    pub(crate) avoid_partial_spends: bool,
    /// `-unsafesqlitesync`
    pub(crate) unsafe_sync: bool,
    /// `-walletcrosschain`
    pub(crate) cross_chain: bool,
    /// `-rpcdoccheck`
    pub(crate) check_results: bool,
}

/// A value that an option cannot take; the text is Bitcoin Core's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OptionError {
    /// No such chain.
    #[error("unknown chain '{0}'")]
    Chain(String),
    /// No fee rate or amount.
    #[error("Invalid amount for -{0}=<amount>: '{1}'")]
    Amount(&'static str, String),
    /// Less than the node relays.
    #[error(
        "Invalid amount for -maxtxfee=<amount>: '{0}' (must be at least the minrelay fee of {fee} BTC/kvB to prevent stuck \
         transactions)", fee = format_args!("{}.{:08}", .1.sat_per_kvb() / 100_000_000, .1.sat_per_kvb() % 100_000_000)
    )]
    MaxFee(String, Rate),
    /// No kind of address.
    #[error("Unknown {0} type '{1}'")]
    OutputType(&'static str, String),
}

impl Options {
    /// Reads the options.
    pub(crate) fn new(config: &ProcessConfig) -> Result<Self, OptionError> {
        let chain: Chain = config.chain.parse().map_err(|_| OptionError::Chain(config.chain.clone()))?;
        let settings = Settings(config);
        let output_type = |name, what| match settings.text(name).filter(|text| !text.is_empty()) {
            None => Ok(None),
            Some(text) => OutputType::from_name(text).map(Some).ok_or(OptionError::OutputType(what, text.to_owned())),
        };
        let max_fee = settings.amount("maxtxfee", 10_000_000)?;
        Ok(Options {
            network: chain.network(),
            wallet_dir: common::lossless::to_path(&config.wallet_dir),
            wallet_dir_given: settings.text("walletdir").map(str::to_owned),
            wallets: settings.values("wallet").map(<[String]>::to_vec),
            keypool: settings.int("keypool", DEFAULT_KEYPOOL).clamp(1, i64::from(i32::MAX / 4)) as i32,
            address_type: output_type("addresstype", "address")?.unwrap_or(OutputType::Bech32),
            change_type: output_type("changetype", "change")?,
            fallback_fee: settings.rate("fallbackfee", 0)?,
            min_fee: settings.rate("mintxfee", 1000)?,
            discard_fee: settings.rate("discardfee", 10_000)?,
            consolidate_fee: settings.rate("consolidatefeerate", 10_000)?,
            max_fee,
            max_fee_given: settings.text("maxtxfee").unwrap_or_default().to_owned(),
            max_aps_fee: match settings.text("maxapsfee") {
                Some("-1") => None,
                _ => Some(settings.amount("maxapsfee", 0)?),
            },
            confirm_target: settings.int("txconfirmtarget", 6).clamp(1, 1008) as u32,
            spend_unconfirmed_change: settings.bool("spendzeroconfchange", true),
            signal_rbf: settings.bool("walletrbf", true),
            signal_rbf_given: settings.values("walletrbf").is_some(),
            broadcast: settings.bool("walletbroadcast", true),
            reject_long_chains: settings.bool("walletrejectlongchains", true),
            avoid_partial_spends: settings.bool("avoidpartialspends", false),
            unsafe_sync: settings.bool("unsafesqlitesync", false),
            cross_chain: settings.bool("walletcrosschain", false),
            check_results: settings.bool("rpcdoccheck", false),
        })
    }
}

/// Fee rates above this are worth a warning, satoshi per 1000 virtual bytes.
const HIGH_RATE: Rate = Rate::from_sat_per_kvb(1_000_000);
/// A `-maxapsfee` above this is worth a warning, satoshi.
const HIGH_APS_FEE: u64 = 10_000;
/// A `-maxtxfee` above this is worth a warning, satoshi.
const HIGH_MAX_FEE: u64 = 100_000_000;

impl Options {
    /// Returns what to warn of when a wallet is opened or made, in Bitcoin Core's words and order; an error if no payment
    /// could be relayed. `relay_min` is the node's lowest rate.
    pub(crate) fn warnings(&self, relay_min: Rate) -> Result<Vec<String>, OptionError> {
        if Rate::from_sat_per_kvb(self.max_fee) < relay_min {
            return Err(OptionError::MaxFee(self.max_fee_given.clone(), relay_min));
        }
        let high = |option: &str, what: &str| format!("-{option} is set very high! {what}");
        let warnings = [
            (self.min_fee > HIGH_RATE)
                .then(|| high("mintxfee", "This is the minimum transaction fee you pay on every transaction.")),
            self.max_aps_fee.is_some_and(|fee| fee > HIGH_APS_FEE).then(|| {
                high(
                    "maxapsfee",
                    "This is the maximum transaction fee you pay (in addition to the normal fee) to prioritize partial \
                     spend avoidance over regular coin selection.",
                )
            }),
            (self.fallback_fee > HIGH_RATE).then(|| {
                high("fallbackfee", "This is the transaction fee you may pay when fee estimates are not available.")
            }),
            (self.discard_fee > HIGH_RATE).then(|| {
                high(
                    "discardfee",
                    "This is the transaction fee you may discard if change is smaller than dust at this level",
                )
            }),
            (self.max_fee > HIGH_MAX_FEE)
                .then(|| high("maxtxfee", "Fees this large could be paid on a single transaction.")),
            (relay_min > HIGH_RATE)
                .then(|| high("minrelaytxfee", "The wallet will avoid paying less than the minimum relay fee.")),
            self.signal_rbf_given
                .then(|| "-walletrbf is deprecated and will be fully removed in the next release.".to_owned()),
        ];
        Ok(warnings.into_iter().flatten().collect())
    }
}

/// Looks options up as the parent process understood them.
struct Settings<'a>(&'a ProcessConfig);

impl Settings<'_> {
    fn values(&self, name: &str) -> Option<&[String]> {
        self.0.settings.iter().rev().find(|setting| setting.name == name).map(|setting| setting.values.as_slice())
    }

    /// Most significant value; `None` if not given, the empty value of a negated option is `0`.
    fn text(&self, name: &str) -> Option<&str> {
        self.values(name).map(|values| values.last().map_or("0", String::as_str))
    }

    fn int(&self, name: &str, default: i64) -> i64 {
        self.text(name).map_or(default, |text| text.trim().parse().unwrap_or(0))
    }

    /// An option given without a value is on; any number but 0 is on, any other text is off.
    fn bool(&self, name: &str, default: bool) -> bool {
        match self.text(name) {
            None => default,
            Some("" | "true") => true,
            Some(text) => text.trim().parse::<i64>().is_ok_and(|number| number != 0),
        }
    }

    fn amount(&self, name: &'static str, default: u64) -> Result<u64, OptionError> {
        let Some(text) = self.text(name) else { return Ok(default) };
        parse_fixed_point(text, 8)
            .and_then(|amount| u64::try_from(amount).ok())
            .ok_or_else(|| OptionError::Amount(name, text.to_owned()))
    }

    fn rate(&self, name: &'static str, default: u64) -> Result<Rate, OptionError> {
        self.amount(name, default).map(Rate::from_sat_per_kvb)
    }
}

#[cfg(test)]
mod tests {
    use interfaces::Setting;

    use super::*;

    fn options(settings: &[(&str, &[&str])]) -> Result<Options, OptionError> {
        let settings = settings.iter().map(|(name, values)| Setting {
            name: (*name).to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        });
        Options::new(&ProcessConfig {
            chain: "regtest".to_owned(),
            net_datadir: "/d".to_owned(),
            wallet_dir: "/d/wallets".to_owned(),
            settings: settings.collect(),
        })
    }

    #[test]
    fn values_defaults_and_negation() {
        let plain = options(&[]).unwrap();
        assert_eq!((plain.keypool, plain.signal_rbf, plain.address_type), (1000, true, OutputType::Bech32));
        assert_eq!(plain.fallback_fee, Rate::from_sat_per_kvb(0));
        let set = options(&[
            ("keypool", &["1", "5"]),
            ("walletrbf", &[]),
            ("fallbackfee", &["0.0002"]),
            ("unsafesqlitesync", &["1"]),
            ("changetype", &["legacy"]),
            ("wallet", &["a", "b"]),
        ])
        .unwrap();
        assert_eq!((set.keypool, set.signal_rbf, set.unsafe_sync), (5, false, true));
        assert_eq!(set.fallback_fee, Rate::from_sat_per_kvb(20_000));
        assert_eq!(
            (set.change_type, set.wallets),
            (Some(OutputType::Legacy), Some(vec!["a".to_owned(), "b".to_owned()]))
        );
    }

    #[test]
    fn fees_that_cost_much_or_cannot_be_relayed() {
        let relay = Rate::from_sat_per_kvb;
        let check = |name: &str, value: &str, relay_min: u64, expected: Result<&[&str], &str>| {
            let warnings = options(&[(name, &[value])]).unwrap().warnings(relay(relay_min));
            let warnings = warnings.map_err(|error| error.to_string());
            assert_eq!(
                warnings
                    .as_ref()
                    .map(|texts| texts.iter().map(String::as_str).collect::<Vec<_>>())
                    .map_err(String::as_str),
                expected.map(<[&str]>::to_vec),
                "-{name}={value}"
            );
        };
        let lowest = "-mintxfee is set very high! This is the minimum transaction fee you pay on every transaction.";
        check("mintxfee", "0.01", 100, Ok(&[]));
        check("mintxfee", "0.01000001", 100, Ok(&[lowest]));
        let fallback = "-fallbackfee is set very high! This is the transaction fee you may pay when fee estimates are not \
                        available.";
        check("fallbackfee", "0.01", 100, Ok(&[]));
        check("fallbackfee", "0.01000001", 100, Ok(&[fallback]));
        let discard = "-discardfee is set very high! This is the transaction fee you may discard if change is smaller than \
                       dust at this level";
        check("discardfee", "0.01", 100, Ok(&[]));
        check("discardfee", "0.02", 100, Ok(&[discard]));
        let most = "-maxtxfee is set very high! Fees this large could be paid on a single transaction.";
        check("maxtxfee", "1", 100, Ok(&[]));
        check("maxtxfee", "1.00000001", 100, Ok(&[most]));
        let apart = "-maxapsfee is set very high! This is the maximum transaction fee you pay (in addition to the normal \
                     fee) to prioritize partial spend avoidance over regular coin selection.";
        check("maxapsfee", "0.0001", 100, Ok(&[]));
        check("maxapsfee", "-1", 100, Ok(&[]));
        check("maxapsfee", "0.00010001", 100, Ok(&[apart]));
        let relayed = "-minrelaytxfee is set very high! The wallet will avoid paying less than the minimum relay fee.";
        check("keypool", "1", 1_000_000, Ok(&[]));
        check("keypool", "1", 1_000_001, Ok(&[relayed]));
        let replace = "-walletrbf is deprecated and will be fully removed in the next release.";
        check("walletrbf", "1", 100, Ok(&[replace]));
        check("walletrbf", "0", 100, Ok(&[replace]));
        check("maxtxfee", "0.00001", 1000, Ok(&[]));
        check(
            "maxtxfee",
            "0.00000999",
            1000,
            Err(
                "Invalid amount for -maxtxfee=<amount>: '0.00000999' (must be at least the minrelay fee of 0.00001000 \
                 BTC/kvB to prevent stuck transactions)",
            ),
        );
    }

    #[test]
    fn bad_values_are_named() {
        let check = |name: &str, value: &str, expected: &str| {
            assert_eq!(options(&[(name, &[value])]).unwrap_err().to_string(), expected);
        };
        check("fallbackfee", "x", "Invalid amount for -fallbackfee=<amount>: 'x'");
        check("addresstype", "y", "Unknown address type 'y'");
        check("changetype", "z", "Unknown change type 'z'");
    }
}
