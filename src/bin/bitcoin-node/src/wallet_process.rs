//! The wallet process: found, started, watched and waited for. It is the only place that knows the wallet to be
//! elsewhere; node and RPC server see an `interfaces::WalletLoader` like any other.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use interfaces::{
    Chain, CreateWallet, Error, ProcessConfig, Result, RpcCommand, RpcError, RpcRequest, Wallet, WalletError,
    WalletLoader,
};

/// Name of the program.
const PROGRAM: &str = "bitcoin-wallet";

/// Starts the wallet process and connects to it.
pub fn start(config: ProcessConfig, chain: Arc<dyn Chain>) -> Result<Arc<dyn WalletLoader>> {
    let program = find()?;
    log::debug!(target: "ipc", "starting {}", program.display());
    let child = ipc::spawn(&program).map_err(|error| {
        Error::internal(format!("cannot run {}: {error}; reinstall it, or start with -disablewallet", program.display()))
    })?;
    let loader = child.init().make_wallet_loader(config, chain)?;
    Ok(Arc::new(WalletProcess { loader, child: Mutex::new(Some(child)) }))
}

/// Looks for the program beside this one, under the name it was called by and the real one, and in `../libexec`.
fn find() -> Result<PathBuf> {
    let real = std::env::current_exe().ok();
    let called = std::env::args_os().next().map(PathBuf::from).filter(|path| path.components().count() > 1);
    let directories = [called, real].into_iter().flatten().filter_map(|path| path.parent().map(Path::to_owned));
    let candidates: Vec<PathBuf> = directories
        .flat_map(|directory| [directory.join(PROGRAM), directory.join("../libexec").join(PROGRAM)])
        .collect();
    candidates.iter().find(|path| path.is_file()).cloned().ok_or_else(|| {
        let places: Vec<String> = candidates.iter().map(|path| path.display().to_string()).collect();
        Error::internal(format!(
            "{PROGRAM} not found at {}; install it there, or start with -disablewallet",
            places.join(" or ")
        ))
    })
}

/// The wallets of the process.
struct WalletProcess {
    loader: Arc<dyn WalletLoader>,
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
        let stopped = self.loader.stop();
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(child) = child {
            child.close();
        }
        stopped
    }
}
