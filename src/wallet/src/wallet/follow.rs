//! Following the chain: events of the node become changes of the wallet.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use bitcoin::{BlockHash, Transaction};
use interfaces::{Chain, ChainNotifications, ConnectedBlock, MempoolRemovalReason};

use super::Wallet;
use crate::error::Result;
use crate::records::{Change, TxState};
use crate::state::{State, Tip};
use crate::track::Sighting;

/// The chain is recorded as followed at least every so many blocks.
const BEST_BLOCK_INTERVAL: u32 = 144;

/// Receives the node's events for one wallet; holds no wallet open.
pub(crate) struct Follower(pub(crate) Weak<Wallet>);

impl Follower {
    /// Takes in news. If that fails, for whatever reason, the wallet is behind from then on, and no later news count.
    fn with(&self, what: &str, act: impl FnOnce(&Wallet) -> Result<()>) -> interfaces::Result<()> {
        let Some(wallet) = self.0.upgrade() else { return Ok(()) };
        if wallet.state().behind.paused {
            return Ok(());
        }
        let failure = match catch_unwind(AssertUnwindSafe(|| act(&wallet))) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => format!("{what}: {error}"),
            Err(_) => format!("{what}: internal error"),
        };
        wallet.fall_behind(failure.clone());
        Err(interfaces::Error::internal(failure))
    }
}

impl ChainNotifications for Follower {
    fn transaction_added(&self, transaction: Transaction, _sequence: u64) -> interfaces::Result<()> {
        self.with("cannot take in a mempool transaction", |wallet| wallet.transaction_added(&transaction))
    }

    fn transaction_removed(
        &self,
        transaction: Transaction,
        _reason: MempoolRemovalReason,
        _sequence: u64,
    ) -> interfaces::Result<()> {
        self.with("cannot take out a mempool transaction", |wallet| {
            let txid = transaction.compute_txid();
            let mut state = wallet.state();
            state.set_in_mempool(txid, false);
            state.forget_mempool_conflicts(&txid);
            wallet.publish(state);
            Ok(())
        })
    }

    fn block_connected(&self, connected: ConnectedBlock) -> interfaces::Result<()> {
        self.with("cannot take in a block", |wallet| wallet.block_connected(&connected))
    }

    fn block_disconnected(&self, disconnected: ConnectedBlock) -> interfaces::Result<()> {
        self.with("cannot take out a block", |wallet| wallet.block_disconnected(&disconnected))
    }

    fn chain_state_flushed(&self, _locator: Vec<BlockHash>) -> interfaces::Result<()> {
        // The locator is the node's; what counts is how far this wallet came.
        self.with("cannot record the last block", |wallet| {
            let mut state = wallet.state();
            wallet.write_best_block(&mut state)
        })
    }
}

impl Wallet {
    /// Circumstances of a transaction that is news.
    pub(crate) fn sighting(&self, state: TxState, block_times: Option<(i64, i64)>) -> Sighting {
        let (now, keypool) = (common::clock::now(), self.options.keypool);
        Sighting { state, now, block_times, rescan: false, keypool }
    }

    fn transaction_added(&self, tx: &Transaction) -> Result<()> {
        let mut state = self.state();
        state.note_mempool_conflicts(tx);
        self.see_in_mempool(&mut state, tx)?;
        self.publish(state);
        Ok(())
    }

    /// Takes note of a mempool transaction. One the file has already needs no writing, unless it pays to an address that
    /// was not handed out here.
    pub(crate) fn see_in_mempool(&self, state: &mut State, tx: &Transaction) -> Result<()> {
        let txid = tx.compute_txid();
        match state.txs.get(&txid).map(|known| known.state) {
            Some(TxState::Inactive { abandoned: false } | TxState::InMempool) => {
                let used = state.used_address_changes(tx, self.options.keypool);
                state.commit(used)?;
                state.set_in_mempool(txid, true);
            }
            _ => drop(state.see(tx, &self.sighting(TxState::InMempool, None))?),
        }
        Ok(())
    }

    fn block_connected(&self, connected: &ConnectedBlock) -> Result<()> {
        self.take(|state| self.take_block(state, connected))
    }

    fn block_disconnected(&self, disconnected: &ConnectedBlock) -> Result<()> {
        self.take(|state| self.take_back_block(state, disconnected))
    }

    /// Takes in a block. If that fails, by an error or a panic, the wallet stays at the block before.
    fn take(&self, act: impl FnOnce(&mut State) -> Result<()>) -> Result<()> {
        let mut state = self.state();
        let tip = state.tip;
        let taken = catch_unwind(AssertUnwindSafe(|| act(&mut state)));
        if !matches!(taken, Ok(Ok(()))) {
            state.tip = tip;
        }
        self.publish(state);
        taken.unwrap_or_else(|panic| resume_unwind(panic))
    }

    fn take_block(&self, state: &mut State, connected: &ConnectedBlock) -> Result<()> {
        let ConnectedBlock { block, data } = connected;
        state.news.connected += 1;
        state.tip = Some(Tip { hash: block.hash, height: block.height });
        state.last_block_time = common::clock::now();
        let mut involved = false;
        for (position, tx) in (0..).zip(&data.txdata) {
            let place = TxState::Confirmed { block: block.hash, height: Some(block.height), position };
            involved |= state.see(tx, &self.sighting(place, Some((block.time, block.max_time))))?;
            state.forget_mempool_conflicts(&tx.compute_txid());
        }
        if involved || block.height.is_multiple_of(BEST_BLOCK_INTERVAL) {
            self.write_best_block(state)?;
        }
        Ok(())
    }

    fn take_back_block(&self, state: &mut State, disconnected: &ConnectedBlock) -> Result<()> {
        let ConnectedBlock { block, data } = disconnected;
        let previous = data.header.prev_blockhash;
        state.news.disconnected += 1;
        state.tip = Some(Tip { hash: previous, height: block.height.saturating_sub(1) });
        // First of all: a node that is killed may have this block again when it is started, and the wallet has to read it
        // again then.
        if let Some(at) = state.best_block.iter().position(|hash| *hash == block.hash) {
            let older = state.best_block.iter().skip(at + 1).copied().filter(|hash| *hash != previous);
            let locator = std::iter::once(previous).chain(older).collect();
            state.commit(vec![Change::BestBlock(locator)])?;
        }
        for tx in data.txdata.iter().rev() {
            // A coinbase is nothing without its block; abandoned it is never sent anywhere.
            let place = TxState::Inactive { abandoned: tx.is_coinbase() };
            state.see(tx, &self.sighting(place, None))?;
            state.undo_conflicts(tx, block.height)?;
        }
        Ok(())
    }

    /// Records how far the chain was followed.
    pub(crate) fn write_best_block(&self, state: &mut State) -> Result<()> {
        let Some(tip) = state.tip.filter(|_| self.caught_up.load(Ordering::SeqCst)) else { return Ok(()) };
        if state.best_block.first() == Some(&tip.hash) {
            return Ok(());
        }
        let locator = locator_of(&*self.chain, tip)?;
        state.commit(vec![Change::BestBlock(locator)])
    }
}

/// Returns a locator that starts at `tip`, from the node's, which starts at the node's tip.
pub(crate) fn locator_of(chain: &dyn Chain, tip: Tip) -> Result<Vec<BlockHash>> {
    let (status, node) = (chain.status()?, chain.tip_locator()?);
    let mut locator = vec![tip.hash];
    if node.first() == Some(&tip.hash) {
        return Ok(node);
    }
    // Entries are one block apart at first, then twice as far each time; those at or above `tip` are left out.
    let (mut height, mut step) = (i64::from(status.tip.height), 1);
    for (at, hash) in node.iter().enumerate() {
        let last = at + 1 == node.len();
        if last || (height < i64::from(tip.height) && node.first() == Some(&status.tip.hash)) {
            locator.push(*hash);
        }
        height -= step;
        if at >= 10 {
            step *= 2;
        }
    }
    locator.dedup();
    Ok(locator)
}

/// Registers a wallet for the node's events.
pub(crate) fn subscribe(wallet: &Arc<Wallet>) -> Result<()> {
    let follower = Arc::new(Follower(Arc::downgrade(wallet)));
    let subscription = wallet.chain.subscribe(follower)?;
    *wallet.subscription.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(subscription);
    Ok(())
}
