//! The wallet process: found, started, watched and waited for. It is the only place that knows the wallet to be
//! elsewhere; node and RPC server see an `interfaces::WalletLoader` like any other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use interfaces::{
    BoxFuture, Chain, CreateWallet, Error, ProcessConfig, Result, RpcCommand, RpcError, RpcRequest, Wallet,
    WalletError, WalletLoader,
};

/// Name of the program.
const PROGRAM: &str = "bitcoin-wallet";

/// Starts the wallet process and connects to it.
pub fn start(config: ProcessConfig, chain: Arc<dyn Chain>) -> Result<Arc<dyn WalletLoader>> {
    let advice = |error: ipc::Error| Error::internal(format!("{error}; reinstall it, or start with -disablewallet"));
    let program = ipc::find_program(PROGRAM).map_err(advice)?;
    let child = ipc::spawn(&program).map_err(advice)?;
    let pid = child.pid();
    log::info!("wallet process {pid} started: {}", program.display());
    let stopping = Arc::new(AtomicBool::new(false));
    child.on_disconnect({
        let stopping = stopping.clone();
        move || {
            if !stopping.load(Ordering::Acquire) {
                log::error!(
                    "the wallet process {pid} is gone; the node goes on without wallets. Restart it to have them back, \
                     and see wallet.log for the cause"
                );
            }
        }
    });
    match child.init().make_wallet_loader(config, chain) {
        Ok(loader) => Ok(Arc::new(WalletProcess { loader, stopping, child: Mutex::new(Some(child)) })),
        Err(error) => {
            stopping.store(true, Ordering::Release);
            child.close();
            Err(error)
        }
    }
}

/// The wallets of the process.
struct WalletProcess {
    loader: Arc<dyn WalletLoader>,
    stopping: Arc<AtomicBool>,
    child: Mutex<Option<ipc::Connection>>,
}

impl WalletLoader for WalletProcess {
    fn load_wallets(&self) -> Result<std::result::Result<(), WalletError>> {
        self.loader.load_wallets()
    }

    fn rpc_commands(&self) -> Result<Vec<RpcCommand>> {
        self.loader.rpc_commands()
    }

    fn execute_rpc(&self, request: RpcRequest) -> Result<std::result::Result<String, RpcError>> {
        self.loader.execute_rpc(request)
    }

    fn execute_rpc_async(&self, request: &RpcRequest) -> Option<BoxFuture<std::result::Result<String, RpcError>>> {
        self.loader.execute_rpc_async(request)
    }

    fn rpc_help(&self, command: String) -> Result<Option<String>> {
        self.loader.rpc_help(command)
    }

    fn create_wallet(&self, request: CreateWallet) -> Result<std::result::Result<Arc<dyn Wallet>, WalletError>> {
        self.loader.create_wallet(request)
    }

    fn load_wallet(&self, name: String) -> Result<std::result::Result<Arc<dyn Wallet>, WalletError>> {
        self.loader.load_wallet(name)
    }

    fn wallets(&self) -> Result<Vec<Arc<dyn Wallet>>> {
        self.loader.wallets()
    }

    fn list_wallet_dir(&self) -> Result<Vec<String>> {
        self.loader.list_wallet_dir()
    }

    fn set_mock_time(&self, time: Option<i64>) -> Result<()> {
        self.loader.set_mock_time(time)
    }

    /// Returns when the process is gone, so that nothing of the data directory is in use when the node has stopped.
    fn stop(&self) -> Result<()> {
        self.stopping.store(true, Ordering::Release);
        let stopped = self.loader.stop();
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(child) = child {
            child.close();
        }
        stopped
    }
}
