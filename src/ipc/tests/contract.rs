//! The contract suites on the fakes and on the fakes behind a connection.

use std::sync::{Arc, Mutex};

use interfaces::{Chain, Echo, Error, Init, ProcessConfig, Result, WalletLoader};
use testing::{FakeChain, FakeEcho, FakeInit, FakeWalletLoader, contract};

use crate::link::link;

#[test]
fn echo() {
    contract::echo(&(Arc::new(FakeEcho) as Arc<dyn Echo>));
    let remote = link(FakeInit::default());
    contract::echo(&remote.init.make_echo().unwrap());
}

#[test]
fn all_that_init_offers() {
    let local: Arc<dyn Init> = Arc::new(FakeInit::default());
    contract::init(&local, FakeChain::new(5));
    let remote = link(FakeInit::default());
    contract::init(&remote.init, FakeChain::new(5));
}

/// Keeps what the other side was handed.
#[derive(Default)]
struct Keep(Mutex<Option<(ProcessConfig, Arc<dyn Chain>)>>);

struct KeepInit(Arc<Keep>);

impl Init for KeepInit {
    fn make_wallet_loader(&self, config: ProcessConfig, chain: Arc<dyn Chain>) -> Result<Arc<dyn WalletLoader>> {
        *self.0.0.lock().unwrap() = Some((config.clone(), chain.clone()));
        Ok(Arc::new(FakeWalletLoader::new(config, chain, None)))
    }
}

#[test]
fn chain() {
    let fake = FakeChain::new(5);
    let local: Arc<dyn Chain> = fake.clone();
    contract::chain(&local);
    contract::fake_chain(&local, &fake);

    // The chain crosses as an argument: the server of the connection is the chain's client.
    let fake = FakeChain::new(5);
    let keep = Arc::new(Keep::default());
    let remote = link(KeepInit(keep.clone()));
    let loader = remote.init.make_wallet_loader(testing::config(), fake.clone()).unwrap();
    let (config, chain) = keep.0.lock().unwrap().take().unwrap();
    assert_eq!(config, testing::config());
    contract::chain(&chain);
    contract::fake_chain(&chain, &fake);
    drop(loader);
}

#[test]
fn what_is_not_offered_is_unsupported() {
    let remote = link(KeepInit(Arc::default()));
    assert_eq!(remote.init.make_echo().err(), Some(Error::unsupported("Init.makeEcho")));
    assert_eq!(remote.init.make_mining().err(), Some(Error::unsupported("Init.makeMining")));
    assert_eq!(remote.init.make_rpc().err(), Some(Error::unsupported("Init.makeRpc")));
}
