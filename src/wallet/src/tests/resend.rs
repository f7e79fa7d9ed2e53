//! When unconfirmed payments are offered again, and which.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bitcoin::Txid;
use serde_json::{Value, json};

use super::{AWAY, Bench, eventually};
use crate::resend::next_resend;
use crate::wallet::Wallet;

const HOUR: i64 = 60 * 60;

/// Pays; returns the transaction.
fn pay(bench: &Bench, amount: u32) -> Txid {
    let txid = bench.call("w", "sendtoaddress", json!([AWAY, amount]));
    txid.as_str().unwrap().parse().unwrap()
}

/// Makes a payment an old one: received so many seconds before the last block.
fn age(wallet: &Wallet, txid: Txid, seconds: i64) {
    let mut state = wallet.state();
    let received = u32::try_from(state.last_block_time - seconds).unwrap();
    state.txs.get_mut(&txid).unwrap().time_received = received;
}

/// Makes it time to offer payments, and returns what is offered.
fn offered(bench: &Bench, wallet: &Arc<Wallet>) -> Vec<Txid> {
    bench.chain.take_offers();
    wallet.resend_if_due(wallet.next_resend.load(Ordering::SeqCst)).unwrap();
    bench.chain.take_offers()
}

#[test]
fn attempts_are_half_a_day_to_a_day_and_a_half_apart() {
    for _ in 0..1000 {
        assert!((12 * HOUR..36 * HOUR).contains(&(next_resend(1_000_000) - 1_000_000)));
    }
    let bench = Bench::with_coins(1);
    let wallet = bench.wallet("w");
    let now = common::clock::now();
    let first = wallet.next_resend.load(Ordering::SeqCst);
    assert!((now + 11 * HOUR..now + 36 * HOUR).contains(&first));
    wallet.resend_if_due(first - 1).unwrap();
    assert_eq!(wallet.next_resend.load(Ordering::SeqCst), first, "nothing happens before its time");
    wallet.resend_if_due(first).unwrap();
    assert!((first + 12 * HOUR..first + 36 * HOUR).contains(&wallet.next_resend.load(Ordering::SeqCst)));
}

#[test]
fn payments_that_a_block_should_have_had_are_offered_parents_first() {
    let bench = Bench::with_coins(3);
    let (old, new) = (pay(&bench, 40), pay(&bench, 40));
    let child = pay(&bench, 65);
    bench.chain.mine_with(AWAY, Vec::new());
    bench.chain.deliver();
    let wallet = bench.wallet("w");
    assert_eq!(offered(&bench, &wallet), [], "a block may come sooner than a payment gets around");
    age(&wallet, old, 300);
    age(&wallet, child, 300);
    age(&wallet, new, 299);
    assert_eq!(offered(&bench, &wallet), [old, child]);
    bench.mine(1, AWAY);
    assert_eq!(offered(&bench, &wallet), [], "all are in a block");
}

#[test]
fn what_can_never_confirm_is_not_offered() {
    let bench = Bench::with_coins(2);
    bench.chain.deaf.store(true, Ordering::SeqCst);
    let (given_up, kept) = (pay(&bench, 1), pay(&bench, 2));
    bench.chain.deaf.store(false, Ordering::SeqCst);
    bench.call("w", "abandontransaction", json!([given_up.to_string()]));
    let wallet = bench.wallet("w");
    // The block of a coinbase that left the chain takes the coinbase with it.
    bench.mine(1, &bench.address("w", "bech32"));
    bench.chain.undo(false);
    bench.mine(1, AWAY);
    let all: Vec<Txid> = wallet.state().txs.keys().copied().collect();
    all.into_iter().for_each(|txid| age(&wallet, txid, HOUR));
    assert_eq!(offered(&bench, &wallet), [kept]);
}

#[test]
fn nothing_is_offered_while_the_node_or_the_wallet_is_not_there() {
    let bench = Bench::with_coins(1);
    let payment = pay(&bench, 1);
    bench.chain.mine_with(AWAY, Vec::new());
    bench.chain.deliver();
    let wallet = bench.wallet("w");
    age(&wallet, payment, HOUR);
    bench.chain.downloading.store(true, Ordering::SeqCst);
    assert_eq!(offered(&bench, &wallet), []);
    bench.chain.downloading.store(false, Ordering::SeqCst);
    assert_eq!(offered(&bench, &wallet), [payment]);
    bench.call("w", "unloadwallet", Value::Null);
    assert_eq!(offered(&bench, &wallet), []);
}

#[test]
fn payments_are_offered_by_the_clock_alone() {
    let bench = Bench::with_coins(1);
    let payment = pay(&bench, 1);
    bench.chain.mine_with(AWAY, Vec::new());
    bench.chain.deliver();
    let wallet = bench.wallet("w");
    age(&wallet, payment, HOUR);
    bench.chain.take_offers();
    wallet.next_resend.store(common::clock::now(), Ordering::SeqCst);
    eventually("the payment is offered", || bench.chain.take_offers() == [payment]);
}
