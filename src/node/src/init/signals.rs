//! SIGTERM and SIGINT end the program in order, SIGHUP reopens the log file. A thread receives them, because hardly
//! anything may be done inside a signal handler.

use std::sync::Arc;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use crate::shutdown::Shutdown;

/// Receives signals until dropped.
pub(crate) struct SignalThread {
    handle: Handle,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl SignalThread {
    /// Starts to receive signals.
    pub fn start(shutdown: Arc<Shutdown>) -> std::io::Result<Self> {
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        let handle = signals.handle();
        let thread = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in &mut signals {
                if signal == SIGHUP {
                    common::logging::reopen();
                } else {
                    shutdown.request();
                }
            }
        })?;
        Ok(SignalThread { handle, thread: Some(thread) })
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
