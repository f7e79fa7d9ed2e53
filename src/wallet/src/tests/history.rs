//! Transactions over time: conflicts, reorganisations, restarts, and how all that is shown.

use std::sync::atomic::Ordering;

use bitcoin::{ScriptBuf, Transaction, TxOut};
use interfaces::Chain;
use serde_json::{Value, json};

use super::{AWAY, Bench};
use crate::records::TxState;
use crate::state::Tip;
use crate::wallet::follow::locator_of;

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
    // Another block in its place has nothing against the payment.
    bench.chain.mine_with(AWAY, Vec::new());
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
    (0..3).for_each(|_| bench.chain.mine_with(AWAY, Vec::new()));
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

/// A wallet whose file has a payment in a block of a branch that no node knows any more, and a later block of this chain as the
/// last one. The payment is in block 102, the tip is block 103.
fn searched_another_branch() -> (Bench, Transaction) {
    let bench = Bench::with_coins(1);
    bench.call("w", "sendtoaddress", json!([AWAY, 1]));
    let payment = bench.chain.mempool().remove(0);
    let own = bench.address("w", "bech32");
    let tip = || bench.chain.status().unwrap().tip.hash;
    bench.mine(1, AWAY);
    let first = tip();
    bench.mine(1, &own);
    let second = tip();
    // The node goes over to another branch, of which a search hears before the wallet does.
    bench.chain.meanwhile("status", |chain| {
        (0..2).for_each(|_| chain.undo(true));
        chain.mine(AWAY);
    });
    bench.call("w", "rescanblockchain", json!([99]));
    let searched = bench.wallet("w").state().txs[&payment.compute_txid()].state;
    assert!(matches!(searched, TxState::Confirmed { block, .. } if block == tip()), "{searched:?}");
    // Both are killed, and the node is where it was.
    bench.chain.undo(false);
    [first, second].into_iter().for_each(|hash| bench.chain.redo(hash));
    (bench, payment)
}

#[test]
fn a_payment_in_a_block_off_the_chain_is_searched_for() {
    let (mut bench, payment) = searched_another_branch();
    bench.restart(&["w"]);
    assert_eq!(confirmations(&bench, &payment), json!(2));
    bench.chain.meanwhile("scan", |_| panic!("the file has where it is"));
    bench.restart(&["w"]);
    assert_eq!(confirmations(&bench, &payment), json!(2));
}

#[test]
fn pruned_blocks_do_not_keep_a_wallet_closed_that_has_a_payment_off_the_chain() {
    let (mut bench, payment) = searched_another_branch();
    bench.chain.first_stored.store(103, Ordering::SeqCst);
    for _ in 0..2 {
        bench.restart(&["w"]);
        assert_eq!(confirmations(&bench, &payment), json!(0));
    }
    assert!(matches!(bench.wallet("w").state().txs[&payment.compute_txid()].state, TxState::Inactive { .. }));
}

#[test]
fn a_payment_is_untrusted_while_another_takes_its_place_in_the_mempool() {
    let bench = Bench::with_coins(1);
    let txid = bench.call("w", "sendtoaddress", json!([AWAY, 1]));
    let payment = bench.chain.mempool().remove(0);
    let other = spending(&payment, 0);
    let shown = || {
        let shown = bench.call("w", "gettransaction", json!([txid]));
        (shown["trusted"].clone(), shown["mempoolconflicts"].clone())
    };
    bench.chain.deliver();
    assert_eq!(shown(), (json!(true), json!([])));
    bench.chain.replace(&other);
    assert_eq!(shown(), (json!(false), json!([other.compute_txid().to_string()])));
    bench.chain.replace(&payment);
    assert_eq!(shown(), (json!(true), json!([])));
    // A block that has the other one settles it.
    bench.chain.replace(&other);
    bench.mine(1, AWAY);
    let settled = bench.call("w", "gettransaction", json!([txid]));
    assert_eq!((&settled["confirmations"], &settled["mempoolconflicts"]), (&json!(-1), &json!([])));
    assert_eq!(settled["walletconflicts"], json!([other.compute_txid().to_string()]));
}

#[test]
fn blocks_are_shown_with_their_time() {
    let mut bench = Bench::with_coins(1);
    let txid = bench.call("w", "sendtoaddress", json!([AWAY, 1]));
    bench.mine(1, AWAY);
    let block = bench.chain.status().unwrap().tip;
    for _ in 0..2 {
        let shown = bench.call("w", "gettransaction", json!([txid]));
        assert_eq!(shown["blocktime"], json!(block.time));
        assert_eq!((&shown["blockheight"], &shown["blockhash"]), (&json!(102), &json!(block.hash.to_string())));
        bench.restart(&["w"]);
    }
    // A block that the wallet never met is asked for.
    bench.wallet("w").state().block_times.clear();
    assert_eq!(bench.call("w", "gettransaction", json!([txid]))["blocktime"], json!(block.time));
}

#[test]
fn a_conflicted_payment_to_oneself_is_received_by_nobody() {
    let bench = Bench::with_coins(1);
    let own = bench.address("w", "bech32");
    let txid = bench.call("w", "sendtoaddress", json!([own, 1]));
    let payment = bench.chain.mempool().remove(0);
    let sides = || {
        let shown = bench.call("w", "gettransaction", json!([txid]));
        let details = shown["details"].as_array().unwrap().clone();
        details.iter().map(|entry| entry["category"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(sides(), ["send", "receive"]);
    bench.chain.empty_mempool();
    bench.chain.mine_with(AWAY, vec![spending(&payment, 0)]);
    bench.chain.deliver();
    assert_eq!(sides(), ["send"]);
}

#[test]
fn how_far_the_chain_was_followed_is_recorded() {
    let bench = Bench::with_coins(1);
    let own = bench.address("w", "bech32");
    let recorded = || bench.wallet("w").state().best_block.first().copied();
    let tip = || Some(bench.chain.status().unwrap().tip.hash);
    bench.mine(1, &own);
    assert_eq!(recorded(), tip(), "the block has a transaction of the wallet");
    bench.mine(1, AWAY);
    assert_ne!(recorded(), tip(), "nothing happened");
    bench.chain.flush();
    bench.chain.deliver();
    assert_eq!(recorded(), tip());
    // Every 144 blocks, whatever is in them.
    bench.mine(144 - 103, AWAY);
    assert_eq!(recorded(), tip());
    bench.mine(1, AWAY);
    bench.call("w", "unloadwallet", Value::Null);
    bench.call("", "loadwallet", json!(["w"]));
    assert_eq!(recorded(), tip());
}

#[test]
fn a_locator_starts_where_the_wallet_is() {
    let bench = Bench::new();
    bench.mine(199, AWAY);
    let chain = &*bench.chain;
    let hash = |height: u32| chain.block_at(height).unwrap().unwrap().hash;
    let check = |height: u32, expected: &[u32]| {
        let locator = locator_of(chain, Tip { hash: hash(height), height }).unwrap();
        let heights: Vec<u32> =
            locator.into_iter().map(|hash| chain.find_block(hash).unwrap().unwrap().height).collect();
        assert_eq!(heights, expected, "at {height}");
    };
    let top: Vec<u32> = (189..=199).rev().chain([188, 186, 182, 174, 158, 126, 62, 0]).collect();
    check(199, &top);
    check(195, &top[4..]);
    check(188, &top[11..]);
    check(187, &[187, 186, 182, 174, 158, 126, 62, 0]);
    check(158, &[158, 126, 62, 0]);
    check(157, &[157, 126, 62, 0]);
    check(1, &[1, 0]);
    check(0, &[0]);
}
