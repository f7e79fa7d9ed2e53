//! Transactions over time: conflicts, reorganisations, restarts, and how all that is shown.

use bitcoin::{ScriptBuf, Transaction, TxOut};
use serde_json::{Value, json};

use super::{AWAY, Bench};

/// Returns a transaction that spends one input of another, to nobody. Its signatures are for another transaction; blocks
/// of the fake chain do not mind.
fn spending(tx: &Transaction, input: usize) -> Transaction {
    let mut other = tx.clone();
    other.input = vec![tx.input[input].clone()];
    other.output = vec![TxOut { value: tx.output[0].value, script_pubkey: ScriptBuf::new() }];
    other
}

fn confirmations(bench: &Bench, tx: &Transaction) -> Value {
    bench.call("w", "gettransaction", json!([tx.compute_txid().to_string()]))["confirmations"].clone()
}

#[test]
fn a_payment_stays_conflicted_until_the_first_block_against_it_is_gone() {
    let mut bench = Bench::with_coins(2);
    bench.call("w", "sendtoaddress", json!([AWAY, 75]));
    let payment = bench.chain.mempool().remove(0);
    bench.chain.empty_mempool();
    assert_eq!(payment.input.len(), 2);
    bench.chain.mine_with(AWAY, vec![spending(&payment, 0)]);
    bench.chain.mine_with(AWAY, vec![spending(&payment, 1)]);
    bench.chain.deliver();
    assert_eq!(confirmations(&bench, &payment), json!(-2), "since the first of the two blocks");
    bench.restart(&["w"]);
    assert_eq!(confirmations(&bench, &payment), json!(-2), "found again in the file");
    bench.chain.undo(false);
    bench.chain.deliver();
    assert_eq!(confirmations(&bench, &payment), json!(-1), "the first block is still there");
    bench.chain.undo(false);
    bench.chain.deliver();
    assert_eq!(confirmations(&bench, &payment), json!(0));
}

#[test]
fn what_spends_from_a_conflicted_payment_is_conflicted_with_it() {
    let bench = Bench::with_coins(1);
    let own = bench.address("w", "bech32");
    bench.call("w", "sendtoaddress", json!([own, 20]));
    bench.call("w", "sendtoaddress", json!([AWAY, 45]));
    let mempool = bench.chain.mempool();
    let [parent, child] = &mempool[..] else { panic!("{} transactions", mempool.len()) };
    bench.chain.empty_mempool();
    bench.chain.mine_with(AWAY, vec![spending(parent, 0)]);
    bench.chain.mine_with(AWAY, Vec::new());
    bench.chain.deliver();
    for tx in [parent, child] {
        assert_eq!(confirmations(&bench, tx), json!(-2));
    }
    assert_eq!(bench.balances("w")[0], "0.00000000");
    bench.chain.undo(false);
    bench.chain.undo(false);
    bench.chain.deliver();
    for tx in [parent, child] {
        assert_eq!(confirmations(&bench, tx), json!(0));
    }
}

#[test]
fn a_restart_without_news_changes_nothing() {
    let mut bench = Bench::with_coins(2);
    bench.call("w", "sendtoaddress", json!([AWAY, 1]));
    bench.mine(2, AWAY);
    let list = |bench: &Bench| bench.call("w", "listtransactions", json!(["*", 100]));
    let (before, balances) = (list(&bench), bench.balances("w"));
    bench.restart(&["w"]);
    assert_eq!(list(&bench), before);
    assert_eq!(bench.balances("w"), balances);
}

#[test]
fn a_block_that_left_the_chain_while_no_wallet_ran_confirms_nothing() {
    let mut bench = Bench::with_coins(1);
    let own = bench.address("w", "bech32");
    bench.mine(1, &own);
    let list = bench.call("w", "listtransactions", json!(["*", 1]));
    assert_eq!(list[0]["category"], "immature");
    bench.restart(&[]);
    bench.chain.undo(false);
    bench.mine(1, AWAY);
    bench.restart(&["w"]);
    let shown = bench.call("w", "gettransaction", json!([list[0]["txid"]]));
    assert_eq!((&shown["confirmations"], &shown["details"][0]["category"]), (&json!(0), &json!("orphan")));
    assert_eq!(shown["details"][0]["abandoned"], json!(true));
    assert_eq!(bench.balances("w"), ["50.00000000", "0.00000000", "0.00000000"]);
}

#[test]
fn amounts_and_fees_are_negative_for_who_pays() {
    let bench = Bench::with_coins(1);
    bench.call("", "createwallet", json!(["other"]));
    let other = bench.address("other", "bech32");
    let txid = bench.call("w", "sendtoaddress", json!([other, 10]));
    let tx = bench.chain.mempool().remove(0);
    let out: u64 = tx.output.iter().map(|output| output.value.to_sat()).sum();
    let fee = format!("-0.{:08}", 5_000_000_000 - out);
    let sent = bench.call("w", "gettransaction", json!([txid]));
    assert_eq!((sent["amount"].to_string(), sent["fee"].to_string()), ("-10.00000000".to_owned(), fee.clone()));
    let [detail] = &sent["details"].as_array().unwrap()[..] else { panic!("{sent}") };
    for entry in [detail, &bench.call("w", "listtransactions", json!(["*", 1]))[0]] {
        assert_eq!(entry["category"], "send");
        assert_eq!((entry["amount"].to_string(), entry["fee"].to_string()), ("-10.00000000".to_owned(), fee.clone()));
        assert_eq!(entry["address"], json!(other));
        assert_eq!(entry["abandoned"], json!(false));
    }
    let received = bench.call("other", "gettransaction", json!([txid]));
    assert_eq!((received["amount"].to_string(), received.get("fee")), ("10.00000000".to_owned(), None));
    let [detail] = &received["details"].as_array().unwrap()[..] else { panic!("{received}") };
    assert_eq!((&detail["category"], detail["amount"].to_string()), (&json!("receive"), "10.00000000".to_owned()));
    assert_eq!(detail.get("fee"), None);
    // To oneself: both sides are shown, and the balance lost the fee alone.
    let own = bench.address("w", "bech32");
    let txid = bench.call("w", "sendtoaddress", json!([own, 1]));
    let shown = bench.call("w", "gettransaction", json!([txid]));
    assert_eq!(shown["amount"].to_string(), "0.00000000");
    let sides: Vec<_> = shown["details"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["category"].clone(), it["amount"].to_string()))
        .collect();
    assert_eq!(
        sides,
        [("send", "-1.00000000"), ("receive", "1.00000000")].map(|(side, amount)| (json!(side), amount.to_owned()))
    );
}

/// A wallet with a payment in the last block, which leaves the chain right after a call of the node was answered.
fn block_leaves_after(call: &'static str, act: impl FnOnce(&mut Bench)) {
    let mut bench = Bench::with_coins(1);
    bench.call("w", "sendtoaddress", json!([AWAY, 1]));
    let payment = bench.chain.mempool().remove(0);
    bench.chain.mine(AWAY);
    bench.chain.deliver();
    assert_eq!(confirmations(&bench, &payment), json!(1));
    bench.chain.meanwhile(call, |chain| {
        chain.undo(true);
        chain.deliver();
    });
    act(&mut bench);
    let shown = bench.call("w", "gettransaction", json!([payment.compute_txid().to_string()]));
    assert_eq!((&shown["confirmations"], shown.get("blockhash")), (&json!(0), None));
    let last = || bench.call("w", "getwalletinfo", Value::Null)["lastprocessedblock"]["height"].clone();
    assert_eq!(last(), json!(101));
    bench.mine(1, AWAY);
    assert_eq!(confirmations(&bench, &payment), json!(1));
    assert_eq!(last(), json!(102));
}

#[test]
fn a_block_that_leaves_the_chain_during_a_search_confirms_nothing() {
    block_leaves_after("scan", |bench| drop(bench.call("w", "rescanblockchain", json!([99]))));
}

#[test]
fn a_block_that_leaves_the_chain_while_the_wallet_is_opened_confirms_nothing() {
    block_leaves_after("status", |bench| bench.restart(&["w"]));
    block_leaves_after("scan", |bench| {
        // As after a crash: the file does not know of the last blocks.
        let known = bench.chain.locator_at(99);
        bench.wallet("w").state().commit(vec![crate::records::Change::BestBlock(known)]).unwrap();
        bench.restart(&["w"]);
    });
}
