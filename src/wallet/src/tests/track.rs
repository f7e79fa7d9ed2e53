//! What the wallet notes of a transaction that it sees: its time, its witness, and the addresses that it uses.

use bitcoin::hashes::Hash;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness, absolute, transaction};
use serde_json::{Value, json};

use super::follow::{XPRV, checked};
use super::{AWAY, Bench};
use crate::descriptor::OutputType;
use crate::records::TxState;
use crate::state::flags;
use crate::track::Sighting;
use crate::wallet::Wallet;

/// A transaction of somebody else that pays these scripts; `number` makes it different from others.
fn paying(number: u8, scripts: &[ScriptBuf]) -> Transaction {
    let output = |script: &ScriptBuf| TxOut { value: Amount::from_sat(100_000), script_pubkey: script.clone() };
    Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::new(Txid::from_byte_array([number; 32]), 0),
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::from_slice(&[[number; 64]]),
        }],
        output: scripts.iter().map(output).collect(),
    }
}

/// The script at an index of the active descriptor for addresses of native segwit.
fn script(wallet: &Wallet, internal: bool, index: i32) -> ScriptBuf {
    let state = wallet.state();
    let id = state.active[&(internal, OutputType::Bech32)];
    state.managers[&id].scripts_at(index)[0].clone()
}

fn next_index(wallet: &Wallet, internal: bool) -> i32 {
    let state = wallet.state();
    let id = state.active[&(internal, OutputType::Bech32)];
    state.managers[&id].record.next_index
}

fn address_of(wallet: &Wallet, script: &ScriptBuf) -> String {
    wallet.state().address(script).unwrap()
}

fn plain() -> Bench {
    let bench = Bench::new();
    bench.call("", "createwallet", json!(["w"]));
    bench
}

#[test]
fn times_keep_the_order_and_are_near_the_block() {
    let bench = plain();
    let wallet = bench.wallet("w");
    let own = script(&wallet, false, 0);
    let time = |number: u8, now: i64, block_times: Option<(i64, i64)>, rescan: bool| {
        let tx = paying(number, std::slice::from_ref(&own));
        let mut state = wallet.state();
        let sighting = Sighting { state: TxState::InMempool, now, block_times, rescan, keypool: 2 };
        assert!(state.see(&tx, &sighting).unwrap());
        state.txs[&tx.compute_txid()].time()
    };
    assert_eq!(time(1, 1000, None, false), 1000, "when it came");
    assert_eq!(time(2, 2000, Some((900, 950)), false), 1000, "not before the one before it");
    assert_eq!(time(3, 2000, Some((1500, 1600)), false), 1500, "the block's");
    assert_eq!(time(4, 2000, Some((5000, 5000)), false), 2000, "not in the future");
    assert_eq!(time(5, 1700, Some((3000, 3000)), false), 2000, "the clock is a little behind");
    assert_eq!(time(6, 1699, Some((3000, 3000)), false), 1699, "the clock was wrong before");
    assert_eq!(time(7, 9000, Some((700, 800)), true), 800, "found in an old block");
}

#[test]
fn a_witness_that_was_missing_is_added() {
    let bench = plain();
    let wallet = bench.wallet("w");
    let own = script(&wallet, false, 0);
    let (first, second) = (paying(1, std::slice::from_ref(&own)), paying(2, &[own]));
    let stripped = |tx: &Transaction| {
        let mut tx = tx.clone();
        tx.input[0].witness.clear();
        tx
    };
    let kept = |tx: &Transaction| wallet.state().txs[&tx.compute_txid()].tx.clone();
    bench.chain.replace(&stripped(&first));
    bench.chain.replace(&second);
    bench.chain.deliver();
    assert_eq!((kept(&first), kept(&second)), (stripped(&first), second.clone()));
    bench.chain.mine_with(AWAY, vec![first.clone(), stripped(&second)]);
    bench.chain.deliver();
    assert_eq!((kept(&first), kept(&second)), (first, second));
}

#[test]
fn addresses_paid_out_of_order_are_used_with_all_before_them() {
    let bench = plain();
    let wallet = bench.wallet("w");
    let scripts: Vec<ScriptBuf> = (0..2).map(|index| script(&wallet, false, index)).collect();
    // The later one first, and one that is paid twice.
    let tx = paying(1, &[scripts[1].clone(), scripts[0].clone(), scripts[0].clone()]);
    bench.chain.mine_with(AWAY, vec![tx]);
    bench.chain.deliver();
    assert_eq!(next_index(&wallet, false), 2);
    assert_eq!(next_index(&wallet, true), 0);
    for script in &scripts {
        let info = bench.call("w", "getaddressinfo", json!([address_of(&wallet, script)]));
        assert_eq!((&info["labels"], &info["ischange"]), (&json!([""]), &json!(false)));
    }
    // Two are ahead again, and a label that is there already stays.
    let next = bench.call("w", "getnewaddress", json!(["rent", "bech32"]));
    let paid = paying(2, &[script(&wallet, false, 3)]);
    bench.chain.mine_with(AWAY, vec![paid]);
    bench.chain.deliver();
    assert_eq!(next_index(&wallet, false), 4);
    assert_eq!(bench.call("w", "getaddressinfo", json!([next]))["labels"], json!(["rent"]));
    // What is paid again does not go back.
    bench.chain.mine_with(AWAY, vec![paying(3, &scripts[..1])]);
    bench.chain.deliver();
    assert_eq!(next_index(&wallet, false), 4);
}

#[test]
fn change_and_what_is_not_handed_out_keeps_the_label_that_it_has() {
    let bench = plain();
    let wallet = bench.wallet("w");
    let change = script(&wallet, true, 1);
    let import = |descriptor: String, range: Value| {
        let mut request = json!({"desc": checked(&descriptor), "timestamp": "now"});
        if !range.is_null() {
            request["range"] = range;
        }
        let done = bench.call("w", "importdescriptors", json!([[request]]));
        assert_eq!(done[0]["success"], json!(true), "{done}");
    };
    import(format!("wpkh({XPRV}/5/*)"), json!([0, 3]));
    import(format!("wpkh({XPRV}/6)"), Value::Null);
    let imported: Vec<ScriptBuf> = {
        let state = wallet.state();
        let idle = state.managers.values().filter(|manager| !state.active.values().any(|id| *id == manager.id));
        idle.map(|manager| manager.scripts_at(0)[0].clone()).collect()
    };
    assert_eq!(imported.len(), 2);
    let records = || -> Vec<(i32, i32)> {
        let state = wallet.state();
        let unranged = state.managers.values().filter(|manager| !manager.descriptor().is_ranged());
        unranged.map(|manager| (manager.record.next_index, manager.record.range_end)).collect()
    };
    let labels = || -> Vec<Option<String>> {
        let label = |script: &ScriptBuf| {
            let address = address_of(&wallet, script);
            wallet.state().label(&address).map(str::to_owned)
        };
        imported.iter().chain([&change]).map(label).collect()
    };
    let before = (records(), labels());
    let tx = paying(1, &[vec![change.clone()], imported.clone()].concat());
    bench.chain.mine_with(AWAY, vec![tx]);
    bench.chain.deliver();
    for script in imported.iter().chain([&change]) {
        let info = bench.call("w", "getaddressinfo", json!([address_of(&wallet, script)]));
        assert_eq!(info["ismine"], json!(true));
    }
    assert_eq!(next_index(&wallet, true), 2);
    // The descriptor that is no range has one address, and no next.
    assert_eq!((records(), labels()), before);
}

#[test]
fn addresses_are_marked_by_whoever_spends_from_them() {
    let bench = Bench::new();
    bench.call("", "createwallet", json!({"wallet_name": "w", "avoid_reuse": true}));
    bench.call("", "createwallet", json!(["plain"]));
    let own = bench.address("w", "bech32");
    let other = bench.address("w", "bech32");
    bench.mine(1, &own);
    bench.mine(1, &other);
    bench.mine(100, AWAY);
    let wallet = bench.wallet("w");
    let spent = {
        let state = wallet.state();
        let to = |output: &TxOut| state.address(&output.script_pubkey).as_ref() == Some(&own);
        *state.outputs.iter().find(|(_, output)| to(output)).unwrap().0
    };
    // A copy of the wallet spends the coin: this one did not make the transaction.
    let mut tx = paying(1, &[ScriptBuf::new()]);
    tx.input[0].previous_output = spent;
    bench.chain.mine_with(&own, vec![tx]);
    bench.mine(100, AWAY);
    let mine = bench.call("w", "getbalances", Value::Null)["mine"].clone();
    assert_eq!((mine["trusted"].to_string(), mine["used"].to_string()), ("50.00000000".into(), "50.00000000".into()));
    let unspent = bench.call("w", "listunspent", Value::Null);
    for coin in unspent.as_array().unwrap() {
        assert_eq!(coin["reused"], json!(coin["address"] == json!(own)), "{coin}");
    }
    assert!(wallet.state().has_flag(flags::AVOID_REUSE));
    bench.refused("w", "sendtoaddress", json!([AWAY, 60]), -6, "Insufficient funds");
    bench.call("w", "sendtoaddress", json!({"address": AWAY, "amount": 60, "avoid_reuse": false}));
}
