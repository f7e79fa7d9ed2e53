//! A bounded run of the target for fuzzing, on the seeds in `fuzz/corpus/ipc` and what comes of them.

use std::sync::Arc;

use interfaces::{Chain, Echo, Init, ProcessConfig, Result, Rpc, WalletLoader};
use multiprocess::Side;
use testing::{FakeEcho, FakeInit, FakeRpc};

use crate::script;

/// Offers what does not wait: a wait without end would be one that a script asked for.
struct Offer(FakeInit);

impl Init for Offer {
    fn make_echo(&self) -> Result<Arc<dyn Echo>> {
        Ok(Arc::new(FakeEcho))
    }

    fn make_rpc(&self) -> Result<Arc<dyn Rpc>> {
        Ok(Arc::new(FakeRpc))
    }

    fn make_wallet_loader(&self, config: ProcessConfig, chain: Arc<dyn Chain>) -> Result<Arc<dyn WalletLoader>> {
        self.0.make_wallet_loader(config, chain)
    }
}

#[test]
fn whatever_is_said_everything_ends() {
    let init: Arc<dyn Init> = Arc::new(Offer(FakeInit::default()));
    let seeds = testing::fuzz::drive("ipc", 3000, |input| script::run(&init, input));
    let served = multiprocess::metrics().methods.into_iter().filter(|method| method.side == Side::Server);
    let calls: u64 = served.map(|method| method.calls).sum();
    assert!(calls > 500, "scripts get to be served: {calls}");
    assert_eq!(seeds, ["client-bytes", "client-script", "server-bytes", "server-script"]);
}
