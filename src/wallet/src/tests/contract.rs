//! The contracts of the wallet's interfaces, on the real thing. They run on other implementations elsewhere.

use serde_json::json;

use super::Bench;

#[test]
fn a_wallet_side_without_wallets() {
    testing::contract::wallet_loader(&Bench::new().loader);
}

#[test]
fn a_wallet_with_coins() {
    let bench = Bench::new();
    bench.call("", "createwallet", json!(["funded"]));
    let address = bench.address("funded", "bech32");
    bench.mine(105, &address);
    let wallets = bench.loader.wallets().unwrap();
    testing::contract::wallet(&wallets[0]);
}
