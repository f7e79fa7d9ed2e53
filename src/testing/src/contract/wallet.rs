//! What every wallet side must do.

use std::sync::Arc;

use bitcoin::hashes::Hash;
use bitcoin::{Amount, FeeRate, Txid};
use interfaces::{AddressType, CreateWallet, Recipient, RpcRequest, Spend, Wallet, WalletLoader};

use crate::{WalletEvent, WalletRecorder};

fn new_wallet(name: &str) -> CreateWallet {
    CreateWallet {
        name: name.to_owned(),
        disable_private_keys: false,
        blank: false,
        passphrase: String::new(),
        avoid_reuse: false,
        load_on_startup: None,
    }
}

/// Checks a wallet side without wallets. Calls every method.
pub fn wallet_loader(loader: &Arc<dyn WalletLoader>) {
    assert_eq!(loader.load_wallets().unwrap(), Ok(()));
    assert_eq!(loader.wallets().unwrap().len(), 0);

    let commands = loader.rpc_commands().unwrap();
    let command = commands.first().expect("a wallet side has commands");
    assert!(loader.rpc_help(command.name.clone()).unwrap().is_some());
    assert_eq!(loader.rpc_help("nosuchcommand".to_owned()).unwrap(), None);
    let request = RpcRequest {
        method: "nosuchcommand".to_owned(),
        params: "[]".to_owned(),
        uri: "/".to_owned(),
        user: "user".to_owned(),
        tip: None,
    };
    assert_eq!(loader.execute_rpc(request).unwrap().map_err(|error| error.code), Err(-32601));

    let made = loader.create_wallet(new_wallet("contract")).unwrap().expect("a new wallet can be made");
    assert_eq!(made.info().unwrap().name, "contract");
    let again = loader.create_wallet(new_wallet("contract")).unwrap();
    assert_eq!(again.err().map(|error| error.code), Some(-4));
    let missing = loader.load_wallet("nosuchwallet".to_owned()).unwrap();
    assert_eq!(missing.err().map(|error| error.code), Some(-18));
    let twice = loader.load_wallet("contract".to_owned()).unwrap();
    assert_eq!(twice.err().map(|error| error.code), Some(-35));
    let open = loader.wallets().unwrap();
    assert_eq!(open.iter().map(|wallet| wallet.info().unwrap().name).collect::<Vec<_>>(), ["contract"]);
    assert!(loader.list_wallet_dir().unwrap().contains(&"contract".to_owned()));

    wallet(&made);

    loader.set_mock_time(Some(1_700_000_000)).unwrap();
    loader.set_mock_time(None).unwrap();
    loader.reopen_log().unwrap();

    let recorder = Arc::new(WalletRecorder::default());
    let subscription = made.subscribe(recorder.clone()).unwrap();
    loader.stop().unwrap();
    assert_eq!(recorder.wait(1), [WalletEvent::Unloaded]);
    loader.stop().unwrap();
    drop(subscription);
    assert_eq!(loader.wallets().unwrap().len(), 0);
}

/// Checks a wallet that is not encrypted. Calls every method and leaves the wallet encrypted.
pub fn wallet(wallet: &Arc<dyn Wallet>) {
    let info = wallet.info().unwrap();
    assert!(info.private_keys && !info.encrypted && !info.locked);
    let balances = wallet.balances().unwrap();
    let coins = wallet.coins().unwrap();
    let spendable: Amount = coins.iter().map(|coin| coin.output.value).sum();
    assert!(spendable >= balances.trusted);

    let mut addresses = Vec::new();
    for kind in [
        None,
        Some(AddressType::Legacy),
        Some(AddressType::P2shSegwit),
        Some(AddressType::Bech32),
        Some(AddressType::Bech32m),
    ] {
        let address = wallet.new_address("label".to_owned(), kind).unwrap().unwrap();
        assert!(!addresses.contains(&address));
        addresses.push(address);
    }
    let refused = wallet.new_address("*".to_owned(), None).unwrap();
    assert_eq!(refused.map_err(|error| error.code), Err(-11));

    let known = wallet.transactions(0, 1000).unwrap();
    assert_eq!(known.len() as u64, info.transactions);
    assert_eq!(wallet.transaction(Txid::from_byte_array([7; 32])).unwrap(), None);
    for one in known.iter().take(3) {
        let found = wallet.transaction(one.transaction.compute_txid()).unwrap();
        assert_eq!(found.map(|found| found.transaction), Some(one.transaction.clone()));
    }

    let recorder = Arc::new(WalletRecorder::default());
    let subscription = wallet.subscribe(recorder.clone()).unwrap();
    let recipient =
        |address: &str, amount: Amount| Recipient { address: address.to_owned(), amount, subtract_fee: false };
    let spend = |recipients, fee_rate| Spend { recipients, fee_rate, comment: "contract".to_owned() };
    let invalid = spend(vec![recipient("nonsense", Amount::ONE_BTC)], None);
    assert_eq!(wallet.spend(invalid).unwrap().map_err(|error| error.code), Err(-5));
    let rate = FeeRate::from_sat_per_kwu(500);
    let too_much = spend(vec![recipient(crate::wallet::ADDRESS, Amount::MAX_MONEY)], Some(rate));
    assert_eq!(wallet.spend(too_much).unwrap().map_err(|error| error.code), Err(-6));

    let mut events = 0;
    if balances.trusted > Amount::ONE_BTC {
        let pay = spend(vec![recipient(crate::wallet::ADDRESS, Amount::ONE_BTC)], Some(rate));
        let txid = wallet.spend(pay).unwrap().unwrap();
        events += 1;
        assert!(recorder.wait(events).contains(&WalletEvent::Transaction(txid)));
        assert!(wallet.transaction(txid).unwrap().is_some());
    }

    let code = |result: Result<(), interfaces::WalletError>| result.map_err(|error| error.code);
    assert_eq!(code(wallet.lock().unwrap()), Err(-15));
    assert_eq!(code(wallet.unlock("correct horse".to_owned(), 60).unwrap()), Err(-15));
    assert_eq!(code(wallet.encrypt("correct horse".to_owned()).unwrap()), Ok(()));
    assert_eq!(code(wallet.encrypt("again".to_owned()).unwrap()), Err(-15));
    assert_eq!(code(wallet.unlock("wrong horse".to_owned(), 60).unwrap()), Err(-14));
    let info = wallet.info().unwrap();
    assert!(info.encrypted && info.locked);
    assert_eq!(code(wallet.unlock("correct horse".to_owned(), 60).unwrap()), Ok(()));
    assert!(!wallet.info().unwrap().locked);
    assert_eq!(code(wallet.lock().unwrap()), Ok(()));
    assert!(recorder.wait(events + 3).contains(&WalletEvent::Status));
    drop(subscription);
}
