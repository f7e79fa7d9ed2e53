//! Signing what more than a key guards, and keys that are not there.

use bitcoin::{Sequence, Transaction, TxIn, absolute, transaction};
use serde_json::{Value, json};

use super::follow::{XPRV, checked};
use super::{AWAY, Bench};

/// A blank wallet `w` with one mature coin of 50 BTC on what a descriptor makes, at height 101.
fn with_coin_on(descriptor: &str) -> Bench {
    let bench = Bench::new();
    bench.call("", "createwallet", json!({"wallet_name": "w", "blank": true}));
    let parsed = crate::descriptor::Descriptor::parse(descriptor, bitcoin::Network::Regtest, false).unwrap();
    let secrets = |public: &bitcoin::PublicKey| parsed.secrets.iter().find(|key| key.0 == *public).map(|key| key.1);
    let secp = bitcoin::secp256k1::Secp256k1::new();
    let expanded =
        parsed.descriptors[0].expand(&secp, 0, &Default::default(), &secrets, &mut Default::default()).unwrap();
    let address = bitcoin::Address::from_script(&expanded.scripts[0], bitcoin::Network::Regtest).unwrap();
    let imported = bench.call("w", "importdescriptors", json!([[{"desc": checked(descriptor), "timestamp": "now"}]]));
    assert_eq!(imported[0]["success"], json!(true), "{imported}");
    bench.mine(1, &address.to_string());
    bench.mine(100, AWAY);
    bench
}

/// Spends the coin. The fake mempool accepts what is signed correctly.
fn spend(bench: &Bench) -> Result<Value, String> {
    let all = json!({"address": AWAY, "amount": 50, "subtractfeefromamount": true});
    bench.try_call("w", "sendtoaddress", all).map_err(|error| error.message)
}

#[test]
fn scripts_are_signed_for_with_the_keys_that_are_there() {
    for descriptor in [
        "wsh(pk(KEY/0))",
        "sh(pk(KEY/0))",
        "sh(wsh(pkh(KEY/0)))",
        "wsh(multi(2,KEY/0,KEY/1))",
        "sh(sortedmulti(1,KEY/0,KEY/1))",
        "tr(KEY/0)",
        "tr(KEY/0,pk(KEY/1))",
        "rawtr(KEY/0)",
        // Only the script of the leaf can be signed for.
        "tr(50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0,pk(KEY/1))",
    ] {
        let bench = with_coin_on(&descriptor.replace("KEY", XPRV));
        spend(&bench).expect(descriptor);
        assert_eq!(bench.chain.mempool().len(), 1, "{descriptor}");
    }
}

#[test]
fn a_coin_is_not_spent_before_its_time() {
    let signed = |condition: &str| {
        let bench = with_coin_on(&format!("wsh(and_v(v:pk({XPRV}/0),{condition}))"));
        let spent = spend(&bench);
        assert_eq!(bench.chain.mempool().len(), usize::from(spent.is_ok()), "{condition}");
        spent
    };
    // Payments say that they are not to be in a block before the next.
    signed("after(1)").expect("long past");
    assert_eq!(signed("after(1000)").unwrap_err(), "Signing transaction failed");
    // Nothing is said of how long the coin has been there.
    assert_eq!(signed("older(10)").unwrap_err(), "Signing transaction failed");
}

/// BIP65, BIP68 and BIP112: the transaction itself has to say that it can wait.
#[test]
fn times_are_signed_for_by_transactions_that_respect_them() {
    let check = |condition: &str, version: i32, sequence: u32, lock_time: u32, expected: bool| {
        let bench = with_coin_on(&format!("wsh(and_v(v:pk({XPRV}/0),{condition}))"));
        let wallet = bench.wallet("w");
        let state = wallet.state();
        let (outpoint, output) = state.outputs.iter().next().unwrap();
        let tx = Transaction {
            version: transaction::Version(version),
            lock_time: absolute::LockTime::from_consensus(lock_time),
            input: vec![TxIn { previous_output: *outpoint, sequence: Sequence(sequence), ..TxIn::default() }],
            output: vec![output.clone()],
        };
        let signed = state.sign(&tx, std::slice::from_ref(output));
        assert_eq!(signed.is_some(), expected, "{condition}, {version}, {sequence:x}, {lock_time}");
    };
    check("older(10)", 2, 10, 0, true);
    check("older(10)", 3, 11, 0, true);
    check("older(10)", 2, 9, 0, false);
    check("older(10)", 1, 10, 0, false);
    check("older(10)", 2, 0xffff_fffd, 0, false);
    check("older(10)", 2, 10 | 1 << 22, 0, false);
    check("after(500)", 2, 0xffff_fffd, 500, true);
    check("after(500)", 1, 0, 501, true);
    check("after(500)", 2, 0xffff_fffd, 499, false);
    check("after(500)", 2, 0xffff_ffff, 500, false);
    check("after(500)", 2, 0, 1_700_000_000, false);
}

#[test]
fn an_empty_keypool_is_another_error_than_no_keys() {
    let bench = Bench::new();
    bench.call("", "createwallet", json!({"wallet_name": "w", "blank": true, "passphrase": "p"}));
    bench.call("w", "walletpassphrase", json!(["p", 1000]));
    // Below a hardened step the wallet derives nothing while it is locked.
    let request = json!([[{"desc": checked(&format!("wpkh({XPRV}/*h)")), "timestamp": "now", "active": true}]]);
    let imported = bench.call("w", "importdescriptors", request);
    assert_eq!(imported[0]["success"], json!(true), "{imported}");
    bench.call("w", "walletlock", Value::Null);
    let ahead = bench.call("w", "getwalletinfo", Value::Null)["keypoolsize"].as_u64().unwrap();
    assert!(ahead > 0);
    (0..ahead).for_each(|_| drop(bench.address("w", "bech32")));
    bench.refused("w", "getnewaddress", json!(["", "bech32"]), -12, "Keypool ran out, please call keypoolrefill first");
    bench.refused("w", "getnewaddress", json!(["", "legacy"]), -12, "No legacy addresses available");
    bench.call("", "createwallet", json!({"wallet_name": "empty", "blank": true}));
    bench.refused("empty", "getnewaddress", json!([]), -4, "This wallet has no available keys");
}
