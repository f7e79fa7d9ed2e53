//! Faults of the wallet file: another chain's, truncated, locked, not a wallet at all.

use super::*;

fn made(network: Network) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut database = Database::create(directory.path(), network, false).unwrap();
    let rows: Vec<Op> = (0..2000u32).map(|n| Op::Put(n.to_be_bytes().to_vec(), vec![7; 50])).collect();
    database.write(&rows).unwrap();
    database.publish().unwrap();
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
fn nothing_ends_the_lock_of_an_open_file() {
    let directory = made(Network::Regtest);
    let path = directory.path().join(DATA_FILE);
    let open = Database::open(directory.path(), Network::Regtest, false).unwrap();
    // Each of these opens the file and closes it again, which ends the POSIX locks of a process.
    assert_eq!(list_wallets(directory.path(), Network::Regtest).len(), 1);
    assert!(matches!(Database::create(directory.path(), Network::Regtest, false), Err(DbError::Exists(_))));
    std::os::unix::fs::symlink(directory.path(), directory.path().join("link")).unwrap();
    assert_eq!(error(&directory.path().join("link"), Network::Regtest), DbError::Locked.to_string());
    drop(fs::File::open(&path).unwrap());
    // As Bitcoin Core opens it.
    let core = Connection::open(&path).unwrap();
    core.busy_timeout(std::time::Duration::ZERO).unwrap();
    let refusal = core.execute_batch("BEGIN EXCLUSIVE TRANSACTION").unwrap_err();
    assert_eq!(refusal.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy));
    drop(open);
    core.execute_batch("BEGIN EXCLUSIVE TRANSACTION").unwrap();
    assert!(matches!(lock::FileLock::acquire_within(&path, false, std::time::Duration::ZERO), Ok(Locking::Taken)));
}

#[test]
fn a_wallet_is_there_once_it_is_complete() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("w");
    let mut database = Database::create(&directory, Network::Regtest, false).unwrap();
    database.write(&[Op::Put(vec![1], vec![2])]).unwrap();
    assert!(list_wallets(parent.path(), Network::Regtest).is_empty());
    let second = Database::create(&directory, Network::Regtest, false).err().expect("it is being made");
    assert_eq!(second.to_string(), DbError::Locked.to_string());
    drop(database);
    assert!(!directory.exists());
    // What a process leaves that was killed meanwhile is in nobody's way.
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join(NEW_FILE), "half").unwrap();
    fs::write(directory.join(NEW_FILE.to_owned() + "-journal"), "half").unwrap();
    let mut database = Database::create(&directory, Network::Regtest, false).unwrap();
    database.write(&[Op::Put(vec![1], vec![2])]).unwrap();
    database.publish().unwrap();
    drop(database);
    let files: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, [DATA_FILE]);
    let database = Database::open(&directory, Network::Regtest, false).unwrap();
    assert_eq!(database.records().unwrap(), [(vec![1], vec![2])]);
}

#[test]
fn erased_and_replaced_bytes_are_in_no_file() {
    let secret = |n: u8| [n, 0x5a].repeat(20);
    let found = |directory: &Path, secret: &[u8]| {
        let files = fs::read_dir(directory).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
        files.filter(|bytes| bytes.windows(secret.len()).any(|window| window == secret)).count()
    };
    let directory = made(Network::Regtest);
    let mut database = Database::open(directory.path(), Network::Regtest, false).unwrap();
    let rows = |tag: u8| (0..200u8).map(move |n| Op::Put(vec![tag, n], secret(n)));
    database.write(&rows(200).collect::<Vec<_>>()).unwrap();
    assert_eq!(found(directory.path(), &secret(100)), 1);
    let replaced = (0..100u8).map(|n| Op::Put(vec![200, n], secret(0)));
    database.write(&replaced.chain((100..200).map(|n| Op::Erase(vec![200, n]))).collect::<Vec<_>>()).unwrap();
    for n in 1..200 {
        assert_eq!(found(directory.path(), &secret(n)), 0, "{n}");
    }
}

#[test]
fn a_refused_file_stays_as_it_was() {
    for cut in [1, 2, 100, 4095, 4096, 5000] {
        let directory = made(Network::Regtest);
        let path = directory.path().join(DATA_FILE);
        let whole = fs::read(&path).unwrap();
        let damaged = &whole[..whole.len() - cut];
        fs::write(&path, damaged).unwrap();
        error(directory.path(), Network::Regtest);
        assert!(fs::read(&path).unwrap() == damaged, "{cut}");
        assert!(!journal_of(&path).exists(), "{cut}");
    }
}

#[test]
fn a_pipe_in_the_place_of_the_file_is_no_wallet() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(DATA_FILE);
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    assert!(list_wallets(directory.path(), Network::Regtest).is_empty());
    assert!(error(directory.path(), Network::Regtest).ends_with("Data is not in recognized format."));
    assert!(matches!(Database::create(directory.path(), Network::Regtest, false), Err(DbError::Exists(_))));
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
        Database::create(&directory.path().join(name), Network::Regtest, true).unwrap().publish().unwrap();
    }
    Database::create(&directory.path().join("other"), Network::Bitcoin, true).unwrap().publish().unwrap();
    let mut names: Vec<String> =
        list_wallets(directory.path(), Network::Regtest).into_iter().map(|(name, _)| name).collect();
    names.sort();
    assert_eq!(names, ["", "a", "b/c"]);
}
