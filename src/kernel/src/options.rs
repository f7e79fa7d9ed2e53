//! Everything that is decided before the engine starts. Plain data: names, ranges and defaults of command line options
//! are the option table's business, their effect is the engine's.

use std::path::PathBuf;

use bitcoin::{BlockHash, Work};

use crate::{FeeRate, Interrupt};

/// The chain to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Chain {
    /// The main chain.
    Main,
    /// Testnet 3.
    Test,
    /// Testnet 4.
    Testnet4,
    /// Signet, the default one or the one of [`Options::signet_challenge`].
    Signet,
    /// A private chain whose blocks are mined on demand.
    Regtest,
}

/// Activation parameters of a version-bits deployment (`-vbparams`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionBitsParameters {
    /// Deployment name, such as `testdummy`.
    pub deployment: String,
    /// Start of signalling, Unix seconds; -1 is always active, -2 never.
    pub start_time: i64,
    /// End of signalling, Unix seconds.
    pub timeout: i64,
    /// Lowest height of activation.
    pub min_activation_height: i32,
}

/// What [`Kernel::load`](crate::Kernel::load) opens and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The chain.
    pub chain: Chain,
    /// Data directory of the chain, `~/.bitcoin/regtest` for example. Made if missing.
    pub net_datadir: PathBuf,
    /// Directory of `blk*.dat` and `rev*.dat`, usually `blocks` inside [`net_datadir`](Self::net_datadir). Made if
    /// missing.
    pub blocks_dir: PathBuf,
    /// Bytes for database caches and the UTXO cache (`-dbcache`); at least 4 MiB are used.
    pub db_cache: u64,
    /// Bytes of a database write batch (`-dbbatchsize`).
    pub db_batch: u64,
    /// Ends the process at one in that many database write batches, for tests of recovery (`-dbcrashratio`).
    pub crash_ratio: Option<i32>,
    /// Compact the databases when they are opened (`-forcecompactdb`).
    pub force_compact: bool,
    /// Script verification threads as `-par` counts them: 0 is automatic, negative leaves that many cores free.
    pub par: i32,
    /// Threads that fetch a block's inputs ahead (`-prevoutfetchthreads`).
    pub prevout_fetch_threads: i32,
    /// Rebuild the block index and the UTXO set from the block files.
    pub reindex: bool,
    /// Rebuild the UTXO set from the stored blocks.
    pub reindex_chainstate: bool,
    /// Disk space for blocks in MiB as `-prune` takes it: 0 keeps everything, 1 prunes on demand only.
    pub prune: u64,
    /// Block whose ancestors' signatures are taken as checked; all zeros checks everything. `None`: the chain's default.
    pub assume_valid: Option<BlockHash>,
    /// Least work of a chain worth following. `None`: the chain's default.
    pub minimum_chain_work: Option<Work>,
    /// Blocks to verify when loading (`-checkblocks`); giving it or `check_level` makes an incomplete check an error.
    pub check_blocks: Option<i64>,
    /// How thorough that is, 0 to 4 (`-checklevel`).
    pub check_level: Option<i64>,
    /// Seconds after which a tip counts as old (`-maxtipage`).
    pub max_tip_age: i64,
    /// Obfuscate block files of a new data directory (`-blocksxor`).
    pub blocks_xor: bool,
    /// Use small block files, for tests of pruning (`-fastprune`).
    pub fast_prune: bool,
    /// Height after which validation stops and [`Events::stop_height_reached`](crate::Events::stop_height_reached)
    /// comes.
    pub stop_at_height: Option<u32>,
    /// How often to check the block index, one in that many changes; 0 never (`-checkblockindex`).
    pub check_block_index: Option<i32>,
    /// Bytes for signature and script caches together (`-maxsigcachesize`).
    pub signature_cache: u64,
    /// Script a block of a custom signet must satisfy.
    pub signet_challenge: Option<Vec<u8>>,
    /// Deployment parameters for tests.
    pub version_bits: Vec<VersionBitsParameters>,
    /// Buried deployments' activation heights for tests (`-testactivationheight`).
    pub activation_heights: Vec<(String, u32)>,
    /// Enforce BIP94 on regtest (`-test=bip94`).
    pub bip94: bool,
    /// The mempool and its policy.
    pub mempool: MempoolOptions,
    /// Stops loading and long operations; keep a clone.
    pub interrupt: Interrupt,
}

impl Options {
    /// Returns the defaults for a chain with its blocks in `blocks` under `net_datadir`.
    pub fn new(chain: Chain, net_datadir: impl Into<PathBuf>) -> Options {
        let net_datadir = net_datadir.into();
        Options {
            chain,
            blocks_dir: net_datadir.join("blocks"),
            net_datadir,
            db_cache: 450 << 20,
            db_batch: 32 << 20,
            crash_ratio: None,
            force_compact: false,
            par: 0,
            prevout_fetch_threads: 8,
            reindex: false,
            reindex_chainstate: false,
            prune: 0,
            assume_valid: None,
            minimum_chain_work: None,
            check_blocks: None,
            check_level: None,
            max_tip_age: 24 * 60 * 60,
            blocks_xor: true,
            fast_prune: false,
            stop_at_height: None,
            check_block_index: None,
            signature_cache: 32 << 20,
            signet_challenge: None,
            version_bits: Vec::new(),
            activation_heights: Vec::new(),
            bip94: false,
            mempool: MempoolOptions::default(),
            interrupt: Interrupt::new(),
        }
    }
}

/// Size and policy of the mempool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MempoolOptions {
    /// Most bytes of memory (`-maxmempool` times 1 000 000).
    pub max_size: u64,
    /// Seconds until a transaction is dropped (`-mempoolexpiry` times 3600).
    pub expiry: i64,
    /// Least rate to be relayed. `None`: the default, or `incremental_fee` if that is higher.
    pub min_relay_fee: Option<FeeRate>,
    /// Rate a replacement must add.
    pub incremental_fee: FeeRate,
    /// Rate that defines dust.
    pub dust_fee: FeeRate,
    /// Refuse non-standard transactions; the opposite of `-acceptnonstdtxn`.
    pub require_standard: bool,
    /// Largest standard `OP_RETURN` script in bytes; `None` allows none (`-datacarrier=0`).
    pub max_datacarrier: Option<u32>,
    /// Relay bare multisig.
    pub permit_bare_multisig: bool,
    /// Most transactions of a cluster.
    pub cluster_count: u32,
    /// Most virtual bytes of a cluster.
    pub cluster_size: u64,
    /// Most ancestors, itself included.
    pub ancestor_count: u64,
    /// Most descendants, itself included.
    pub descendant_count: u64,
    /// How often to check the mempool, one in that many changes; 0 never. `None`: the chain's default.
    pub check_ratio: Option<i32>,
    /// Virtual bytes a signature operation counts for (`-bytespersigop`). The engine has one value for the process.
    pub bytes_per_sigop: u32,
}

impl Default for MempoolOptions {
    fn default() -> MempoolOptions {
        MempoolOptions {
            max_size: 300_000_000,
            expiry: 336 * 60 * 60,
            min_relay_fee: None,
            incremental_fee: FeeRate::from_sat_per_kvb(100),
            dust_fee: FeeRate::from_sat_per_kvb(3000),
            require_standard: true,
            max_datacarrier: Some(100_000),
            permit_bare_multisig: true,
            cluster_count: 64,
            cluster_size: 101_000,
            ancestor_count: 25,
            descendant_count: 25,
            check_ratio: None,
            bytes_per_sigop: 20,
        }
    }
}
