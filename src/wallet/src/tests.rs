//! Whole wallets over a scripted chain, driven through the same interface as the node uses.

mod behind;
mod contract;
mod draft;
mod encryption;
mod fake;
mod follow;
mod history;
mod keys;
mod resend;
mod signing;
mod spend;
mod track;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use interfaces::{ProcessConfig, RpcError, RpcRequest, Setting, WalletLoader};
use serde_json::Value;

use crate::loader::Loader;
use crate::options::Options;
use crate::service::Service;
use crate::wallet::Wallet;
use fake::FakeChain;

/// An address of no wallet.
const AWAY: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
/// How long to wait for a thread before a test has failed.
const LIMIT: Duration = Duration::from_secs(30);

/// A wallet directory, a chain, and the wallet side of the program over them.
struct Bench {
    directory: tempfile::TempDir,
    chain: Arc<FakeChain>,
    loader: Arc<dyn WalletLoader>,
    /// What `loader` serves.
    wallets: Arc<Loader>,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let chain = Arc::new(FakeChain::new());
        let (loader, wallets) = start(&directory, &chain, &[]);
        Bench { directory, chain, loader, wallets }
    }

    /// Makes a bench with a wallet `w` that has so many mature coins of 50 BTC.
    fn with_coins(count: u32) -> Self {
        let bench = Bench::new();
        bench.call("", "createwallet", serde_json::json!(["w"]));
        bench.mine(count, &bench.address("w", "bech32"));
        bench.mine(100, AWAY);
        bench
    }

    /// Ends the process without telling the wallets, then starts it again with these wallets.
    fn restart(&mut self, wallets: &[&str]) {
        // Dropping closes the file like the end of a process does; nothing more is written.
        self.chain.forget_subscribers();
        (self.loader, self.wallets) = start(&tempfile::tempdir().unwrap(), &self.chain, &[]);
        (self.loader, self.wallets) = start(&self.directory, &self.chain, wallets);
        self.loader.load_wallets().unwrap().unwrap();
    }

    /// Returns an open wallet.
    fn wallet(&self, name: &str) -> Arc<Wallet> {
        self.wallets.find(name).unwrap()
    }

    fn try_call(&self, wallet: &str, method: &str, params: Value) -> Result<Value, RpcError> {
        let (method, params) = (method.to_owned(), params.to_string());
        let request = RpcRequest { method, params, uri: format!("/wallet/{wallet}"), user: String::new(), tip: None };
        Ok(serde_json::from_str(&self.loader.execute_rpc(request).unwrap()?).unwrap())
    }

    fn call(&self, wallet: &str, method: &str, params: Value) -> Value {
        self.try_call(wallet, method, params).unwrap_or_else(|error| panic!("{method}: {error:?}"))
    }

    /// Expects a refusal.
    fn refused(&self, wallet: &str, method: &str, params: Value, code: i32, text: &str) {
        let error = self.try_call(wallet, method, params).expect_err(method);
        assert_eq!(error.code, code, "{}", error.message);
        assert!(error.message.contains(text), "{}", error.message);
    }

    fn address(&self, wallet: &str, kind: &str) -> String {
        self.call(wallet, "getnewaddress", serde_json::json!(["", kind])).as_str().unwrap().to_owned()
    }

    /// Trusted, untrusted and immature balance, as printed.
    fn balances(&self, wallet: &str) -> [String; 3] {
        let mine = &self.call(wallet, "getbalances", Value::Null)["mine"];
        ["trusted", "untrusted_pending", "immature"].map(|key| mine[key].to_string())
    }

    /// Mines blocks that pay `address`; the wallets see them.
    fn mine(&self, blocks: u32, address: &str) {
        (0..blocks).for_each(|_| self.chain.mine(address));
        self.chain.deliver();
    }
}

/// Waits until `condition` holds.
fn eventually(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < LIMIT, "waited in vain until {what}");
        thread::yield_now();
    }
}

fn start(
    directory: &tempfile::TempDir,
    chain: &Arc<FakeChain>,
    wallets: &[&str],
) -> (Arc<dyn WalletLoader>, Arc<Loader>) {
    let setting = |name: &str, values: &[&str]| Setting {
        name: name.to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    let path = directory.path().to_str().unwrap().to_owned();
    let config = ProcessConfig {
        chain: "regtest".to_owned(),
        net_datadir: path.clone(),
        wallet_dir: path,
        settings: vec![
            setting("keypool", &["2"]),
            setting("fallbackfee", &["0.0002"]),
            setting("unsafesqlitesync", &["1"]),
            setting("rpcdoccheck", &["1"]),
            setting("wallet", wallets),
        ],
    };
    sqlite_memory::install();
    let loader = Arc::new(Loader::new(Options::new(&config).unwrap(), chain.clone()));
    (Arc::new(Service::new(loader.clone())), loader)
}
