//! Payments: every kind of coin, fees, what the wallet shows of them, and what survives the end of the process.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::Bench;

/// A wallet with one mature coin of 50 BTC on an address of this kind.
fn funded(kind: &str) -> Bench {
    let bench = Bench::new();
    bench.call("", "createwallet", json!(["w"]));
    bench.call("", "createwallet", json!(["other"]));
    bench.mine(1, &bench.address("w", kind));
    bench.mine(100, &bench.address("other", "bech32"));
    assert_eq!(bench.balances("w"), ["50.00000000", "0.00000000", "0.00000000"]);
    bench
}

#[test]
fn every_kind_of_coin_is_spent_with_valid_signatures() {
    for kind in ["legacy", "p2sh-segwit", "bech32", "bech32m"] {
        for to in ["legacy", "p2sh-segwit", "bech32", "bech32m"] {
            let bench = funded(kind);
            let address = bench.address("other", to);
            let txid = bench.call("w", "sendtoaddress", json!([address, 10, "for tea", "Ann"]));
            // The fake mempool accepts correctly signed transactions only.
            assert_eq!(bench.chain.mempool().len(), 1, "{kind} to {to}");
            let shown = bench.call("w", "gettransaction", json!([txid, null, true]));
            assert_eq!(shown["amount"].to_string(), "-10.00000000");
            assert_eq!((&shown["comment"], &shown["to"]), (&json!("for tea"), &json!("Ann")));
            let (fee, vsize) = (shown["fee"].to_string(), shown["decoded"]["vsize"].as_u64().unwrap());
            let paid = (fee.parse::<f64>().unwrap() * -1e8).round() as u64;
            // 20 satoshi per virtual byte, of a size known to within a signature byte per input.
            assert!((vsize * 20..=(vsize + 1) * 20).contains(&paid), "{paid} for {vsize}");
            let bench_balance = bench.balances("other");
            assert_eq!(bench_balance[1], "10.00000000");
        }
    }
}

#[test]
fn a_payment_confirms_and_is_undone_by_a_reorganisation() {
    let bench = funded("bech32");
    let other = bench.address("other", "bech32");
    let txid = bench.call("w", "sendtoaddress", json!([other, 10]));
    let change = bench.balances("w");
    assert!(change[0].starts_with("39.999"), "unconfirmed change is trusted: {change:?}");
    bench.mine(1, &other);
    let confirmed = bench.call("w", "gettransaction", json!([txid]));
    assert_eq!((&confirmed["confirmations"], &confirmed["blockindex"]), (&json!(1), &json!(1)));
    bench.chain.undo(true);
    bench.chain.deliver();
    let undone = bench.call("w", "gettransaction", json!([txid]));
    assert_eq!((&undone["confirmations"], &undone["trusted"]), (&json!(0), &json!(true)));
    assert_eq!(bench.balances("w"), change);
    bench.mine(2, &other);
    assert_eq!(bench.call("w", "gettransaction", json!([txid]))["confirmations"], json!(2));
}

#[test]
fn what_a_crash_interrupts_is_finished_at_the_next_start() {
    let mut bench = funded("bech32m");
    let other = bench.address("other", "bech32");
    bench.chain.deaf.store(true, Ordering::SeqCst);
    let txid = bench.call("w", "sendtoaddress", json!([other, 1]));
    assert!(bench.chain.mempool().is_empty());
    bench.chain.deaf.store(false, Ordering::SeqCst);
    bench.restart(&["w", "other"]);
    assert_eq!(json!(bench.chain.mempool()[0].compute_txid().to_string()), txid);
    let balances = bench.balances("w");
    assert!(balances[0].starts_with("48.999"), "{balances:?}");
    assert_eq!(bench.balances("other")[1], "1.00000000");
    // Blocks that came while no wallet ran are caught up with.
    bench.restart(&[]);
    bench.mine(3, &other);
    bench.restart(&["w", "other"]);
    assert_eq!(bench.call("w", "gettransaction", json!([txid]))["confirmations"], json!(3));
    assert_eq!(bench.balances("w"), balances);
    // A reorganisation while no wallet ran as well.
    bench.restart(&[]);
    (0..3).for_each(|_| bench.chain.undo(false));
    bench.chain.empty_mempool();
    bench.restart(&["w"]);
    assert_eq!(bench.call("w", "gettransaction", json!([txid]))["confirmations"], json!(0));
    assert_eq!(bench.chain.mempool().len(), 1, "offered again");
}

#[test]
fn refusals_have_cores_codes_and_texts() {
    let bench = funded("bech32");
    let other = bench.address("other", "bech32");
    let check = |params: Value, code, text: &str| bench.refused("w", "sendtoaddress", params, code, text);
    check(json!([other, 60]), -6, "Insufficient funds");
    check(json!([other, 50]), -6, "The total exceeds your balance when the");
    check(json!([other, 0.00000001]), -6, "Transaction amount too small");
    check(json!([other, 0]), -6, "Transaction amount too small");
    check(json!([other, -1]), -3, "Amount out of range");
    check(json!(["nonsense", 1]), -5, "Invalid Bitcoin address: nonsense");
    check(json!({"address": other, "amount": 1, "fee_rate": 0.5}), -6, "is lower than the minimum fee rate setting");
    check(json!({"address": other, "amount": 1, "fee_rate": 100_000}), -6, "Fee exceeds maximum configured by user");
    check(
        json!({"address": other, "amount": 1, "fee_rate": 1, "conf_target": 2}),
        -8,
        "Cannot specify both conf_target and fee_rate",
    );
    check(json!({"address": other, "amount": 1, "avoid_reuse": true}), -4, "avoid reuse");
    bench.refused("nobody", "getbalance", Value::Null, -18, "Requested wallet does not exist or is not loaded");
    assert!(bench.chain.mempool().is_empty());
}

#[test]
fn the_recipient_can_pay_the_fee() {
    let bench = funded("bech32");
    let other = bench.address("other", "bech32");
    let all = json!({"address": other, "amount": 50, "subtractfeefromamount": true, "fee_rate": 2, "verbose": true});
    let sent = bench.call("w", "sendtoaddress", all);
    assert_eq!(sent["fee_reason"], json!("None"));
    assert_eq!(bench.balances("w")[0], "0.00000000");
    let tx = &bench.chain.mempool()[0];
    assert_eq!(tx.output.len(), 1);
    assert!(tx.input[0].sequence.is_rbf());
    let fee = 5_000_000_000 - tx.output[0].value.to_sat();
    assert!((tx.vsize() as u64 * 2..=tx.vsize() as u64 * 2 + 2).contains(&fee), "{fee}");
}

#[test]
fn locked_coins_are_not_spent_and_stay_locked_if_so_wished() {
    let mut bench = funded("bech32");
    let coin = bench.call("w", "listunspent", Value::Null)[0].clone();
    let outputs = json!([{"txid": coin["txid"], "vout": coin["vout"]}]);
    bench.call("w", "lockunspent", json!([false, outputs, true]));
    assert_eq!(bench.call("w", "listlockunspent", Value::Null), outputs);
    let other = bench.address("other", "bech32");
    bench.refused("w", "sendtoaddress", json!([other, 1]), -6, "Insufficient funds");
    bench.restart(&["w"]);
    assert_eq!(bench.call("w", "listlockunspent", Value::Null), outputs);
    bench.refused("w", "lockunspent", json!([false, outputs]), -8, "Invalid parameter, output already locked");
    bench.call("w", "lockunspent", json!([true, outputs]));
    bench.restart(&["w"]);
    assert_eq!(bench.call("w", "listlockunspent", Value::Null), json!([]));
    let unknown = json!([{"txid": "00".repeat(32), "vout": 0}]);
    bench.refused("w", "lockunspent", json!([false, unknown]), -8, "Invalid parameter, unknown transaction");
}

#[test]
fn transactions_are_listed_oldest_first() {
    let bench = funded("bech32");
    let other = bench.call("other", "getnewaddress", json!(["shop"]));
    bench.call("w", "sendtoaddress", json!([other, 1]));
    bench.call("w", "sendtoaddress", json!([other, 2]));
    let list = bench.call("w", "listtransactions", Value::Null);
    let shown: Vec<_> =
        list.as_array().unwrap().iter().map(|entry| (entry["category"].clone(), entry["amount"].to_string())).collect();
    let expected = [("generate", "50.00000000"), ("send", "-1.00000000"), ("send", "-2.00000000")];
    assert_eq!(shown, expected.map(|(category, amount)| (json!(category), amount.to_owned())));
    let labelled = bench.call("other", "listtransactions", json!(["shop"]));
    assert_eq!(labelled.as_array().unwrap().len(), 2);
    assert_eq!(bench.call("w", "listtransactions", json!(["*", 1, 1])).as_array().unwrap().len(), 1);
    bench.refused("w", "listtransactions", json!(["*", -1]), -8, "Negative count");
}

#[test]
fn a_transaction_can_be_given_up() {
    let mut bench = funded("bech32");
    let other = bench.address("other", "bech32");
    bench.chain.deaf.store(true, Ordering::SeqCst);
    let txid = bench.call("w", "sendtoaddress", json!([other, 1]));
    assert_eq!(bench.balances("w")[0], "50.00000000", "spent outside the mempool only");
    let mine = bench.call("w", "getbalances", Value::Null)["mine"]["nonmempool"].to_string();
    assert_eq!(mine, "-50.00000000");
    bench.call("w", "abandontransaction", json!([txid]));
    bench.chain.deaf.store(false, Ordering::SeqCst);
    bench.restart(&["w"]);
    assert!(bench.chain.mempool().is_empty(), "not offered again");
    assert_eq!(bench.call("w", "getbalances", Value::Null)["mine"]["nonmempool"].to_string(), "0.00000000");
    bench.refused("w", "abandontransaction", json!(["00".repeat(32)]), -5, "Invalid or non-wallet transaction id");
}
