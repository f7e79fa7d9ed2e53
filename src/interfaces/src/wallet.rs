//! Wallets as node and GUI see them.

use std::sync::Arc;

use bitcoin::{Amount, FeeRate, OutPoint, Transaction, TxOut, Txid};

use crate::{BoxFuture, Result, RpcCommand, RpcError, RpcRequest, Subscription};

/// The wallet side of the program: finds, opens and serves wallets.
///
/// Implemented by the wallet; called by the node and the GUI from any thread.
pub trait WalletLoader: Send + Sync {
    /// Opens the wallets configured for start-up and catches up with the chain. Called once. The inner error is what
    /// to tell the user before shutting down.
    fn load_wallets(&self) -> Result<std::result::Result<(), WalletError>>;

    /// Lists the RPC commands that [`WalletLoader::execute_rpc`] answers.
    fn rpc_commands(&self) -> Result<Vec<RpcCommand>>;

    /// Executes one RPC command; the result is JSON text.
    fn execute_rpc(&self, request: RpcRequest) -> Result<std::result::Result<String, RpcError>>;

    /// Says whether there are commands that [`Self::execute_rpc_async`] takes.
    fn runs_elsewhere(&self) -> bool {
        false
    }

    /// Like [`Self::execute_rpc`] without keeping the calling thread, where the work is done elsewhere.
    fn execute_rpc_async(&self, _request: &RpcRequest) -> Option<BoxFuture<std::result::Result<String, RpcError>>> {
        None
    }

    /// Returns the help text of one command; `None` if it is not the wallet's.
    fn rpc_help(&self, command: String) -> Result<Option<String>>;

    /// Makes a new wallet and opens it.
    fn create_wallet(&self, request: CreateWallet) -> Result<std::result::Result<Arc<dyn Wallet>, WalletError>>;

    /// Opens a wallet of the wallet directory.
    fn load_wallet(&self, name: String) -> Result<std::result::Result<Arc<dyn Wallet>, WalletError>>;

    /// Returns the open wallets.
    fn wallets(&self) -> Result<Vec<Arc<dyn Wallet>>>;

    /// Returns the names of the wallets in the wallet directory, open or not.
    fn list_wallet_dir(&self) -> Result<Vec<String>>;

    /// Sets the clock (`setmocktime`), Unix seconds; `None` returns to the system's.
    fn set_mock_time(&self, time: Option<i64>) -> Result<()>;

    /// Writes everything to disk and closes all wallets. Idempotent; called at shutdown.
    fn stop(&self) -> Result<()>;

    /// Opens the log file of the wallet's process anew at the next line, after it was moved away (SIGHUP).
    fn reopen_log(&self) -> Result<()>;
}

/// One open wallet.
///
/// Implemented by the wallet; called by the node and the GUI from any thread. After the wallet is unloaded every
/// method returns [`crate::Error::Internal`].
pub trait Wallet: Send + Sync {
    /// Returns name, state and counts.
    fn info(&self) -> Result<WalletInfo>;

    /// Returns the balances.
    fn balances(&self) -> Result<Balances>;

    /// Returns a fresh receiving address.
    fn new_address(
        &self,
        label: String,
        address_type: Option<AddressType>,
    ) -> Result<std::result::Result<String, WalletError>>;

    /// Returns the unspent outputs.
    fn coins(&self) -> Result<Vec<WalletCoin>>;

    /// Returns up to `count` transactions, latest first, after leaving out the first `skip`.
    fn transactions(&self, skip: u32, count: u32) -> Result<Vec<WalletTransaction>>;

    /// Returns one transaction.
    fn transaction(&self, txid: Txid) -> Result<Option<WalletTransaction>>;

    /// Pays: selects coins, signs, records and broadcasts.
    fn spend(&self, spend: Spend) -> Result<std::result::Result<Txid, WalletError>>;

    /// Encrypts the keys with a passphrase; the wallet is locked afterwards.
    fn encrypt(&self, passphrase: String) -> Result<std::result::Result<(), WalletError>>;

    /// Unlocks the keys for `seconds`.
    fn unlock(&self, passphrase: String, seconds: i64) -> Result<std::result::Result<(), WalletError>>;

    /// Locks the keys.
    fn lock(&self) -> Result<std::result::Result<(), WalletError>>;

    /// Registers for events of this wallet.
    fn subscribe(&self, notifications: Arc<dyn WalletNotifications>) -> Result<Arc<dyn Subscription>>;
}

/// Receives a wallet's events, in order, on a thread of the sender's.
pub trait WalletNotifications: Send + Sync {
    /// A transaction is new or changed state.
    fn transaction_changed(&self, txid: Txid) -> Result<()>;

    /// The wallet was encrypted, locked or unlocked.
    fn status_changed(&self) -> Result<()>;

    /// The wallet was unloaded; no event follows.
    fn unloaded(&self) -> Result<()>;
}

/// Why a wallet operation was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletError {
    /// JSON-RPC error code of the same refusal (Bitcoin Core `rpc/protocol.h`).
    pub code: i32,
    /// What to tell the user.
    pub message: String,
}

/// A wallet to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateWallet {
    /// Name, relative to the wallet directory.
    pub name: String,
    /// Watch only: holds no private keys.
    pub disable_private_keys: bool,
    /// Starts without keys or descriptors.
    pub blank: bool,
    /// Encrypts the keys with this; not encrypted if empty.
    pub passphrase: String,
    /// Spends coins to an address together.
    pub avoid_reuse: bool,
    /// Load it at start-up from now on (`Some(true)`), never (`Some(false)`), or as before.
    pub load_on_startup: Option<bool>,
}

/// State of a wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletInfo {
    /// Name, relative to the wallet directory.
    pub name: String,
    /// Holds private keys.
    pub private_keys: bool,
    /// The keys are encrypted.
    pub encrypted: bool,
    /// The keys are locked.
    pub locked: bool,
    /// Number of transactions.
    pub transactions: u64,
    /// Height of the last block processed.
    pub height: u32,
}

/// Sums over a wallet's coins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balances {
    /// Confirmed, or own change not yet confirmed.
    pub trusted: Amount,
    /// Unconfirmed and from others.
    pub untrusted_pending: Amount,
    /// From coinbases that cannot be spent yet.
    pub immature: Amount,
}

/// Kind of address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressType {
    /// P2PKH.
    Legacy,
    /// P2SH-P2WPKH.
    P2shSegwit,
    /// P2WPKH.
    Bech32,
    /// P2TR.
    Bech32m,
}

/// An unspent output of the wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletCoin {
    /// Where it is.
    pub outpoint: OutPoint,
    /// What it is.
    pub output: TxOut,
    /// Confirmations; 0 while in the mempool.
    pub depth: u32,
    /// The keys to spend it are in the wallet.
    pub spendable: bool,
    /// Confirmed, or from ourselves.
    pub safe: bool,
}

/// A transaction of the wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletTransaction {
    /// The transaction.
    pub transaction: Transaction,
    /// Received minus sent, in satoshi.
    pub net: i64,
    /// Confirmations; 0 if unconfirmed, negative if that many blocks deep in conflict.
    pub depth: i32,
    /// When the wallet first saw it, Unix seconds.
    pub time: i64,
    /// A coinbase.
    pub coinbase: bool,
}

/// One output to pay to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Address on the wallet's chain.
    pub address: String,
    /// Amount to pay.
    pub amount: Amount,
    /// Take the fee from this amount.
    pub subtract_fee: bool,
}

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spend {
    /// Whom to pay.
    pub recipients: Vec<Recipient>,
    /// Fee rate; estimated if `None`.
    pub fee_rate: Option<FeeRate>,
    /// Text kept with the transaction.
    pub comment: String,
}
