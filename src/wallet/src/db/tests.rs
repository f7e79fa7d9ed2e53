//! Faults of the wallet file: another chain's, truncated, locked, not a wallet at all.

use super::*;

fn made(network: Network) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut database = Database::create(directory.path(), network, false).unwrap();
    let rows: Vec<Op> = (0..2000u32).map(|n| Op::Put(n.to_be_bytes().to_vec(), vec![7; 50])).collect();
    database.write(&rows).unwrap();
    directory
}

fn error(directory: &Path, network: Network) -> String {
    Database::open(directory, network, false).err().expect("must not open").to_string()
}

#[test]
fn records_survive_reopening() {
    let directory = made(Network::Regtest);
    let mut database = Database::open(directory.path(), Network::Regtest, true).unwrap();
    assert_eq!(database.records().unwrap().len(), 2000);
    database.write(&[Op::Erase(0u32.to_be_bytes().to_vec()), Op::Put(vec![1], vec![])]).unwrap();
    database.rewrite().unwrap();
    drop(database);
    let database = Database::open(directory.path(), Network::Regtest, false).unwrap();
    assert_eq!(database.records().unwrap().len(), 2000);
}

#[test]
fn the_header_is_cores() {
    let directory = made(Network::Regtest);
    let bytes = fs::read(directory.path().join(DATA_FILE)).unwrap();
    assert_eq!(&bytes[68..72], &[0xfa, 0xbf, 0xb5, 0xda]);
    assert_eq!(&bytes[60..64], &[0, 0, 0, 0]);
}

#[test]
fn another_chains_wallet_is_refused() {
    let directory = made(Network::Regtest);
    let text = error(directory.path(), Network::Bitcoin);
    assert!(text.contains("Data is not in recognized format."), "{text}");
    assert!(text.contains("Expected 4190024921, got 4206867930"), "{text}");
}

#[test]
fn a_second_opening_is_refused() {
    let directory = made(Network::Regtest);
    let _open = Database::open(directory.path(), Network::Regtest, false).unwrap();
    assert_eq!(error(directory.path(), Network::Regtest), DbError::Locked.to_string());
}

#[test]
fn a_truncated_file_is_one_clear_error() {
    for keep in [0, 100, 511, 512, 4096, 5000, 20_000] {
        let directory = made(Network::Regtest);
        let file = fs::OpenOptions::new().write(true).open(directory.path().join(DATA_FILE)).unwrap();
        file.set_len(keep).unwrap();
        let text = error(directory.path(), Network::Regtest);
        assert!(!text.contains('\n'), "{text}");
        let expected = if keep < 512 { "not in recognized format" } else { "Failed to verify database" };
        assert!(text.contains(expected), "{keep}: {text}");
    }
}

#[test]
fn what_is_no_wallet_is_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    assert!(error(&directory.path().join("none"), Network::Regtest).ends_with("Path does not exist."));
    assert!(error(directory.path(), Network::Regtest).ends_with("Data is not in recognized format."));
    let mut old = vec![0; 5000];
    old[12..16].copy_from_slice(&[0x62, 0x31, 0x05, 0x00]);
    fs::write(directory.path().join(DATA_FILE), old).unwrap();
    assert!(error(directory.path(), Network::Regtest).contains("appears to be a Legacy wallet"));
}

#[test]
fn wallets_are_listed_with_their_relative_names() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["", "a", "b/c"] {
        Database::create(&directory.path().join(name), Network::Regtest, true).unwrap();
    }
    Database::create(&directory.path().join("other"), Network::Bitcoin, true).unwrap();
    let mut names: Vec<String> =
        list_wallets(directory.path(), Network::Regtest).into_iter().map(|(name, _)| name).collect();
    names.sort();
    assert_eq!(names, ["", "a", "b/c"]);
}
