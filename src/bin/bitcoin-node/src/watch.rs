//! Notices a wallet process that is there but does nothing: stopped, or stuck.
//!
//! Separate from what starts it, because it must go on while that waits for the process. Without it, a node would wait for
//! ever, as events of the chain and calls of clients have no deadline: a wallet may take long for honest reasons. What does
//! not even say who it is has none.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use interfaces::{Error, Identity, Result};

/// How often a process is asked, and how long an answer may take.
#[derive(Clone, Copy)]
pub struct Pace {
    interval: Duration,
    limit: Duration,
}

impl Pace {
    /// While the node runs.
    pub const USUAL: Pace = Pace { interval: Duration::from_secs(10), limit: Duration::from_secs(20) };

    /// While the node waits for the process in order to stop: who stops it may have no more patience than ten seconds for
    /// all of it. A process whose wallets are being closed answers, however long that takes.
    pub const STOPPING: Pace = Pace { interval: Duration::from_millis(500), limit: Duration::from_millis(2500) };
}

/// Asks the process now and then, until dropped.
pub struct Watch {
    _stop: Sender<()>,
}

impl Watch {
    /// Starts to ask whatever process `child` returns. One that does not answer is killed.
    pub fn start(
        own: Identity,
        pace: Pace,
        child: impl Fn() -> Option<Arc<ipc::Connection>> + Send + 'static,
    ) -> Result<Watch> {
        let (stop, stopped) = channel();
        let watch = std::thread::Builder::new().name("wallet-watch".into());
        let watch = watch.spawn(move || {
            while stopped.recv_timeout(pace.interval) == Err(RecvTimeoutError::Timeout) {
                if let Some(child) = child() {
                    end_if_silent(&child, &own, pace);
                }
            }
        });
        watch.map(|_| Watch { _stop: stop }).map_err(Error::internal)
    }
}

/// Kills a process that does not answer.
pub fn end_if_silent(child: &ipc::Connection, own: &Identity, pace: Pace) {
    // Asked twice: while a terminal had both processes stopped, the time for the first answer passed.
    if (0..2).all(|_| is_silent(child, own, pace.limit)) {
        log::error!("the wallet process {} does not answer; it is killed", child.pid());
        child.close_within(Duration::ZERO);
    }
}

/// Says whether a process does not answer. One that is gone is not silent.
fn is_silent(child: &ipc::Connection, own: &Identity, limit: Duration) -> bool {
    matches!(ipc::within(limit, || child.init().introduce(own.clone())), Err(Error::TimedOut { .. }))
}
