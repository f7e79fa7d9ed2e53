//! Locks wallets when their time is up, on one thread for all of them.
//!
//! **Invariant:** a wallet unlocked again meanwhile is left alone; an unloaded one is not kept open.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::wallet::Wallet;

struct Due {
    at: Instant,
    wallet: Weak<Wallet>,
    /// The wallet's own idea of when, which tells whether this is still wanted.
    relock_time: i64,
}

/// Locks wallets when their time is up.
#[derive(Default)]
pub(crate) struct Relocker {
    /// To the thread, which starts when first needed.
    queue: Mutex<Option<Sender<Due>>>,
}

impl Relocker {
    /// Locks `wallet` in `seconds`, unless its relock time is another by then.
    pub(crate) fn schedule(&self, wallet: Weak<Wallet>, relock_time: i64, seconds: u64) {
        let due = Due { at: Instant::now() + Duration::from_secs(seconds), wallet, relock_time };
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.is_none() {
            let (sender, receiver) = channel();
            let spawned = std::thread::Builder::new().name("wallet-relock".to_owned()).spawn(move || run(&receiver));
            match spawned {
                Ok(_) => *queue = Some(sender),
                Err(error) => {
                    // Better locked too early than never.
                    log::error!("cannot start the thread that locks wallets: {error}");
                    lock(&due);
                    return;
                }
            }
        }
        if let Some(queue) = &*queue {
            // The thread ends only with the queue.
            let _ = queue.send(due);
        }
    }
}

fn lock(due: &Due) {
    if let Some(wallet) = due.wallet.upgrade() {
        wallet.relock_if(Some(due.relock_time));
    }
}

fn run(receiver: &Receiver<Due>) {
    let mut pending: Vec<Due> = Vec::new();
    loop {
        let now = Instant::now();
        let (ready, later): (Vec<_>, Vec<_>) = pending.into_iter().partition(|due| due.at <= now);
        ready.iter().for_each(lock);
        pending = later;
        let next = pending.iter().map(|due| due.at).min();
        let received = match next {
            Some(at) => receiver.recv_timeout(at.saturating_duration_since(now)),
            None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match received {
            Ok(due) => pending.push(due),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
