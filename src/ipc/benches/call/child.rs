//! The other process: this program again, serving what is measured.

use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use bitcoin::{BlockHash, Transaction};
use interfaces::{
    Chain, ChainNotifications, ConnectedBlock, Echo, Init, MempoolRemovalReason, Mining, ProcessConfig, Result, Rpc,
    RpcRequest, WalletLoader,
};
use testing::{FakeInit, RpcHook};

/// Starts this program again, in a mode of its own, with the other end of a socket as its input.
pub fn start(mode: &str, args: &[String]) -> (Child, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    let child = command.arg(mode).args(args).stdin(Stdio::from(OwnedFd::from(theirs))).spawn().unwrap();
    (child, ours)
}

/// The socket that [`start`] left.
#[allow(unsafe_code, reason = "adopts the input that the parent process set")]
pub fn input() -> UnixStream {
    // SAFETY: descriptor 0 is open, and nothing else here uses it.
    unsafe { UnixStream::from_raw_fd(0) }
}

/// Answers a size with as many bytes.
pub fn socket() {
    let mut stream = input();
    let mut size = [0; 8];
    let mut bytes = Vec::new();
    while stream.read_exact(&mut size).is_ok() {
        bytes.resize(u64::from_le_bytes(size) as usize, b'x');
        stream.write_all(&bytes).unwrap();
    }
}

/// Serves the interfaces.
pub fn serve(fd: &str) -> bool {
    let kept = Mutex::new(Vec::new());
    let hook: RpcHook = Arc::new(move |request: &RpcRequest, chain: &Arc<dyn Chain>| {
        match request.method.as_str() {
            "callback" => chain.block_at(1).map(|_| ())?,
            "subscribe" => kept.lock().unwrap().push(chain.subscribe(Arc::new(Deaf))?),
            _ => kept.lock().unwrap().clear(),
        }
        Ok(Ok(String::new()))
    });
    ipc::serve_fd(fd.parse().unwrap(), Arc::new(Offer(FakeInit::with_hook(hook)))).is_ok()
}

/// What is offered: fakes, and an RPC that answers a size with a text of as many bytes.
struct Offer(FakeInit);

impl Init for Offer {
    fn make_echo(&self) -> Result<Arc<dyn Echo>> {
        self.0.make_echo()
    }

    fn make_mining(&self) -> Result<Arc<dyn Mining>> {
        self.0.make_mining()
    }

    fn make_rpc(&self) -> Result<Arc<dyn Rpc>> {
        Ok(Arc::new(Sized(Mutex::default())))
    }

    fn make_wallet_loader(&self, config: ProcessConfig, chain: Arc<dyn Chain>) -> Result<Arc<dyn WalletLoader>> {
        self.0.make_wallet_loader(config, chain)
    }
}

/// Keeps the text it gave last.
struct Sized(Mutex<String>);

impl Rpc for Sized {
    fn execute_rpc(&self, request: String, _: String, _: String) -> Result<String> {
        let size = request.parse().unwrap();
        let mut text = self.0.lock().unwrap();
        if text.len() != size {
            *text = "x".repeat(size);
        }
        Ok(text.clone())
    }
}

/// Takes events and does nothing.
struct Deaf;

impl ChainNotifications for Deaf {
    fn transaction_added(&self, _: Transaction, _: u64) -> Result<()> {
        Ok(())
    }

    fn transaction_removed(&self, _: Transaction, _: MempoolRemovalReason, _: u64) -> Result<()> {
        Ok(())
    }

    fn block_connected(&self, _: ConnectedBlock) -> Result<()> {
        Ok(())
    }

    fn block_disconnected(&self, _: ConnectedBlock) -> Result<()> {
        Ok(())
    }

    fn chain_state_flushed(&self, _: Vec<BlockHash>) -> Result<()> {
        Ok(())
    }
}
