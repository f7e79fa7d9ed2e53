//! The bootstrap interface: the one object a process offers before it is asked for anything.

use std::sync::Arc;

use crate::{Chain, Echo, Error, Identity, Mining, MiningV30, Result, Rpc, WalletLoader};

/// First object on every connection. A process implements the makers of what it offers and leaves the rest
/// [`Error::Unsupported`]; a peer therefore gets only the interfaces it was handed.
pub trait Init: Send + Sync {
    /// Exchanges who both sides are: the first call of a client that has this method. A peer that does not, such as
    /// Bitcoin Core's programs, answers [`Error::Unsupported`], and is to be talked to all the same.
    fn introduce(&self, client: Identity) -> Result<Identity> {
        let _ = client;
        Err(Error::unsupported("Init.introduce"))
    }

    /// Makes an [`Echo`].
    fn make_echo(&self) -> Result<Arc<dyn Echo>> {
        Err(Error::unsupported("Init.makeEcho"))
    }

    /// Makes a [`Mining`]. Waits until the chain is loaded.
    fn make_mining(&self) -> Result<Arc<dyn Mining>> {
        Err(Error::unsupported("Init.makeMining"))
    }

    /// Makes a [`MiningV30`], for clients of that version: they alone send a [`ClientV30`].
    fn make_mining_old2(&self, client: Option<ClientV30>) -> Result<Arc<dyn MiningV30>> {
        let _ = client;
        Err(Error::unsupported("Init.makeMiningOld2"))
    }

    /// Makes an [`Rpc`].
    fn make_rpc(&self) -> Result<Arc<dyn Rpc>> {
        Err(Error::unsupported("Init.makeRpc"))
    }

    /// Makes the wallet side: called once by the node on a wallet process, with the node's configuration and the
    /// chain the wallets follow. Nothing is loaded before [`WalletLoader::load_wallets`].
    fn make_wallet_loader(&self, config: ProcessConfig, chain: Arc<dyn Chain>) -> Result<Arc<dyn WalletLoader>> {
        let _ = (config, chain);
        Err(Error::unsupported("Init.makeWalletLoader"))
    }
}

/// Says that the client is one of Bitcoin Core 30: it sends its threads where later clients send nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientV30 {}

/// What a spawned process needs to know, sent by its parent; it reads no command line or configuration file itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessConfig {
    /// Chain name: `main`, `test`, `testnet4`, `signet` or `regtest`.
    pub chain: String,
    /// Data directory of the chain, absolute.
    pub net_datadir: String,
    /// Directory that holds the wallets, absolute.
    pub wallet_dir: String,
    /// Effective options of the parent, in the order given: command line over configuration file.
    pub settings: Vec<Setting>,
}

/// One option with its effective values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Name without the dash.
    pub name: String,
    /// Values, most significant last; empty when negated.
    pub values: Vec<String>,
}
