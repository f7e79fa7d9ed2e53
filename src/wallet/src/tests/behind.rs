//! A wallet that could not take in news of the chain: what it says and refuses meanwhile, and how it comes back.

use serde_json::{Value, json};

use super::fake::Fault;
use super::{AWAY, Bench, eventually};

fn info(bench: &Bench) -> Value {
    bench.call("w", "getwalletinfo", Value::Null)
}

fn height(bench: &Bench) -> Value {
    info(bench)["lastprocessedblock"]["height"].clone()
}

/// Has a block fail that pays the wallet, and checks what the wallet makes of it.
fn check(fault: Fault, reason: &str) {
    let bench = Bench::with_coins(1);
    let own = bench.address("w", "bech32");
    let before = bench.balances("w");
    *bench.chain.fault.lock().unwrap() = fault;
    bench.chain.mine(&own);
    let errors = bench.chain.try_deliver();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].contains(&format!("cannot take in a block: {reason}")), "{errors:?}");
    let expected = format!("the wallet is behind the chain and tries to catch up: cannot take in a block: {reason}");
    let warning = info(&bench)["warnings"][0].as_str().unwrap().to_owned();
    assert!(warning.starts_with(&expected), "{warning}");
    eventually("the node shows the warning", || bench.chain.raised() == [format!("wallet \"w\": {warning}")]);
    assert_eq!(height(&bench), json!(101));
    // Later news are left for the way back: no block is seen before the one that is missing.
    bench.mine(2, AWAY);
    assert_eq!(height(&bench), json!(101));
    // A payment could spend what a block that was missed has spent already.
    bench.refused("w", "sendtoaddress", json!([AWAY, 1]), -4, "the wallet is behind the chain");
    *bench.chain.fault.lock().unwrap() = Fault::None;
    eventually("the wallet follows", || info(&bench).get("warnings").is_none());
    eventually("the node shows the warning no more", || bench.chain.raised().is_empty());
    assert_eq!(height(&bench), json!(104));
    assert_eq!(bench.balances("w"), [before[0].as_str(), "0.00000000", "50.00000000"]);
    bench.call("w", "sendtoaddress", json!([AWAY, 1]));
    bench.mine(1, &own);
    assert_eq!(height(&bench), json!(105));
}

#[test]
fn an_error_in_news_is_made_good() {
    check(Fault::Error, "");
}

#[test]
fn a_panic_in_news_is_made_good() {
    check(Fault::Panic, "internal error");
}

#[test]
fn a_crash_while_behind_loses_no_block() {
    let mut bench = Bench::with_coins(1);
    let own = bench.address("w", "bech32");
    *bench.chain.fault.lock().unwrap() = Fault::Error;
    bench.chain.mine(&own);
    assert_eq!(bench.chain.try_deliver().len(), 1);
    *bench.chain.fault.lock().unwrap() = Fault::None;
    // What comes from here on would be recorded if it were taken in.
    bench.mine(1, &own);
    bench.restart(&["w"]);
    assert_eq!(info(&bench).get("warnings"), None);
    assert_eq!(bench.balances("w"), ["50.00000000", "0.00000000", "100.00000000"]);
}

#[test]
fn what_left_the_mempool_meanwhile_is_found_out() {
    let bench = Bench::with_coins(2);
    let own = bench.address("w", "bech32");
    bench.call("w", "sendtoaddress", json!([own, 60]));
    let paid = bench.chain.mempool().remove(0);
    let txid = json!([paid.compute_txid().to_string()]);
    *bench.chain.fault.lock().unwrap() = Fault::Error;
    bench.chain.mine_with(&own, Vec::new());
    assert_eq!(bench.chain.try_deliver().len(), 1);
    // The wallet does not hear that another transaction took the place of its own.
    let mut other = paid;
    other.output.truncate(1);
    bench.chain.replace(&other);
    bench.chain.deliver();
    assert_eq!(bench.call("w", "gettransaction", txid.clone())["trusted"], json!(true));
    *bench.chain.fault.lock().unwrap() = Fault::None;
    eventually("the wallet follows", || info(&bench).get("warnings").is_none());
    let shown = bench.call("w", "gettransaction", txid);
    assert_eq!(shown["trusted"], json!(false));
    assert_eq!(shown["mempoolconflicts"], json!([other.compute_txid().to_string()]));
}

#[test]
fn a_closed_wallet_does_not_come_back() {
    let bench = Bench::with_coins(1);
    let wallet = bench.wallet("w");
    bench.call("w", "unloadwallet", Value::Null);
    wallet.fall_behind("news after the end".to_owned());
    assert_eq!(wallet.state().behind.reason, None);
}

#[test]
fn an_unloaded_wallet_is_warned_of_no_more() {
    let bench = Bench::with_coins(1);
    let own = bench.address("w", "bech32");
    *bench.chain.fault.lock().unwrap() = Fault::Error;
    bench.chain.mine(&own);
    assert_eq!(bench.chain.try_deliver().len(), 1);
    eventually("the node shows the warning", || bench.chain.raised().len() == 1);
    bench.call("w", "unloadwallet", json!([]));
    assert_eq!(bench.chain.raised(), [""; 0]);
}
