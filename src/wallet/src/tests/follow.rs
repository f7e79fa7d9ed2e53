//! Following the chain: searching, gaps, imports, conflicts, unknown files.

use serde_json::{Value, json};

use super::Bench;

/// Appends its checksum to a descriptor.
pub(super) fn checked(text: &str) -> String {
    let mut engine = miniscript::descriptor::checksum::Engine::new();
    engine.input(text).unwrap();
    format!("{text}#{}", engine.checksum())
}

pub(super) const XPRV: &str =
    "tprv8ZgxMBicQKsPd7Uf69XL1XwhmjHopUGep8GuEiJDZmbQz6o58LninorQAfcKZWARbtRtfnLcJ5MQ2AtHcQJCCRUcMRvmDUjyEmNUWwx8UbK";

#[test]
fn restoring_from_descriptors_finds_everything_across_gaps() {
    let bench = Bench::new();
    bench.call("", "createwallet", json!(["w"]));
    // More addresses than are kept ahead, used out of order and in the same block as the one before.
    for _ in 0..12 {
        let kinds = ["bech32", "legacy", "bech32m"].map(|kind| bench.address("w", kind));
        kinds.iter().for_each(|address| bench.mine(1, address));
    }
    bench.mine(100, "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080");
    let expected = bench.balances("w");
    let listed = bench.call("w", "listdescriptors", json!([true]));
    let requests: Vec<Value> = listed["descriptors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| json!({"desc": entry["desc"], "active": true, "internal": entry["internal"], "timestamp": 0, "range": [0, 1]}))
        .collect();
    bench.call("", "createwallet", json!(["restored", false, true]));
    for result in bench.call("restored", "importdescriptors", json!([requests])).as_array().unwrap() {
        assert_eq!(result["success"], json!(true), "{result}");
    }
    assert_eq!(bench.balances("restored"), expected);
    let next = |wallet: &str| bench.call(wallet, "listdescriptors", json!([true]))["descriptors"].clone();
    let indices = |list: Value| {
        list.as_array().unwrap().iter().map(|it| (it["desc"].clone(), it["next_index"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(indices(next("restored")), indices(next("w")));
}

#[test]
fn combo_raw_and_multipath_are_imported() {
    let bench = Bench::new();
    bench.call("", "createwallet", json!(["keys", false, true]));
    let key = format!("combo({XPRV}/0h)");
    let result =
        bench.call("keys", "importdescriptors", json!([[{"desc": checked(&key), "timestamp": "now", "label": "mix"}]]));
    assert_eq!(result[0]["success"], json!(true), "{result}");
    let listed = bench.call("keys", "listdescriptors", Value::Null);
    assert_eq!(listed["descriptors"][0]["active"], json!(false));
    // Its four scripts are all the wallet's; the three with an address carry the label.
    let scripts: Vec<String> = {
        let parsed = crate::descriptor::Descriptor::parse(&key, bitcoin::Network::Regtest, false).unwrap();
        let secrets =
            |public: &bitcoin::PublicKey| parsed.secrets.iter().find(|found| found.0 == *public).map(|found| found.1);
        let expanded = parsed.descriptors[0]
            .expand(&bitcoin::secp256k1::Secp256k1::new(), 0, &Default::default(), &secrets, &mut Default::default())
            .unwrap();
        let addresses = expanded
            .scripts
            .iter()
            .filter_map(|script| bitcoin::Address::from_script(script, bitcoin::Network::Regtest).ok());
        addresses.map(|address| address.to_string()).collect()
    };
    assert_eq!(scripts.len(), 3);
    for address in &scripts {
        let info = bench.call("keys", "getaddressinfo", json!([address]));
        assert_eq!((&info["ismine"], &info["labels"]), (&json!(true), &json!(["mix"])));
        bench.mine(1, address);
    }
    bench.mine(100, "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080");
    assert_eq!(bench.balances("keys")[0], "150.00000000");
    let all = json!({"address": scripts[1], "amount": 150, "subtractfeefromamount": true});
    bench.call("keys", "sendtoaddress", all);
    assert_eq!(bench.chain.mempool()[0].input.len(), 3);

    bench.call("", "createwallet", json!(["watch", true]));
    let script = "0014751e76e8199196d454941c45d1b3a323f1433bd6";
    let xpub = "tpubD6NzVbkrYhZ4WaWSyoBvQwbpLkojyoTZPRsgXELWz3Popb3qkjcJyJUGLnL4qHHoQvao8ESaAstxYSnhyswJ76uZPStJRJCTKvosUCJZL5B";
    let requests = json!([[
        {"desc": checked(&format!("raw({script})")), "timestamp": 0},
        {"desc": checked(&format!("wpkh({xpub}/<0;1>/*)")), "timestamp": "now", "active": true, "range": 5},
        {"desc": checked("raw(00)"), "timestamp": "now", "range": 5},
        {"desc": "raw(00)", "timestamp": "now"},
        {"desc": checked(&format!("wpkh({XPRV}/*)")), "timestamp": "now", "range": 5},
        {"desc": checked(&format!("wpkh({xpub}/*)")), "timestamp": "now", "range": 5, "label": "x"},
        {"desc": checked(&format!("wpkh({xpub}/1h/*)")), "timestamp": "now", "range": 5},
    ]]);
    let results = bench.call("watch", "importdescriptors", requests);
    let outcome = |number: usize| {
        (
            results[number]["error"]["code"].clone(),
            results[number]["error"]["message"].as_str().unwrap_or("").to_owned(),
        )
    };
    assert_eq!(results[0]["success"], json!(true), "{results}");
    assert_eq!(results[1]["success"], json!(true), "{results}");
    assert_eq!(outcome(2), (json!(-8), "Range should not be specified for an un-ranged descriptor".to_owned()));
    assert_eq!(outcome(3), (json!(-5), "Missing checksum".to_owned()));
    assert_eq!(outcome(4), (json!(-4), "Cannot import private keys to a wallet with private keys disabled".to_owned()));
    assert_eq!(outcome(5), (json!(-8), "Ranged descriptors should not have a label".to_owned()));
    assert!(outcome(6).1.starts_with("Cannot expand descriptor."));
    // The script was paid a hundred times before the import.
    assert_eq!(bench.call("watch", "getwalletinfo", Value::Null)["txcount"], json!(100));
    let address = bench.call("watch", "getrawchangeaddress", json!(["bech32"]));
    let info = bench.call("watch", "getaddressinfo", json!([address]));
    assert!(info["parent_desc"].as_str().unwrap().contains("/1/*)"), "{info}");
    bench.refused("watch", "sendtoaddress", json!([address, 1]), -4, "Private keys are disabled for this wallet");
}

#[test]
fn rescanning_finds_what_was_missed() {
    let bench = Bench::new();
    bench.call("", "createwallet", json!(["w"]));
    let address = bench.address("w", "bech32");
    bench.mine(10, &address);
    let range = bench.call("w", "rescanblockchain", json!([2, 5]));
    assert_eq!(range, json!({"start_height": 2, "stop_height": 5}));
    bench.refused("w", "rescanblockchain", json!([11]), -8, "Invalid start_height");
    bench.refused("w", "rescanblockchain", json!([5, 2]), -8, "stop_height must be greater than start_height");
    assert_eq!(bench.call("w", "getwalletinfo", Value::Null)["txcount"], json!(10));
}

#[test]
fn a_block_that_spends_the_same_coin_makes_a_payment_conflicted() {
    let mut bench = Bench::new();
    bench.call("", "createwallet", json!(["w"]));
    let address = bench.address("w", "bech32");
    bench.mine(1, &address);
    let away = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
    bench.mine(100, away);
    // The same wallet twice: one copy pays one way, the other copy another.
    let copy = bench.directory.path().join("copy");
    bench.loader.stop().unwrap();
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(bench.directory.path().join("w/wallet.dat"), copy.join("wallet.dat")).unwrap();
    bench.restart(&["w", "copy"]);
    let first = bench.call("w", "sendtoaddress", json!([away, 1]));
    bench.chain.deliver();
    let loser = bench.chain.mempool().remove(0);
    // The copy heard of the payment; it is told to forget it by losing it from the mempool and spending again.
    bench.chain.empty_mempool();
    assert_eq!(bench.call("w", "gettransaction", json!([first]))["confirmations"], json!(0));
    let mut winner = loser.clone();
    winner.output.truncate(1);
    winner.input[0].sequence = bitcoin::Sequence::MAX;
    // Signatures matter to the mempool only; put straight into a block it conflicts all the same.
    bench.chain.mine_with(away, vec![winner]);
    bench.chain.deliver();
    let conflicted = bench.call("w", "gettransaction", json!([first]));
    assert_eq!(conflicted["confirmations"], json!(-1));
    assert_eq!(conflicted["walletconflicts"].as_array().unwrap().len(), 1);
    bench.chain.undo(false);
    bench.chain.deliver();
    assert_eq!(bench.call("w", "gettransaction", json!([first]))["confirmations"], json!(0));
}
