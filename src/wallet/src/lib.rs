//! The descriptor wallet: keys, coins, payments, the wallet file, and the wallet's RPC commands.
//!
//! The same code runs inside `bitcoind` and as the `bitcoin-wallet` process. It reaches the node through
//! [`interfaces::Chain`] only, and is reached through the [`interfaces::WalletLoader`] that [`loader`] makes.
//!
//! A change to a wallet is computed, written to its file in one transaction, and only then applied: see
//! [`records::Change`] and [`state::State::commit`]. Loading replays the file through the same types.
//!
//! **Invariant:** nothing the wallet reports, and nothing it tells the node, is missing from its file.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed"))]

use std::sync::Arc;

use interfaces::{Chain, Error, ProcessConfig, Result, WalletLoader};

mod balance;
mod crypter;
mod db;
mod describe;
mod descriptor;
mod error;
mod events;
mod fees;
mod loader;
mod manager;
mod options;
mod records;
mod relock;
mod resend;
mod rpc;
mod selection;
mod serialize;
mod service;
mod state;
mod track;
mod wallet;

#[cfg(test)]
mod tests;

/// Makes the wallet side of the program. Nothing is opened before [`WalletLoader::load_wallets`].
///
/// Fails if an option has a value it cannot take.
pub fn loader(config: ProcessConfig, chain: Arc<dyn Chain>) -> Result<Arc<dyn WalletLoader>> {
    if !sqlite_memory::install() {
        log::warn!("SQLite was in use before; it does not wipe the memory that it frees");
    }
    let options = options::Options::new(&config).map_err(Error::internal)?;
    Ok(Arc::new(service::Service::new(Arc::new(loader::Loader::new(options, chain)))))
}
