//! A bootstrap object that offers fakes.

use std::sync::Arc;

use interfaces::{
    Chain, ClientV30, Echo, Error, Identity, Init, Mining, MiningV30, ProcessConfig, Result, Rpc, Setting, WalletLoader,
};

use crate::{FakeMining, FakeRpc, FakeWalletLoader, RpcHook};

/// Returns what it is sent.
pub struct FakeEcho;

impl Echo for FakeEcho {
    fn echo(&self, echo: String) -> Result<String> {
        Ok(echo)
    }
}

/// Offers [`FakeEcho`], [`FakeMining`], [`FakeRpc`] and [`FakeWalletLoader`].
#[derive(Default)]
pub struct FakeInit {
    hook: Option<RpcHook>,
}

impl FakeInit {
    /// Has the wallet loader answer RPC commands it does not know with `hook`.
    pub fn with_hook(hook: RpcHook) -> Self {
        FakeInit { hook: Some(hook) }
    }
}

/// A program that does not exist.
pub fn identity(program: &str) -> Identity {
    let text = |text: &str| text.to_owned();
    Identity { program: text(program), version: text("v1.2.3"), build: text("0123abc"), network: text("regtest") }
}

impl Init for FakeInit {
    fn introduce(&self, _: Identity) -> Result<Identity> {
        Ok(identity("fake"))
    }

    fn make_echo(&self) -> Result<Arc<dyn Echo>> {
        Ok(Arc::new(FakeEcho))
    }

    fn make_mining(&self) -> Result<Arc<dyn Mining>> {
        Ok(Arc::new(FakeMining::new()))
    }

    fn make_mining_old2(&self, client: Option<ClientV30>) -> Result<Arc<dyn MiningV30>> {
        match client {
            Some(ClientV30 {}) => Ok(interfaces::mining_as_v30(self.make_mining()?)),
            None => Err(Error::internal("no client of version 30")),
        }
    }

    fn make_rpc(&self) -> Result<Arc<dyn Rpc>> {
        Ok(Arc::new(FakeRpc))
    }

    fn make_wallet_loader(&self, config: ProcessConfig, chain: Arc<dyn Chain>) -> Result<Arc<dyn WalletLoader>> {
        Ok(Arc::new(FakeWalletLoader::new(config, chain, self.hook.clone())))
    }
}

/// A configuration with every field filled in.
pub fn config() -> ProcessConfig {
    let setting = |name: &str, values: &[&str]| Setting {
        name: name.to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    ProcessConfig {
        chain: "regtest".to_owned(),
        net_datadir: "/datadir/regtest".to_owned(),
        wallet_dir: "/datadir/regtest/wallets".to_owned(),
        settings: vec![setting("wallet", &["a", "b"]), setting("txindex", &[]), setting("rpcpassword", &["hunter2"])],
    }
}
