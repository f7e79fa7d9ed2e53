//! Two ends of a connection, for the other tests.

use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use interfaces::{Echo, Init, Result, WalletLoader};
use testing::{FakeChain, FakeInit, RpcHook};

/// How long anything may take before it counts as hung. Under a sanitizer everything takes longer.
pub const LIMIT: Duration = Duration::from_secs(if option_env!("SANITIZED").is_some() { 300 } else { 30 });

/// A connection with both ends here.
pub struct Link {
    pub init: Arc<dyn Init>,
    pub client: multiprocess::Connection,
    pub server: ipc::Server,
}

/// Serves `init` to ourselves.
pub fn link(init: impl Init + 'static) -> Link {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = ipc::Server::start(theirs, "client", Arc::new(init)).unwrap();
    let (client, init) = ipc::connect_socket(ours, "server").unwrap();
    Link { init, client, server }
}

/// A wallet side behind a connection, on a fake chain of ours.
pub fn wallet_link(hook: Option<RpcHook>) -> (Link, Arc<dyn WalletLoader>, Arc<FakeChain>) {
    let link = link(hook.map_or_else(FakeInit::default, FakeInit::with_hook));
    let chain = FakeChain::new(5);
    let loader = link.init.make_wallet_loader(testing::config(), chain.clone()).unwrap();
    (link, loader, chain)
}

/// Runs `work` on a thread and fails if it does not end in time.
pub fn ends<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, wait) = channel();
    std::thread::spawn(move || done.send(work()));
    wait.recv_timeout(LIMIT).expect("ends in time")
}

/// An echo that tells when it is called and when it is dropped, and can be held up in both.
pub struct Gate {
    reached: Mutex<Sender<&'static str>>,
    release: Mutex<Receiver<()>>,
    hold: &'static str,
}

/// The test's side of a [`Gate`].
pub struct GateKeeper {
    pub reached: Receiver<&'static str>,
    /// Lets one of those that are held up go on: waits until it does.
    pub release: SyncSender<()>,
}

/// Makes an echo that waits at `hold`: `"call"`, `"drop"` or nothing.
pub fn gate(hold: &'static str) -> (Gate, GateKeeper) {
    let (reached, watch) = channel();
    let (release, wait) = sync_channel(0);
    (Gate { reached: Mutex::new(reached), release: Mutex::new(wait), hold }, GateKeeper { reached: watch, release })
}

impl Gate {
    fn pass(&self, place: &'static str) {
        // The test may have stopped watching.
        let _ = self.reached.lock().unwrap().send(place);
        if self.hold == place {
            // Also ends when the test drops its end.
            let _ = self.release.lock().unwrap().recv();
        }
    }
}

impl Echo for Gate {
    fn echo(&self, echo: String) -> Result<String> {
        self.pass("call");
        Ok(echo)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.pass("drop");
    }
}

/// Offers one echo, once.
pub struct Once(pub Mutex<Option<Arc<dyn Echo>>>);

impl Once {
    pub fn new(echo: impl Echo + 'static) -> Self {
        Once(Mutex::new(Some(Arc::new(echo))))
    }
}

impl Init for Once {
    fn make_echo(&self) -> Result<Arc<dyn Echo>> {
        self.0.lock().unwrap().take().ok_or(interfaces::Error::unsupported("Init.makeEcho"))
    }
}
