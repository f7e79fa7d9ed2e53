//! Keys and files: encryption, the start-up list, unloading, faults of the wallet file.

use serde_json::{Value, json};

use super::Bench;

#[test]
fn an_encrypted_wallet_stays_locked_across_restarts() {
    let mut bench = Bench::new();
    bench.call("", "createwallet", json!(["w"]));
    let old = bench.address("w", "bech32");
    bench.mine(1, &old);
    bench.mine(100, "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080");
    bench.refused(
        "w",
        "walletpassphrase",
        json!(["x", 1]),
        -15,
        "running with an unencrypted wallet, but walletpassphrase was called",
    );
    bench.refused("w", "encryptwallet", json!([""]), -8, "passphrase cannot be empty");
    bench.call("w", "encryptwallet", json!(["correct horse"]));
    bench.refused(
        "w",
        "encryptwallet",
        json!(["again"]),
        -15,
        "running with an encrypted wallet, but encryptwallet was called",
    );
    assert_eq!(occurrences(&bench, b"walletdescriptorkey"), 0, "no plain key is left in any file");
    bench.refused(
        "w",
        "sendtoaddress",
        json!([old, 1]),
        -13,
        "Please enter the wallet passphrase with walletpassphrase first.",
    );
    bench.refused("w", "walletpassphrase", json!(["wrong", 10]), -14, "The wallet passphrase entered was incorrect.");
    bench.refused("w", "walletpassphrase", json!(["correct horse", -1]), -8, "Timeout cannot be negative.");
    // Addresses do not need the passphrase, and come from new keys.
    let new = bench.address("w", "bech32");
    let parent = |address: &str| bench.call("w", "getaddressinfo", json!([address]))["parent_desc"].clone();
    assert_ne!(parent(&new), parent(&old));
    bench.restart(&["w"]);
    assert_eq!(bench.call("w", "getwalletinfo", Value::Null)["unlocked_until"], json!(0));
    bench.refused("w", "sendtoaddress", json!([old, 1]), -13, "passphrase");
    bench.refused("w", "listdescriptors", json!([true]), -13, "passphrase");
    bench.call("w", "walletpassphrase", json!(["correct horse", 1000]));
    bench.call("w", "sendtoaddress", json!([new, 1]));
    bench.call("w", "walletlock", Value::Null);
    bench.refused("w", "sendtoaddress", json!([old, 1]), -13, "passphrase");
    bench.call("w", "walletpassphrasechange", json!(["correct horse", "battery"]));
    bench.restart(&["w"]);
    bench.refused("w", "walletpassphrase", json!(["correct horse", 10]), -14, "incorrect");
    bench.call("w", "walletpassphrase", json!(["battery", 10]));
}

/// Counts in how many files of the wallet `w` some bytes are.
fn occurrences(bench: &Bench, bytes: &[u8]) -> usize {
    let files = std::fs::read_dir(bench.directory.path().join("w")).unwrap();
    let files = files.map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    files.filter(|file| file.windows(bytes.len()).any(|window| window == bytes)).count()
}

#[test]
fn encryption_that_was_cut_short_is_finished_by_the_next_load() {
    let mut bench = Bench::new();
    bench.call("", "createwallet", json!(["w"]));
    bench.call("w", "encryptwallet", json!(["p"]));
    bench.restart(&[]);
    // A file as other versions leave it: an erased key is still in a part of a page that is not in use.
    let stale = [0xa5; 300];
    let connection = rusqlite::Connection::open(bench.directory.path().join("w/wallet.dat")).unwrap();
    connection.execute_batch("PRAGMA secure_delete = off").unwrap();
    connection.execute("INSERT INTO main VALUES (x'ff', ?)", [&stale[..]]).unwrap();
    connection.execute("DELETE FROM main WHERE key = x'ff'", []).unwrap();
    connection.execute("INSERT INTO main VALUES (?, x'31')", [&b"\x0erewritepending"[..]]).unwrap();
    drop(connection);
    assert_eq!(occurrences(&bench, &stale[..100]), 1);
    bench.call("", "loadwallet", json!(["w"]));
    assert_eq!(occurrences(&bench, &stale[..100]), 0);
    assert_eq!(occurrences(&bench, b"rewritepending"), 0);
    bench.call("w", "walletpassphrase", json!(["p", 10]));
}

#[test]
fn texts_that_are_not_utf8_stay_as_they_are() {
    let mut bench = Bench::new();
    bench.call("", "createwallet", json!(["w"]));
    let address = bench.address("w", "bech32");
    bench.call("w", "setlabel", json!([address, "gruen"]));
    bench.mine(101, &address);
    bench.call("w", "sendtoaddress", json!([address, 1, "comment"]));
    bench.restart(&[]);
    let path = bench.directory.path().join("w/wallet.dat");
    let edit = |from: &[u8], to: &[u8]| {
        let connection = rusqlite::Connection::open(&path).unwrap();
        let select = "SELECT key, value FROM main WHERE instr(value, ?1) > 0";
        let rows: Vec<(Vec<u8>, Vec<u8>)> = connection
            .prepare(select)
            .unwrap()
            .query_map([from], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let [(key, value)] = &rows[..] else { panic!("{} records", rows.len()) };
        let at = value.windows(from.len()).position(|window| window == from).unwrap();
        let changed = [&value[..at], to, &value[at + from.len()..]].concat();
        connection.execute("UPDATE main SET value = ?1 WHERE key = ?2", [&changed, key]).unwrap();
    };
    edit(b"\x05gruen", b"\x05gr\xfcn ");
    edit(b"\x07comment\x07comment", b"\x07comment\x07c\xf6mment");
    bench.call("", "loadwallet", json!(["w"]));
    assert_eq!(bench.call("w", "getaddressinfo", json!([address]))["labels"], json!(["gr\u{fffd}n "]));
    let list = bench.call("w", "listtransactions", json!(["*", 1]));
    assert_eq!(list[0]["comment"], "c\u{fffd}mment");
    // The transaction is written again when it confirms.
    bench.mine(1, &address);
    bench.call("w", "unloadwallet", json!([]));
    assert_eq!(occurrences(&bench, b"\x05gr\xfcn "), 1);
    assert_eq!(occurrences(&bench, b"\x07comment\x07c\xf6mment"), 1);
}

#[test]
fn the_time_runs_out() {
    let bench = Bench::new();
    bench.call("", "createwallet", json!({"wallet_name": "w", "passphrase": "p"}));
    bench.call("w", "walletpassphrase", json!(["p", 0]));
    // The relock thread runs; nothing but its result is waited for.
    while bench.call("w", "getwalletinfo", Value::Null)["unlocked_until"] != json!(0) {
        std::thread::yield_now();
    }
    bench.refused("w", "listdescriptors", json!([true]), -13, "passphrase");
}

#[test]
fn wallets_are_made_loaded_and_unloaded() {
    let mut bench = Bench::new();
    let made = bench.call("", "createwallet", json!({"wallet_name": "a", "passphrase": "", "load_on_startup": true}));
    assert_eq!(made["warnings"], json!(["Empty string given as passphrase, wallet will not be encrypted."]));
    assert_eq!(bench.chain.settings(), [("a".to_owned(), true)]);
    bench.call("", "createwallet", json!(["dir/b", true, true]));
    assert_eq!(bench.call("", "listwallets", Value::Null), json!(["a", "dir/b"]));
    let check = |method: &str, params: Value, code: i32, text: &str| bench.refused("", method, params, code, text);
    check("createwallet", json!(["a"]), -4, "Database already exists.");
    check("createwallet", json!([""]), -8, "Wallet name cannot be empty");
    check("createwallet", json!(["c", true, true, "pass"]), -4, "Passphrase provided but private keys are disabled");
    check(
        "createwallet",
        json!({"wallet_name": "c", "descriptors": false}),
        -4,
        "descriptors argument must be set to \"true\"",
    );
    check("createwallet", json!(["../c"]), -4, "cannot begin with ./ or ../");
    check("createwallet", json!(["d//c"]), -4, "must be normalized");
    check("loadwallet", json!(["a"]), -35, "Wallet \"a\" is already loaded.");
    check("loadwallet", json!(["none"]), -18, "Path does not exist.");
    check("unloadwallet", json!(["none"]), -8, "specify different wallets");
    bench.refused("dir/b", "getnewaddress", json!([]), -4, "Error: This wallet has no available keys");
    let handle = bench.loader.wallets().unwrap().remove(0);
    bench.call("a", "unloadwallet", json!(["a", false]));
    assert!(handle.info().is_err(), "an unloaded wallet answers no more");
    assert_eq!(bench.call("", "listwallets", Value::Null), json!(["dir/b"]));
    assert_eq!(bench.call("", "loadwallet", json!(["a"])), json!({"name": "a"}));
    let mut names: Vec<String> = bench.loader.list_wallet_dir().unwrap();
    names.sort();
    assert_eq!(names, ["a", "dir/b"]);
    bench.restart(&["a", "missing", "a"]);
    assert_eq!(bench.call("", "listwallets", Value::Null), json!(["a"]));
}

#[test]
fn a_damaged_file_is_one_clear_error() {
    let mut bench = Bench::new();
    bench.call("", "createwallet", json!(["w"]));
    bench.restart(&[]);
    let path = bench.directory.path().join("w/wallet.dat");
    let whole = std::fs::read(&path).unwrap();
    for keep in [0, 300, 4096, whole.len() / 2, whole.len() - 4096] {
        std::fs::write(&path, &whole[..keep]).unwrap();
        let error = bench.try_call("", "loadwallet", json!(["w"])).unwrap_err();
        assert!(error.message.starts_with("Wallet file verification failed. "), "{}", error.message);
        assert!([-4, -18].contains(&error.code));
    }
    // A record that makes no sense, in a database that is fine.
    std::fs::write(&path, &whole).unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute("UPDATE main SET value = x'0102' WHERE instr(key, 'walletdescriptor') = 2", []).unwrap();
    drop(connection);
    bench.refused("", "loadwallet", json!(["w"]), -4, "Wallet corrupted");
    // Records from the future are kept.
    std::fs::write(&path, &whole).unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute("INSERT INTO main VALUES(x'0678797a7a7978', x'01')", []).unwrap();
    drop(connection);
    bench.call("", "loadwallet", json!(["w"]));
    bench.call("w", "encryptwallet", json!(["p"]));
    bench.call("w", "unloadwallet", json!([]));
    let connection = rusqlite::Connection::open(&path).unwrap();
    let kept: i64 =
        connection.query_row("SELECT count(*) FROM main WHERE key = x'0678797a7a7978'", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 1);
}

#[test]
fn a_backup_opens_as_a_wallet() {
    let bench = Bench::new();
    bench.call("", "createwallet", json!(["w"]));
    let address = bench.address("w", "bech32");
    bench.call("w", "setlabel", json!([address, "rent"]));
    let copy = bench.directory.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    bench.refused("w", "backupwallet", json!([copy]), -4, "Wallet backup failed!");
    bench.call("w", "backupwallet", json!([copy.join("wallet.dat")]));
    let own = bench.directory.path().join("w/wallet.dat");
    bench.refused("w", "backupwallet", json!([own]), -4, "Wallet backup failed!");
    bench.call("", "loadwallet", json!(["copy"]));
    let info = bench.call("copy", "getaddressinfo", json!([address]));
    assert_eq!((&info["ismine"], &info["labels"]), (&json!(true), &json!(["rent"])));
    bench.call("copy", "keypoolrefill", json!([9]));
    assert_eq!(bench.call("copy", "getwalletinfo", Value::Null)["keypoolsize"], json!(36));
}

#[test]
fn plain_and_encrypted_keys_in_one_file_are_refused() {
    let mut bench = Bench::new();
    bench.call("", "createwallet", json!(["w"]));
    bench.restart(&[]);
    let connection = rusqlite::Connection::open(bench.directory.path().join("w/wallet.dat")).unwrap();
    let sql = "INSERT INTO main SELECT CAST(x'14' || CAST('walletdescriptorckey' AS BLOB) || substr(key, 21) AS BLOB), value FROM main \
               WHERE instr(key, CAST('walletdescriptorkey' AS BLOB)) = 2 LIMIT 1";
    assert_eq!(connection.execute(sql, []).unwrap(), 1);
    drop(connection);
    bench.refused("", "loadwallet", json!(["w"]), -4, "Wallet corrupted");
}
