//! SIGTERM and SIGINT end the program in order, SIGHUP reopens the log files. A thread receives them, because hardly
//! anything may be done inside a signal handler.

use std::sync::{Arc, OnceLock, Weak};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use crate::NodeContext;
use crate::shutdown::Shutdown;

/// Receives signals until dropped.
pub(crate) struct SignalThread {
    handle: Handle,
    thread: Option<thread::JoinHandle<()>>,
    context: Arc<OnceLock<Weak<NodeContext>>>,
}

impl SignalThread {
    /// Starts to receive signals.
    pub fn start(shutdown: Arc<Shutdown>) -> std::io::Result<Self> {
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        let handle = signals.handle();
        let context = Arc::<OnceLock<Weak<NodeContext>>>::default();
        let node = context.clone();
        let thread = thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in &mut signals {
                if signal == SIGHUP {
                    common::logging::reopen();
                    reopen_wallet_log(&node);
                } else {
                    shutdown.request();
                }
            }
        })?;
        Ok(SignalThread { handle, thread: Some(thread), context })
    }

    /// Passes SIGHUP on to the wallets of this node from now on, which may have a log of their own.
    pub fn set_context(&self, context: &Arc<NodeContext>) {
        let _ = self.context.set(Arc::downgrade(context));
    }
}

/// Asks on a thread of its own: the next signal must not wait for a wallet process that hangs.
fn reopen_wallet_log(context: &OnceLock<Weak<NodeContext>>) {
    let Some(wallet) = context.get().and_then(Weak::upgrade).and_then(|context| context.wallet()) else { return };
    let reopen = move || {
        // A process that is gone is followed by one that opens the file as it is then.
        if let Err(error) = wallet.reopen_log() {
            log::debug!(target: "ipc", "the wallet's log was not reopened: {error}");
        }
    };
    if let Err(error) = thread::Builder::new().name("reopen-log".to_owned()).spawn(reopen) {
        log::warn!("the wallet's log was not reopened: {error}");
    }
}

impl Drop for SignalThread {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
