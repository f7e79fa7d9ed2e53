//! A wallet side in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use interfaces::{
    Chain, CreateWallet, ProcessConfig, Result, RpcCommand, RpcError, RpcRequest, Wallet, WalletError, WalletLoader,
};

use crate::FakeWallet;

/// Answers RPC commands that the fake does not know.
pub type RpcHook =
    Arc<dyn Fn(&RpcRequest, &Arc<dyn Chain>) -> Result<std::result::Result<String, RpcError>> + Send + Sync>;

/// A wallet side in memory. Its RPC commands are `echo`, which returns its parameters, and `height`, which asks the
/// chain; a hook may add more.
pub struct FakeWalletLoader {
    config: ProcessConfig,
    chain: Arc<dyn Chain>,
    hook: Option<RpcHook>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Wallets by name; open ones are `Some`.
    wallets: BTreeMap<String, Option<Arc<FakeWallet>>>,
    mock_time: Option<i64>,
}

fn refuse<T>(code: i32, message: &str) -> Result<std::result::Result<T, WalletError>> {
    Ok(Err(WalletError { code, message: message.to_owned() }))
}

impl FakeWalletLoader {
    /// Makes one without wallets.
    pub fn new(config: ProcessConfig, chain: Arc<dyn Chain>, hook: Option<RpcHook>) -> Self {
        FakeWalletLoader { config, chain, hook, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WalletLoader for FakeWalletLoader {
    fn load_wallets(&self) -> Result<std::result::Result<(), WalletError>> {
        let status = self.chain.status()?;
        if status.chain != self.config.chain {
            return refuse(-4, "wallet of another chain");
        }
        Ok(Ok(()))
    }

    fn rpc_commands(&self) -> Result<Vec<RpcCommand>> {
        let command = |name: &str, args: &[&str], hidden| RpcCommand {
            name: name.to_owned(),
            category: "wallet".to_owned(),
            hidden,
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        };
        Ok(vec![command("echo", &["a|b", "c"], true), command("height", &[], false)])
    }

    fn execute_rpc(&self, request: RpcRequest) -> Result<std::result::Result<String, RpcError>> {
        match (request.method.as_str(), &self.hook) {
            ("echo", _) => Ok(Ok(request.params)),
            ("height", _) => Ok(Ok(self.chain.status()?.tip.height.to_string())),
            ("mocktime", _) => Ok(Ok(format!("{:?}", self.state().mock_time))),
            (_, Some(hook)) => hook(&request, &self.chain),
            (_, None) => Ok(Err(RpcError { code: -32601, message: "Method not found".to_owned() })),
        }
    }

    fn rpc_help(&self, command: String) -> Result<Option<String>> {
        Ok((command == "echo").then(|| "echo ( a c )\n".to_owned()))
    }

    fn create_wallet(&self, request: CreateWallet) -> Result<std::result::Result<Arc<dyn Wallet>, WalletError>> {
        let mut state = self.state();
        if state.wallets.contains_key(&request.name) {
            return refuse(-4, "Failed to create database path: database already exists.");
        }
        let wallet = Arc::new(FakeWallet::new(request.clone(), self.chain.clone()));
        state.wallets.insert(request.name, Some(wallet.clone()));
        Ok(Ok(wallet))
    }

    fn load_wallet(&self, name: String) -> Result<std::result::Result<Arc<dyn Wallet>, WalletError>> {
        match self.state().wallets.get(&name) {
            None => refuse(-18, "Wallet file verification failed. Path does not exist."),
            Some(Some(_)) => refuse(-35, "Wallet is already loaded."),
            Some(None) => refuse(-4, "a fake forgets its wallets when it stops"),
        }
    }

    fn wallets(&self) -> Result<Vec<Arc<dyn Wallet>>> {
        let open = self.state().wallets.values().flatten().cloned().collect::<Vec<_>>();
        Ok(open.into_iter().map(|wallet| wallet as Arc<dyn Wallet>).collect())
    }

    fn list_wallet_dir(&self) -> Result<Vec<String>> {
        Ok(self.state().wallets.keys().cloned().collect())
    }

    fn set_mock_time(&self, time: Option<i64>) -> Result<()> {
        self.state().mock_time = time;
        Ok(())
    }

    fn stop(&self) -> Result<()> {
        let mut state = self.state();
        let open: Vec<_> = state.wallets.values_mut().filter_map(Option::take).collect();
        drop(state);
        open.iter().for_each(|wallet| wallet.unload());
        Ok(())
    }

    fn reopen_log(&self) -> Result<()> {
        Ok(())
    }
}
