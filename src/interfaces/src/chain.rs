//! The chain as the wallet sees it.

use std::sync::Arc;

use bitcoin::{Amount, Block, BlockHash, FeeRate, OutPoint, ScriptBuf, Transaction, TxOut, Txid};

use crate::{Result, Subscription};

/// The node's chain, mempool and settings, as far as wallets may use them.
///
/// Implemented by the node; called by the wallet from any of its threads. Reads are of the moment of the call. After a
/// disconnect every method returns [`crate::Error::Disconnected`]. No method is meant to be called once per block or
/// coin: what a loop needs comes in batches.
pub trait Chain: Send + Sync {
    /// Returns tip, synchronisation state and clock.
    fn status(&self) -> Result<ChainStatus>;

    /// Returns the block of the active chain at `height`, or `None` above the tip.
    fn block_at(&self, height: u32) -> Result<Option<BlockRef>>;

    /// Returns the block with this hash if the node knows its header, on the active chain or not.
    fn find_block(&self, hash: BlockHash) -> Result<Option<BlockRef>>;

    /// Returns the locator of the active tip: hashes from the tip backwards, exponentially spaced.
    fn tip_locator(&self) -> Result<Vec<BlockHash>>;

    /// Returns the last block of the active chain named by `locator`, or `None` if it names none.
    fn find_fork(&self, locator: Vec<BlockHash>) -> Result<Option<BlockRef>>;

    /// Returns the first block of the active chain at or above `min_height` whose maximum ancestor time is at least
    /// `min_time` (Unix seconds).
    fn find_first_block(&self, min_time: i64, min_height: u32) -> Result<Option<BlockRef>>;

    /// Says whether every block of `range` is on disk, i.e. neither pruned nor still missing.
    fn has_blocks(&self, range: BlockRange) -> Result<bool>;

    /// Searches the active chain for transactions that pay to or spend from any of the request's scripts. Returns when
    /// the range is done or the page is full; [`ScanPage::next_height`] says where to go on.
    fn scan(&self, request: ScanRequest) -> Result<ScanPage>;

    /// Looks up unspent outputs in the UTXO set and the mempool; one entry per outpoint, in order.
    fn find_coins(&self, outpoints: Vec<OutPoint>) -> Result<Vec<Option<Coin>>>;

    /// Submits a transaction to the mempool and, with `relay`, to peers. `max_fee` of zero means no limit.
    fn broadcast(
        &self,
        transaction: Transaction,
        max_fee: Amount,
        relay: bool,
    ) -> Result<std::result::Result<(), BroadcastError>>;

    /// Returns the transactions in the mempool, parents before children.
    fn mempool_transactions(&self) -> Result<Vec<Transaction>>;

    /// Returns, for each txid in order, what the mempool knows of its relatives; `None` if it is not there.
    fn mempool_ancestry(&self, txids: Vec<Txid>) -> Result<Vec<Option<MempoolAncestry>>>;

    /// Returns the fee rates that bound what a wallet may pay.
    fn fee_policy(&self) -> Result<FeePolicy>;

    /// Estimates the fee rate for confirmation within `target` blocks.
    fn estimate_fee(&self, target: u32, conservative: bool) -> Result<FeeEstimate>;

    /// Registers for events. Events that happen after the call returns are delivered; the caller reads the state it
    /// starts from after registering and tolerates an event for what it has read already.
    fn subscribe(&self, notifications: Arc<dyn ChainNotifications>) -> Result<Arc<dyn Subscription>>;

    /// Returns once every event that happened before the call was delivered to this process's subscriptions, if the
    /// tip differs from `old_tip` or `old_tip` is `None`.
    fn sync_notifications(&self, old_tip: Option<BlockHash>) -> Result<()>;

    /// Adds a wallet to, or takes it from, the list that is loaded at start-up (`settings.json`).
    fn update_wallet_setting(&self, update: WalletSettingUpdate) -> Result<bool>;

    /// Asks the node to shut down after an error the wallet cannot go on from; `message` is shown to the user.
    fn abort_node(&self, message: String) -> Result<()>;

    /// Returns what it costs to lift transactions to a fee rate, satoshi per 1000 virtual bytes.
    fn bump_fees(&self, txids: Vec<Txid>, rate: u64) -> Result<BumpFees>;

    /// Says whether the mempool would refuse a transaction only because too many are connected with it.
    fn exceeds_cluster_limits(&self, transaction: Transaction) -> Result<bool>;

    /// Shows a warning to the user once, on standard error and in the node's log; may have several lines.
    fn init_warning(&self, message: String) -> Result<()>;

    /// Shows a warning as [`Chain::init_warning`] does, and under `warnings` of the node's RPC commands until the last
    /// reference to the result is dropped.
    fn raise_warning(&self, message: String) -> Result<Arc<dyn Subscription>>;
}

/// Receives the chain's events, one at a time and in order, on a thread of the sender's.
///
/// Implemented by the wallet; called by the node. An implementation must not wait for another event. An error return
/// is logged by the sender and changes nothing for it.
pub trait ChainNotifications: Send + Sync {
    /// A transaction entered the mempool.
    fn transaction_added(&self, transaction: Transaction, sequence: u64) -> Result<()>;

    /// A transaction left the mempool other than by being mined.
    fn transaction_removed(&self, transaction: Transaction, reason: MempoolRemovalReason, sequence: u64) -> Result<()>;

    /// A block became part of the active chain.
    fn block_connected(&self, connected: ConnectedBlock) -> Result<()>;

    /// The tip was taken off the active chain.
    fn block_disconnected(&self, disconnected: ConnectedBlock) -> Result<()>;

    /// The chain state was written to disk up to this locator: a wallet may record that it followed the chain so far.
    fn chain_state_flushed(&self, locator: Vec<BlockHash>) -> Result<()>;
}

/// A block of the block index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockRef {
    /// Hash of its header.
    pub hash: BlockHash,
    /// Distance from the genesis block.
    pub height: u32,
    /// Header time, Unix seconds.
    pub time: i64,
    /// Median time past of the block itself (BIP113), Unix seconds.
    pub median_time: i64,
    /// Latest header time among the block and its ancestors, Unix seconds.
    pub max_time: i64,
    /// On the active chain.
    pub active: bool,
}

/// State of the node's chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainStatus {
    /// Chain name: `main`, `test`, `testnet4`, `signet` or `regtest`.
    pub chain: String,
    /// Tip of the active chain.
    pub tip: BlockRef,
    /// Still catching up with the network.
    pub initial_block_download: bool,
    /// Lowest height whose block is still on disk, if anything was pruned.
    pub first_stored_height: Option<u32>,
    /// The node's clock, Unix seconds; the mocked one where `setmocktime` is in force.
    pub now: i64,
}

/// A span of the chain ending in a given block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockRange {
    /// Last block.
    pub last: BlockHash,
    /// Lowest height wanted.
    pub min_height: u32,
    /// Highest height wanted; that of `last` if `None`.
    pub max_height: Option<u32>,
}

/// What to look for in the active chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanRequest {
    /// First height to read.
    pub start_height: u32,
    /// Last height to read; the tip if `None`.
    pub stop_height: Option<u32>,
    /// Output scripts of interest.
    pub scripts: Vec<ScriptBuf>,
    /// Blocks to read at most before the page ends.
    pub max_blocks: u32,
}

/// One page of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanPage {
    /// Blocks with at least one match, in height order.
    pub blocks: Vec<ScannedBlock>,
    /// The last block read, if any was.
    pub last: Option<BlockRef>,
    /// Height to go on from; `None` when the range is done.
    pub next_height: Option<u32>,
    /// Height whose block could not be read (pruned or damaged); the page ends before it.
    pub unreadable: Option<u32>,
}

/// A block with transactions of interest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannedBlock {
    /// The block.
    pub block: BlockRef,
    /// Position in the block of each transaction in `transactions`.
    pub positions: Vec<u32>,
    /// The matching transactions, in block order.
    pub transactions: Vec<Transaction>,
}

/// An unspent output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coin {
    /// The output.
    pub output: TxOut,
    /// Height of its block; `None` while in the mempool.
    pub height: Option<u32>,
    /// Created by a coinbase.
    pub coinbase: bool,
}

/// Why a transaction was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BroadcastError {
    /// An input is spent or unknown.
    MissingInputs,
    /// Its outputs are in the UTXO set already.
    AlreadyInUtxoSet,
    /// The mempool refused it.
    MempoolRejected {
        /// Reject reason, as `testmempoolaccept` prints it.
        reason: String,
    },
    /// It pays more than the given maximum.
    MaxFeeExceeded,
}

/// What the mempool knows of a transaction's relatives, itself included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MempoolAncestry {
    /// Number of unconfirmed ancestors.
    pub ancestors: u64,
    /// Number of descendants.
    pub descendants: u64,
    /// Number of transactions connected with it.
    pub cluster: u64,
}

/// What it costs to lift unconfirmed transactions to a fee rate: what they and those they depend on lack, as far as
/// miners would not take them at that rate anyway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BumpFees {
    /// For each transaction, in order; zero if it is not in the mempool.
    pub each: Vec<Amount>,
    /// For all of them; what several depend on counts once.
    pub together: Amount,
}

/// Fee rates that bound what a wallet may pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeePolicy {
    /// Lowest rate the mempool accepts now.
    pub mempool_min: FeeRate,
    /// `-minrelaytxfee`.
    pub relay_min: FeeRate,
    /// `-incrementalrelayfee`.
    pub incremental: FeeRate,
    /// `-dustrelayfee`.
    pub dust: FeeRate,
    /// Most ancestors, itself included, the mempool allows a transaction.
    pub ancestor_limit: u32,
    /// Most descendants, itself included, the mempool allows a transaction.
    pub descendant_limit: u32,
}

/// A fee estimate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeeEstimate {
    /// The rate; `None` if there is not enough data.
    pub rate: Option<FeeRate>,
    /// Target the estimate is for, in blocks.
    pub target: u32,
}

/// A block that joined or left the active chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectedBlock {
    /// Its place in the chain.
    pub block: BlockRef,
    /// Its content.
    pub data: Block,
}

/// Why a transaction left the mempool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MempoolRemovalReason {
    /// Too old (`-mempoolexpiry`).
    Expiry,
    /// The mempool is full.
    SizeLimit,
    /// A reorganisation made it invalid.
    Reorg,
    /// A block spent one of its inputs.
    Conflict,
    /// Another transaction took its place.
    Replaced,
}

/// A change to the wallets loaded at start-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletSettingUpdate {
    /// Name of the wallet, relative to the wallet directory.
    pub name: String,
    /// Load it at start-up from now on, or no longer.
    pub load_on_startup: bool,
}
