//! `interfaces::Mining` over the engine of this process.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use bitcoin::{Block, BlockHash, Transaction, Txid, Wtxid};
use common::chain::Chain;
use interfaces::{BlockCheck, BlockCheckOptions, BlockCreateOptions, BlockTemplate, Error, Mining, Result, TipRef};
use kernel::{BlockVerdict, MempoolTransaction};

use super::Session;
use super::budget::Held;
use super::template::LocalTemplate;
use super::wait::{TICK, Waits, deadline};
use crate::NodeContext;
use crate::chain::convert::internal;
use crate::tip::Tip;

/// Bytes of transactions returned by one call.
const MAX_TRANSACTION_BYTES: usize = 32 << 20;

pub(super) struct LocalMining {
    context: Arc<NodeContext>,
    session: Arc<Session>,
    interrupted: AtomicBool,
    _held: [Held; 2],
}

impl LocalMining {
    pub(super) fn new(context: Arc<NodeContext>, session: Arc<Session>, held: [Held; 2]) -> Self {
        LocalMining { context, session, interrupted: AtomicBool::new(false), _held: held }
    }

    fn waits(&self) -> Waits<'_> {
        Waits { context: &self.context, session: &self.session, interrupted: &self.interrupted }
    }

    /// Waits until the node has caught up; `false` if the wait was interrupted.
    fn cool_down(&self, tip: Tip) -> Result<bool> {
        let mut last = tip.hash;
        while self.is_initial_block_download()? {
            match self.waits().tip(Some(Instant::now() + TICK), |tip| tip.hash != last) {
                Some(tip) => last = tip.hash,
                None => return Ok(false),
            }
        }
        // A tip that is about to be replaced is not worth a template; one that stays behind its headers is.
        while let Some(ahead) = self.blocks_ahead()? {
            let limit = Duration::from_secs(ahead.clamp(3, 20));
            match self.waits().tip(Some(Instant::now() + limit), |tip| tip.hash != last) {
                None => return Ok(false),
                Some(tip) if tip.hash != last => last = tip.hash,
                Some(_) => break,
            }
        }
        Ok(true)
    }

    /// Returns how many headers on top of the tip are known to have more work.
    fn blocks_ahead(&self) -> Result<Option<u64>> {
        let kernel = &self.context.kernel;
        let tip = kernel.tip().map_err(internal)?;
        let Some(best) = kernel.best_header().map_err(internal)? else { return Ok(None) };
        if best.chainwork <= tip.chainwork {
            return Ok(None);
        }
        let below = kernel.ancestor(&best.hash, tip.height).map_err(internal)?;
        let extends = below.is_some_and(|below| below.hash == tip.hash);
        Ok(extends.then(|| u64::from(best.height - tip.height)))
    }
}

fn tip_ref(tip: Tip) -> TipRef {
    TipRef { hash: tip.hash, height: i32::try_from(tip.height).unwrap_or(i32::MAX) }
}

/// Returns what a verdict comes to for a miner.
fn checked(verdict: BlockVerdict) -> BlockCheck {
    let (reason, debug) = match verdict {
        BlockVerdict::Valid => return BlockCheck { result: true, reason: String::new(), debug: String::new() },
        BlockVerdict::Invalid { reason, debug, .. } => (reason, debug),
        BlockVerdict::Failed { reason } => (reason, String::new()),
    };
    BlockCheck { result: false, reason, debug }
}

/// Collects what `find` finds, up to a limit on the whole.
fn collect<T>(
    ids: Vec<T>,
    find: impl Fn(&T) -> std::result::Result<Option<MempoolTransaction>, kernel::Error>,
) -> Result<Vec<Option<Transaction>>> {
    let mut left = MAX_TRANSACTION_BYTES;
    let mut found = Vec::with_capacity(ids.len());
    for id in &ids {
        let transaction = find(id).map_err(internal)?.map(|entry| entry.transaction);
        let size = transaction.as_ref().map_or(0, Transaction::total_size);
        left = left.checked_sub(size).ok_or_else(|| {
            Error::overloaded(format_args!(
                "the transactions asked for have more than {MAX_TRANSACTION_BYTES} bytes; ask for fewer at a time"
            ))
        })?;
        found.push(transaction);
    }
    Ok(found)
}

impl Mining for LocalMining {
    fn is_test_chain(&self) -> Result<bool> {
        Ok(self.context.chain != Chain::Main)
    }

    fn is_initial_block_download(&self) -> Result<bool> {
        self.context.kernel.is_initial_block_download().map_err(internal)
    }

    fn tip(&self) -> Result<Option<TipRef>> {
        match self.context.kernel.tip() {
            Ok(tip) => Ok(Some(tip_ref(Tip { hash: tip.hash, height: tip.height }))),
            Err(kernel::Error::NoTip) => Ok(None),
            Err(error) => Err(internal(error)),
        }
    }

    fn wait_tip_changed(&self, current_tip: BlockHash, timeout: f64) -> Result<Option<TipRef>> {
        match self.waits().tip(deadline(timeout), |tip| tip.hash != current_tip) {
            Some(_) => self.tip(),
            None => Ok(None),
        }
    }

    fn create_new_block(&self, options: BlockCreateOptions, cooldown: bool) -> Result<Option<Arc<dyn BlockTemplate>>> {
        let Some(tip) = self.waits().tip(None, |_| true) else { return Ok(None) };
        if cooldown && !self.cool_down(tip)? {
            return Ok(None);
        }
        let template = LocalTemplate::make(self.context.clone(), self.session.clone(), options)?;
        Ok(Some(Arc::new(template)))
    }

    fn check_block(&self, block: Block, options: BlockCheckOptions) -> Result<BlockCheck> {
        let BlockCheckOptions { check_merkle_root, check_pow } = options;
        self.context.kernel.test_block_validity(&block, check_pow, check_merkle_root).map(checked).map_err(internal)
    }

    fn interrupt(&self) -> Result<()> {
        self.waits().interrupt();
        Ok(())
    }

    fn submit_block(&self, block: Block) -> Result<BlockCheck> {
        let bytes = bitcoin::consensus::serialize(&block);
        let processed = self.context.kernel.process_block(&bytes, true, true).map_err(internal)?;
        let refuse = |reason: &str| BlockCheck { result: false, reason: reason.to_owned(), debug: String::new() };
        Ok(match processed.verdict {
            _ if processed.accepted && !processed.new => refuse("duplicate"),
            None => refuse("inconclusive"),
            Some(verdict) => {
                let check = checked(verdict);
                BlockCheck { result: check.result && processed.accepted && processed.new, ..check }
            }
        })
    }

    fn transactions_by_txid(&self, txids: Vec<Txid>) -> Result<Vec<Option<Transaction>>> {
        collect(txids, |txid| self.context.kernel.mempool_transaction(txid))
    }

    fn transactions_by_wtxid(&self, wtxids: Vec<Wtxid>) -> Result<Vec<Option<Transaction>>> {
        collect(wtxids, |wtxid| self.context.kernel.mempool_transaction_by_wtxid(wtxid))
    }
}
