//! Rows: wallets.

use super::Category::{Wallet, WalletDebugTest};
use super::{DAEMONS, Opt, flag, opt};

pub(super) static ROWS: &[Opt] = &[
    opt("addresstype", "", DAEMONS, Wallet, "Kind of new addresses: legacy, p2sh-segwit, bech32 or bech32m").str("bech32"),
    flag("avoidpartialspends", DAEMONS, Wallet, "Spend all coins of an address together").bool(false),
    opt("changetype", "", DAEMONS, Wallet, "Kind of change addresses: legacy, p2sh-segwit, bech32 or bech32m (fits the payment unless given)"),
    opt("consolidatefeerate", "=<amt>", DAEMONS, Wallet, "Fee rate, in BTC/kvB, below which coins are combined").str("0.0001"),
    flag("disablewallet", DAEMONS, Wallet, "Do not load wallets nor offer wallet commands").bool(false),
    opt("discardfee", "=<amt>", DAEMONS, Wallet, "Fee rate, in BTC/kvB, at which change not worth spending goes to the fee").str("0.0001"),
    opt("fallbackfee", "=<amt>", DAEMONS, Wallet, "Fee rate, in BTC/kvB, where no estimate is to be had (0 = refuse)").str("0.00"),
    opt("keypool", "=<n>", DAEMONS, Wallet, "Unused scripts to watch ahead per descriptor").int(1000),
    opt("maxapsfee", "=<n>", DAEMONS, Wallet, "Additional fee, in BTC, allowed for avoiding partial spends").str("0.00"),
    opt("mintxfee", "=<amt>", DAEMONS, Wallet, "Lowest fee rate, in BTC/kvB, of wallet transactions").str("0.00001"),
    opt("signer", "=<cmd>", DAEMONS, Wallet, "External signing tool").refused_unless_empty("no external signer would be asked to sign"),
    flag("spendzeroconfchange", DAEMONS, Wallet, "Spend unconfirmed change").bool(true),
    opt("txconfirmtarget", "=<n>", DAEMONS, Wallet, "Blocks within which transactions should confirm unless told otherwise").int(6),
    opt("wallet", "=<path>", DAEMONS, Wallet, "Load this wallet at start (-nowallet for none); relative to -walletdir; may be given several times").multi().network_only(),
    flag("walletbroadcast", DAEMONS, Wallet, "Broadcast wallet transactions").bool(true),
    opt("walletdir", "=<dir>", DAEMONS, Wallet, "Directory of the wallets (wallets in the data directory of the chain unless given)").path("").network_only(),
    opt("walletnotify", "=<cmd>", DAEMONS, Wallet, "Run <cmd> when a wallet transaction changes; %s stands for its id, %w the wallet, %b the block hash, %h the height").refused_unless_empty("the command would not be run"),
    flag("walletrbf", DAEMONS, Wallet, "Signal replaceability").bool(true),
    flag("unsafesqlitesync", DAEMONS, WalletDebugTest, "Do not wait for the disk when writing wallets: fast, and unsafe").bool(false).debug(),
    flag("walletrejectlongchains", DAEMONS, WalletDebugTest, "Do not make transactions the mempool would refuse for their unconfirmed relatives").bool(true).debug(),
    flag("walletcrosschain", DAEMONS, WalletDebugTest, "Open wallets of another chain").bool(false).debug(),
];
