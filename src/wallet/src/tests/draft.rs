//! What happens to a wallet while a payment is thought out.

use std::sync::mpsc;
use std::thread;

use interfaces::RpcRequest;
use serde_json::{Value, json};

use super::{AWAY, Bench, LIMIT};

/// Has `method` called, from another thread, when the wallet `w` is about to choose coins: the first time only, and within
/// the time limit, or the test fails. The answer can be received afterwards.
fn meanwhile(bench: &Bench, method: &str, params: Value) -> mpsc::Receiver<Value> {
    let (told, answers) = mpsc::channel();
    let (loader, params) = (bench.loader.clone(), params.to_string());
    let mut method = Some(method.to_owned());
    *bench.chain.on_ancestry.lock().unwrap() = Some(Box::new(move || {
        let Some(method) = method.take() else { return };
        let (sender, answer) = mpsc::channel();
        let (loader, params) = (loader.clone(), params.clone());
        thread::spawn(move || {
            let uri = "/wallet/w".to_owned();
            let request = RpcRequest { method, params, uri, user: String::new(), tip: None };
            sender.send(loader.execute_rpc(request).unwrap().unwrap())
        });
        let answer = answer.recv_timeout(LIMIT).expect("the wallet answers while a payment is thought out");
        drop(told.send(serde_json::from_str(&answer).unwrap()));
    }));
    answers
}

/// A wallet with a confirmed coin of 50 BTC and change that is not confirmed, with their outpoints.
fn with_change() -> (Bench, Value, Value) {
    let bench = Bench::with_coins(2);
    bench.call("w", "sendtoaddress", json!([AWAY, 10]));
    let coins = bench.call("w", "listunspent", json!([0]));
    let outpoint = |confirmed| {
        let coins = coins.as_array().unwrap().iter();
        let mut found = coins.filter(|coin| (coin["confirmations"] != 0) == confirmed);
        let coin = found.next().unwrap();
        json!({"txid": coin["txid"], "vout": coin["vout"]})
    };
    let (coin, change) = (outpoint(true), outpoint(false));
    (bench, coin, change)
}

fn spent_by(bench: &Bench, txid: &Value) -> Value {
    let decoded = &bench.call("w", "gettransaction", json!([txid, null, true]))["decoded"];
    let inputs = decoded["vin"].as_array().unwrap().iter();
    inputs.map(|input| json!({"txid": input["txid"], "vout": input["vout"]})).collect()
}

#[test]
fn a_coin_that_is_locked_meanwhile_is_not_spent() {
    let (bench, coin, change) = with_change();
    // It would be preferred.
    meanwhile(&bench, "lockunspent", json!([false, [coin]]));
    let txid = bench.call("w", "sendtoaddress", json!([AWAY, 1]));
    assert_eq!(spent_by(&bench, &txid), json!([change]));
    // Nothing else is left.
    let (bench, coin, change) = with_change();
    meanwhile(&bench, "lockunspent", json!([false, [coin, change]]));
    bench.refused("w", "sendtoaddress", json!([AWAY, 1]), -6, "Insufficient funds");
}

#[test]
fn an_address_that_is_given_away_meanwhile_is_not_used_for_change() {
    let (bench, ..) = with_change();
    let given = meanwhile(&bench, "getrawchangeaddress", json!(["bech32"]));
    let txid = bench.call("w", "sendtoaddress", json!([AWAY, 1]));
    let coins = bench.call("w", "listunspent", json!([0]));
    let change = coins.as_array().unwrap().iter().find(|coin| coin["txid"] == txid).unwrap();
    assert_ne!(change["address"], given.recv_timeout(LIMIT).unwrap());
}

#[test]
fn a_wallet_that_is_unloaded_meanwhile_pays_nobody() {
    let (bench, ..) = with_change();
    let before = bench.chain.mempool().len();
    meanwhile(&bench, "unloadwallet", Value::Null);
    bench.try_call("w", "sendtoaddress", json!([AWAY, 1])).unwrap_err();
    assert_eq!(bench.chain.mempool().len(), before);
}
