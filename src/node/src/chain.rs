//! The chain as wallets see it, answered by this process's own engine.
//!
//! This is the implementation behind both forms of the program: `bitcoind`'s wallet calls it directly, that of
//! `bitcoin-node` through a connection.
//!
//! **Invariant:** no method waits for an event while a lock is held, and none is answered from a copy of the chain that
//! could lag behind the engine.

mod bump_fees;
pub(crate) mod convert;
mod scan;
mod wallet_setting;

use std::sync::Arc;

use bitcoin::{Amount, BlockHash, OutPoint, Transaction, Txid};
use interfaces::{
    BlockRange, BlockRef, BroadcastError, BumpFees, Chain, ChainNotifications, ChainStatus, Coin, FeeEstimate,
    FeePolicy, MempoolAncestry, Result, ScanPage, ScanRequest, Subscription, WalletSettingUpdate,
};
use kernel::{AcceptResult, CoinView};

use crate::NodeContext;
use crate::broadcast::{Refusal, broadcast};
use crate::events::abort;
use crate::ui;
use bump_fees::bump_fees;
use convert::{block_ref, coin, fee_rate, internal};

/// `interfaces::Chain` over the engine of this process.
pub struct LocalChain {
    context: Arc<NodeContext>,
    unnamed_wallet: bool,
}

impl LocalChain {
    /// Serves the chain of `context`. `unnamed_wallet` says that the wallet without a name is loaded at start-up although
    /// no setting says so.
    pub fn new(context: Arc<NodeContext>, unnamed_wallet: bool) -> Self {
        LocalChain { context, unnamed_wallet }
    }
}

impl Chain for LocalChain {
    fn status(&self) -> Result<ChainStatus> {
        let kernel = &self.context.kernel;
        let pruned = match self.context.args.get_int("prune") {
            0 => None,
            _ => kernel.chain_info().map_err(internal)?.prune.filter(|prune| prune.have_pruned),
        };
        Ok(ChainStatus {
            chain: self.context.chain.name().to_owned(),
            tip: block_ref(&kernel.tip().map_err(internal)?),
            initial_block_download: kernel.is_initial_block_download().map_err(internal)?,
            first_stored_height: pruned.map(|prune| prune.first_stored_height),
            now: common::clock::now(),
        })
    }

    fn block_at(&self, height: u32) -> Result<Option<BlockRef>> {
        let index = self.context.kernel.block_index_at(height).map_err(internal)?;
        Ok(index.as_ref().map(block_ref))
    }

    fn find_block(&self, hash: BlockHash) -> Result<Option<BlockRef>> {
        let index = self.context.kernel.block_index(&hash).map_err(internal)?;
        Ok(index.as_ref().map(block_ref))
    }

    fn tip_locator(&self) -> Result<Vec<BlockHash>> {
        self.context.kernel.locator().map_err(internal)
    }

    fn find_fork(&self, locator: Vec<BlockHash>) -> Result<Option<BlockRef>> {
        let index = self.context.kernel.find_fork(&locator).map_err(internal)?;
        Ok(index.as_ref().map(block_ref))
    }

    fn find_first_block(&self, min_time: i64, min_height: u32) -> Result<Option<BlockRef>> {
        let index = self.context.kernel.find_first_block(min_time, min_height).map_err(internal)?;
        Ok(index.as_ref().map(block_ref))
    }

    fn has_blocks(&self, range: BlockRange) -> Result<bool> {
        let BlockRange { last, min_height, max_height } = range;
        self.context.kernel.has_blocks(&last, min_height, max_height).map_err(internal)
    }

    fn scan(&self, request: ScanRequest) -> Result<ScanPage> {
        scan::scan(&self.context.kernel, request)
    }

    fn find_coins(&self, outpoints: Vec<OutPoint>) -> Result<Vec<Option<Coin>>> {
        // Spent by a transaction of the mempool or not: a wallet signs a replacement of that one, too.
        let coins = self.context.kernel.coins(&outpoints, CoinView::WithMempool).map_err(internal)?;
        Ok(coins.into_iter().map(|found| found.map(coin)).collect())
    }

    fn broadcast(
        &self,
        transaction: Transaction,
        max_fee: Amount,
        relay: bool,
    ) -> Result<std::result::Result<(), BroadcastError>> {
        let outcome = broadcast(&self.context, &transaction, max_fee, relay).map_err(internal)?;
        Ok(outcome.map_err(|refusal| match refusal {
            Refusal::MissingInputs(_) => BroadcastError::MissingInputs,
            Refusal::AlreadyInUtxoSet => BroadcastError::AlreadyInUtxoSet,
            Refusal::Rejected(rejection) => BroadcastError::MempoolRejected { reason: rejection.reason },
            Refusal::MaxFeeExceeded => BroadcastError::MaxFeeExceeded,
        }))
    }

    fn mempool_transactions(&self) -> Result<Vec<Transaction>> {
        let transactions = self.context.kernel.mempool_transactions().map_err(internal)?;
        Ok(transactions.into_iter().map(|entry| entry.transaction).collect())
    }

    fn mempool_ancestry(&self, txids: Vec<Txid>) -> Result<Vec<Option<MempoolAncestry>>> {
        let found = self.context.kernel.mempool_ancestry(&txids).map_err(internal)?;
        Ok(found
            .into_iter()
            .map(|ancestry| {
                let kernel::MempoolAncestry { ancestors, descendants, cluster } = ancestry?;
                Some(MempoolAncestry { ancestors, descendants, cluster })
            })
            .collect())
    }

    fn fee_policy(&self) -> Result<FeePolicy> {
        let info = self.context.kernel.mempool_info().map_err(internal)?;
        let count = |limit: u64| u32::try_from(limit).unwrap_or(u32::MAX);
        Ok(FeePolicy {
            mempool_min: fee_rate(info.min_fee),
            relay_min: fee_rate(info.min_relay_fee),
            incremental: fee_rate(info.incremental_fee),
            dust: fee_rate(info.dust_fee),
            ancestor_limit: count(info.ancestor_count),
            descendant_limit: count(info.descendant_count),
        })
    }

    /// There is no estimator yet: wallets pay their fallback fee.
    fn estimate_fee(&self, target: u32, _conservative: bool) -> Result<FeeEstimate> {
        Ok(FeeEstimate { rate: None, target })
    }

    fn subscribe(&self, notifications: Arc<dyn ChainNotifications>) -> Result<Arc<dyn Subscription>> {
        self.context.events.subscribe(notifications).map_err(interfaces::Error::internal)
    }

    fn sync_notifications(&self, old_tip: Option<BlockHash>) -> Result<()> {
        if old_tip.is_some() && old_tip == Some(self.context.kernel.tip().map_err(internal)?.hash) {
            return Ok(());
        }
        self.context.sync_events().map_err(internal)
    }

    fn update_wallet_setting(&self, update: WalletSettingUpdate) -> Result<bool> {
        match wallet_setting::update(&self.context.args, self.unnamed_wallet, &update) {
            Ok(()) => Ok(true),
            Err(error) => {
                log::warn!("{error}");
                Ok(false)
            }
        }
    }

    fn abort_node(&self, message: String) -> Result<()> {
        abort(&self.context.warnings, &self.context.shutdown, &message);
        Ok(())
    }

    fn bump_fees(&self, txids: Vec<Txid>, rate: u64) -> Result<BumpFees> {
        bump_fees(&self.context.kernel, &txids, rate).map_err(internal)
    }

    fn exceeds_cluster_limits(&self, transaction: Transaction) -> Result<bool> {
        let outcome = self.context.kernel.accept_transaction(&transaction, true).map_err(internal)?;
        Ok(matches!(outcome, AcceptResult::Rejected(rejection) if rejection.reason == "too-large-cluster"))
    }

    fn init_warning(&self, message: String) -> Result<()> {
        ui::warning(&message);
        Ok(())
    }

    fn raise_warning(&self, message: String) -> Result<Arc<dyn Subscription>> {
        ui::warning(&message);
        Ok(Arc::new(self.context.warnings.raise(&message)))
    }
}
