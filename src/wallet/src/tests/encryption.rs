//! Passphrases: what is refused and why, how long a wallet stays unlocked, and files whose keys do not fit together.

use serde_json::{Value, json};

use super::Bench;
use crate::crypter::{StoredMasterKey, encrypt_secret, random_master_key};
use crate::records::Change;

/// A wallet `w`, encrypted with `p`.
fn encrypted() -> Bench {
    let bench = Bench::new();
    bench.call("", "createwallet", json!({"wallet_name": "w", "passphrase": "p"}));
    bench
}

fn unlocked_until(bench: &Bench) -> i64 {
    bench.call("w", "getwalletinfo", Value::Null)["unlocked_until"].as_i64().unwrap()
}

#[test]
fn a_zero_byte_in_a_wrong_passphrase_is_pointed_out() {
    let bench = encrypted();
    let plain = "Error: The wallet passphrase entered was incorrect.";
    let error = |method: &str, params: Value| bench.try_call("w", method, params).unwrap_err();
    for (method, params) in [("walletpassphrase", json!(["q", 1])), ("walletpassphrasechange", json!(["q", "r"]))] {
        let error = error(method, params);
        assert_eq!((error.code, error.message.as_str()), (-14, plain));
    }
    let unlocking = error("walletpassphrase", json!(["p\0x", 1])).message;
    assert!(unlocking.starts_with("Error: The wallet passphrase entered is incorrect. It contains a null character"));
    assert!(unlocking.ends_with("please set a new passphrase to avoid this issue in the future."), "{unlocking}");
    let changing = error("walletpassphrasechange", json!(["p\0x", "r"])).message;
    assert!(changing.starts_with("Error: The old wallet passphrase entered is incorrect. It contains a null"));
    assert!(changing.ends_with("up to — but not including — the first null character."), "{changing}");
}

#[test]
fn passphrases_are_not_empty() {
    let bench = encrypted();
    bench.refused("w", "walletpassphrase", json!(["", 1]), -8, "passphrase cannot be empty");
    bench.refused("w", "walletpassphrasechange", json!(["", "q"]), -8, "passphrase cannot be empty");
    bench.refused("w", "walletpassphrasechange", json!(["p", ""]), -8, "passphrase cannot be empty");
    bench.call("", "createwallet", json!(["plain"]));
    bench.refused("plain", "walletlock", Value::Null, -15, "running with an unencrypted wallet, but walletlock was");
    bench.refused("plain", "walletpassphrasechange", json!(["p", "q"]), -15, "but walletpassphrasechange was called");
    bench.call("", "createwallet", json!(["watch", true]));
    bench.refused("watch", "encryptwallet", json!(["p"]), -16, "does not contain private keys, nothing to encrypt");
}

#[test]
fn keys_are_needed_while_blocks_are_searched() {
    let bench = encrypted();
    bench.call("", "createwallet", json!(["plain"]));
    bench.call("w", "walletpassphrase", json!(["p", 1000]));
    let (wallet, plain) = (bench.wallet("w"), bench.wallet("plain"));
    let reservations = (wallet.scan.reserve().unwrap(), plain.scan.reserve().unwrap());
    bench.refused("w", "walletlock", Value::Null, -4, "`abortrescan` before locking the wallet.");
    bench.refused(
        "w",
        "walletpassphrasechange",
        json!(["p", "q"]),
        -4,
        "`abortrescan` before changing the passphrase.",
    );
    bench.refused("plain", "encryptwallet", json!(["p"]), -4, "`abortrescan` before encrypting the wallet.");
    drop(reservations);
    bench.call("w", "walletlock", Value::Null);
    bench.call("plain", "encryptwallet", json!(["p"]));
}

#[test]
fn a_wallet_locks_at_the_time_last_set() {
    let bench = encrypted();
    let wallet = bench.wallet("w");
    let now = common::clock::now();
    bench.call("w", "walletpassphrase", json!(["p", 1000]));
    let first = unlocked_until(&bench);
    assert!((now + 1000..now + 1100).contains(&first));
    bench.call("w", "walletpassphrase", json!(["p", 200_000_000]));
    let second = unlocked_until(&bench);
    assert!((now + 100_000_000..now + 100_000_100).contains(&second), "three years at most");
    wallet.relock_if(Some(first));
    assert_eq!(unlocked_until(&bench), second, "unlocked again meanwhile");
    bench.call("w", "listdescriptors", json!([true]));
    wallet.relock_if(Some(second));
    assert_eq!(unlocked_until(&bench), 0);
    bench.refused("w", "listdescriptors", json!([true]), -13, "passphrase");
}

#[test]
fn addresses_are_derived_ahead_once_the_keys_are_there() {
    let bench = encrypted();
    let request = |desc: String| json!([[{"desc": desc, "timestamp": "now", "active": true}]]);
    bench.call("w", "walletpassphrase", json!(["p", 1000]));
    let desc = super::follow::checked(&format!("wpkh({}/*h)", super::follow::XPRV));
    assert_eq!(bench.call("w", "importdescriptors", request(desc))[0]["success"], json!(true));
    bench.call("w", "walletlock", Value::Null);
    while bench.try_call("w", "getnewaddress", json!(["", "bech32"])).is_ok() {}
    bench.call("w", "walletpassphrase", json!(["p", 1000]));
    bench.call("w", "walletlock", Value::Null);
    bench.address("w", "bech32");
}

#[test]
fn an_encryption_that_cannot_be_written_has_not_happened() {
    let bench = Bench::new();
    bench.call("", "createwallet", json!(["w"]));
    let wallet = bench.wallet("w");
    wallet.state().db.close();
    bench.refused("w", "encryptwallet", json!(["p"]), -16, "Error: Failed to encrypt the wallet.");
    let state = wallet.state();
    assert!(!state.is_encrypted());
    assert!(state.managers.values().all(|manager| !manager.keys.is_empty() && manager.encrypted.is_empty()));
}

#[test]
fn a_master_key_that_is_not_that_of_the_keys_opens_nothing() {
    let bench = encrypted();
    let wallet = bench.wallet("w");
    let other = random_master_key();
    wallet.state().commit(vec![Change::MasterKey(2, StoredMasterKey::new(&other, "other"))]).unwrap();
    bench.refused("w", "walletpassphrase", json!(["other", 1]), -14, "passphrase entered was incorrect");
    bench.refused("w", "walletpassphrasechange", json!(["other", "q"]), -14, "passphrase entered was incorrect");
    // A second master key of the same keys is as good as the first.
    bench.call("w", "walletpassphrase", json!(["p", 1000]));
    let second = StoredMasterKey::new(wallet.state().master.as_ref().unwrap(), "second");
    wallet.state().commit(vec![Change::MasterKey(3, second)]).unwrap();
    bench.call("w", "walletpassphrasechange", json!(["second", "third"]));
    bench.call("w", "walletlock", Value::Null);
    for passphrase in ["p", "third"] {
        bench.call("w", "walletpassphrase", json!([passphrase, 1000]));
        bench.call("w", "walletlock", Value::Null);
    }
    bench.refused("w", "walletpassphrase", json!(["second", 1]), -14, "passphrase entered was incorrect");
    // One key of several does not decrypt: the file is damaged, and no passphrase unlocks it.
    {
        let mut state = wallet.state();
        let manager = state.managers.values().next().unwrap();
        let (id, public) = (manager.id, *manager.encrypted.keys().next().unwrap());
        let secret = bitcoin::secp256k1::SecretKey::from_slice(&[1; 32]).unwrap();
        let foreign = encrypt_secret(&other, &public.to_bytes(), &secret);
        state.commit(vec![Change::EncryptedKey(id, public, foreign)]).unwrap();
    }
    bench.refused("w", "walletpassphrase", json!(["p", 1]), -4, "some keys decrypt but not all");
    bench.refused("w", "walletpassphrasechange", json!(["p", "q"]), -14, "passphrase entered was incorrect");
}
