//! Offers unconfirmed payments again, now and then, as Bitcoin Core does: one whose parent was missing, or that the network
//! has forgotten, confirms at last.
//!
//! Separate from paying, because it goes by the clock: one thread looks at all wallets.
//!
//! **Invariant:** the times are random, so that they do not tell the wallet's transactions from others.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use bitcoin::Transaction;
use log::{debug, error};
use rand::Rng;

use crate::error::Result;
use crate::loader::Loader;
use crate::records::TxState;
use crate::wallet::Wallet;

/// Time between two looks at the clock, which `setmocktime` may move.
const TICK: Duration = Duration::from_secs(1);
/// Shortest and longest time until the next attempt, seconds.
const INTERVAL: std::ops::Range<i64> = 12 * 60 * 60..36 * 60 * 60;
/// A transaction is offered again only if it came so long before the last block that the block should have had it, seconds.
const BEFORE_BLOCK: i64 = 5 * 60;

/// Starts the thread. It ends with the loader.
pub(crate) fn start(loader: &Arc<Loader>) {
    let loader = Arc::downgrade(loader);
    if let Err(error) = thread::Builder::new().name("wallet-resend".to_owned()).spawn(move || run(&loader)) {
        error!("cannot start the thread that offers payments again: {error}");
    }
}

fn run(loader: &Weak<Loader>) {
    loop {
        thread::sleep(TICK);
        let Some(loader) = loader.upgrade() else { return };
        for wallet in loader.wallets() {
            if let Err(error) = wallet.resend_if_due(common::clock::now()) {
                debug!("[{}] cannot offer payments again: {error}", wallet.name);
            }
        }
    }
}

/// Draws the time of the next attempt, Unix seconds.
pub(crate) fn next_resend(now: i64) -> i64 {
    now.saturating_add(rand::thread_rng().gen_range(INTERVAL))
}

impl Wallet {
    /// Offers the payments again if it is time to.
    pub(crate) fn resend_if_due(&self, now: i64) -> Result<()> {
        if now < self.next_resend.load(Ordering::SeqCst)
            || !self.options.broadcast
            || self.closed.load(Ordering::SeqCst)
        {
            return Ok(());
        }
        self.next_resend.store(next_resend(now), Ordering::SeqCst);
        // A node that has no chain yet cannot tell payments from spent ones.
        if self.chain.status()?.initial_block_download {
            return Ok(());
        }
        let old: Vec<Transaction> = {
            let state = self.state();
            let unconfirmed = state.order.iter().filter_map(|(_, txid)| state.txs.get(txid)).filter(|entry| {
                matches!(entry.state, TxState::InMempool | TxState::Inactive { abandoned: false })
                    && !entry.tx.is_coinbase()
                    && i64::from(entry.time_received) <= state.last_block_time - BEFORE_BLOCK
            });
            unconfirmed.map(|entry| entry.tx.clone()).collect()
        };
        self.offer_all(old)
    }
}
