//! The `cxx` bridge: everything that crosses between Rust and the engine's C++, and the crate's only `unsafe`.
//!
//! Plain data only, copied: hashes are 32 bytes in the engine's (internal) order, numbers that the engine keeps as
//! 256-bit integers are 32 bytes big-endian, paths are bytes. An absent value is a `found` or `has_*` flag, because the
//! bridge knows no `Option`. Each C++ function is described where it is defined, in `bridge/`.

#![allow(unsafe_code, reason = "calling C++ is what this module is for")]

pub(crate) use bridge::*;

use crate::events::EventSink;
use crate::logging::log_line;

/// Makes a vector of what C++ has, in one go.
fn copy_bytes(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec()
}

#[cxx::bridge(namespace = "bridge")]
mod bridge {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    struct Hash {
        bytes: [u8; 32],
    }

    #[derive(Debug, Clone)]
    struct OptionalHash {
        found: bool,
        bytes: [u8; 32],
    }

    #[derive(Debug, Clone)]
    struct Bytes {
        data: Vec<u8>,
    }

    struct VersionBits {
        deployment: String,
        start_time: i64,
        timeout: i64,
        min_activation_height: i32,
    }

    struct ActivationHeight {
        deployment: String,
        height: i32,
    }

    struct LoadOptions {
        chain: u8,
        net_datadir: Vec<u8>,
        blocks_dir: Vec<u8>,
        db_cache: u64,
        db_batch: u64,
        crash_ratio: i32,
        force_compact: bool,
        worker_threads: i32,
        prevout_fetch_threads: i32,
        reindex: bool,
        reindex_chainstate: bool,
        prune: u64,
        has_assume_valid: bool,
        assume_valid: [u8; 32],
        has_minimum_chain_work: bool,
        minimum_chain_work: [u8; 32],
        require_full_verification: bool,
        check_blocks: i64,
        check_level: i64,
        max_tip_age: i64,
        blocks_xor: bool,
        fast_prune: bool,
        stop_at_height: i32,
        check_block_index: i32,
        signature_cache: u64,
        has_signet_challenge: bool,
        signet_challenge: Vec<u8>,
        version_bits: Vec<VersionBits>,
        activation_heights: Vec<ActivationHeight>,
        bip94: bool,
        mempool: MempoolLimits,
    }

    struct MempoolLimits {
        max_size: i64,
        expiry: i64,
        min_relay_fee: i64,
        incremental_fee: i64,
        dust_fee: i64,
        require_standard: bool,
        has_datacarrier: bool,
        max_datacarrier: u32,
        permit_bare_multisig: bool,
        cluster_count: u32,
        cluster_size: i64,
        ancestor_count: i64,
        descendant_count: i64,
        check_ratio: i32,
        bytes_per_sigop: u32,
    }

    #[derive(Debug)]
    enum LoadStatus {
        Success,
        Options,
        Failure,
        Fatal,
        Incompatible,
        InsufficientCache,
        Interrupted,
    }

    struct LoadResult {
        status: LoadStatus,
        message: String,
    }

    #[derive(Debug)]
    enum OpStatus {
        Success,
        NotFound,
        NotDownloaded,
        Pruned,
        Unreadable,
        Undecodable,
        Failed,
    }

    struct OpResult {
        status: OpStatus,
        message: String,
    }

    #[derive(Debug)]
    struct IndexEntry {
        found: bool,
        hash: [u8; 32],
        height: u32,
        version: i32,
        previous: [u8; 32],
        merkle_root: [u8; 32],
        time: u32,
        bits: u32,
        nonce: u32,
        median_time: i64,
        max_time: i64,
        chainwork: [u8; 32],
        n_tx: u32,
        chain_tx_count: u64,
        validity: u8,
        have_data: bool,
        have_undo: bool,
        failed: bool,
        active: bool,
        confirmations: u32,
        has_next: bool,
        next: [u8; 32],
    }

    struct TipEntry {
        height: u32,
        hash: [u8; 32],
        branch_length: u32,
        status: u8,
    }

    struct LockedEntry {
        used: u64,
        free: u64,
        total: u64,
        locked: u64,
        chunks_used: u64,
        chunks_free: u64,
    }

    struct InfoEntry {
        tip: IndexEntry,
        best_header: IndexEntry,
        verification_progress: f64,
        initial_block_download: bool,
        size_on_disk: u64,
        importing: bool,
        block_index_size: u64,
        prune_mode: bool,
        first_stored_height: u32,
        prune_target: u64,
        prune_manual: bool,
        have_pruned: bool,
        coins_db_cache: u64,
        coins_cache: u64,
    }

    struct DeploymentEntry {
        name: String,
        active: bool,
        has_height: bool,
        height: i64,
        signalled: bool,
        has_statistics: bool,
        bit: u32,
        start_time: i64,
        timeout: i64,
        min_activation_height: i64,
        status: String,
        since: i64,
        status_next: String,
        period: u32,
        threshold: u32,
        elapsed: u32,
        count: u32,
        possible: bool,
        signals: String,
    }

    struct DeploymentsEntry {
        found: bool,
        hash: [u8; 32],
        height: u32,
        deployments: Vec<DeploymentEntry>,
        script_flags: Vec<String>,
    }

    struct BlockRead {
        status: OpStatus,
        message: String,
        data: Vec<u8>,
    }

    struct BlockAt {
        index: IndexEntry,
        data: Vec<u8>,
    }

    struct CoinEntry {
        found: bool,
        value: i64,
        script: Vec<u8>,
        height: u32,
        in_mempool: bool,
        coinbase: bool,
    }

    struct UndoRead {
        status: OpStatus,
        message: String,
        /// Number of coins of each transaction but the coinbase.
        counts: Vec<u32>,
        coins: Vec<CoinEntry>,
    }

    struct SpentEntry {
        known: bool,
        value: i64,
        script: Vec<u8>,
    }

    struct OutPointEntry {
        txid: [u8; 32],
        vout: u32,
    }

    struct CoinStatsEntry {
        found: bool,
        interrupted: bool,
        height: u32,
        best_block: [u8; 32],
        transactions: u64,
        outputs: u64,
        bogosize: u64,
        disk_size: u64,
        hash: [u8; 32],
        has_total: bool,
        total: i64,
    }

    struct CursorCoin {
        outpoint: OutPointEntry,
        coin: CoinEntry,
    }

    struct VerdictEntry {
        /// 0 valid, 1 invalid, 2 failed.
        mode: u8,
        kind: u8,
        reason: String,
        debug: String,
    }

    struct ProcessEntry {
        status: OpStatus,
        message: String,
        new_block: bool,
        accepted: bool,
        checked: bool,
        verdict: VerdictEntry,
    }

    struct HeadersEntry {
        verdict: VerdictEntry,
        last: IndexEntry,
    }

    struct BlockSpot {
        hash: [u8; 32],
        height: u32,
    }

    #[derive(Debug)]
    enum HeadersOutcomeKind {
        BadWork,
        NotContinuous,
        Unconnected,
        LowWork,
        Rejected,
        Accepted,
    }

    struct PeerHeaders {
        outcome: HeadersOutcomeKind,
        verdict: VerdictEntry,
        /// What the first header builds on.
        start: IndexEntry,
        last: IndexEntry,
        new_header: bool,
        threshold: [u8; 32],
    }

    struct SyncParameters {
        commitment_period: u32,
        buffer_size: u32,
    }

    struct CheckedBlock {
        hash: [u8; 32],
        verdict: VerdictEntry,
    }

    struct PeerBlock {
        status: OpStatus,
        message: String,
        mutated: bool,
        new_block: bool,
        verdicts: Vec<CheckedBlock>,
    }

    struct DownloadRequest {
        best_known: [u8; 32],
        has_common: bool,
        common: [u8; 32],
        count: u32,
        window: u32,
        limited: bool,
        witness: bool,
        in_flight: Vec<Hash>,
    }

    struct DownloadPlan {
        has_common: bool,
        common: BlockSpot,
        blocks: Vec<BlockSpot>,
        window_full: bool,
        first_in_flight: OptionalHash,
    }

    struct DirectFetch {
        too_far: bool,
        blocks: Vec<BlockSpot>,
    }

    struct RelayEntry {
        txid: [u8; 32],
        wtxid: [u8; 32],
        fee: i64,
        vsize: i64,
    }

    struct TxBytes {
        data: Vec<u8>,
        /// Serialized with the witness marker where there is a witness (BIP144); otherwise never.
        witness: bool,
    }

    #[derive(Debug)]
    enum AcceptStatus {
        Accepted,
        InMempool,
        DifferentWitness,
        Rejected,
        Unfinished,
        Undecodable,
    }

    struct RejectionEntry {
        failed: bool,
        kind: u8,
        reason: String,
        debug: String,
    }

    struct AcceptEntry {
        status: AcceptStatus,
        rejection: RejectionEntry,
        vsize: i64,
        fee: i64,
        has_feerate: bool,
        feerate: i64,
        includes: Vec<Hash>,
        replaced: Vec<Hash>,
        other_wtxid: [u8; 32],
    }

    struct PackageEntry {
        has_rejection: bool,
        rejection: RejectionEntry,
        results: Vec<AcceptEntry>,
    }

    struct PoolEntry {
        txid: [u8; 32],
        wtxid: [u8; 32],
        vsize: i64,
        weight: i64,
        time: i64,
        height: u32,
        fee: i64,
        modified_fee: i64,
        ancestor_count: u64,
        ancestor_size: u64,
        ancestor_fees: i64,
        descendant_count: u64,
        descendant_size: u64,
        descendant_fees: i64,
        chunk_weight: i64,
        chunk_fee: i64,
        depends: Vec<Hash>,
        spent_by: Vec<Hash>,
        unbroadcast: bool,
        replaceable: bool,
    }

    struct PoolEntries {
        found: bool,
        entries: Vec<PoolEntry>,
    }

    struct PoolIds {
        txids: Vec<Hash>,
        sequence: u64,
    }

    struct PoolTx {
        found: bool,
        data: Vec<u8>,
        time: i64,
        fee: i64,
        fee_delta: i64,
    }

    struct AncestryEntry {
        found: bool,
        ancestors: u64,
        descendants: u64,
        cluster: u64,
    }

    struct PoolInfo {
        loaded: bool,
        size: u64,
        bytes: u64,
        usage: u64,
        total_fee: i64,
        max_usage: i64,
        min_fee: i64,
        min_relay_fee: i64,
        incremental_fee: i64,
        dust_fee: i64,
        unbroadcast: u64,
        require_standard: bool,
        permit_bare_multisig: bool,
        has_datacarrier: bool,
        max_datacarrier: u32,
        cluster_count: u32,
        cluster_size: i64,
        ancestor_count: i64,
        descendant_count: i64,
        optimal: bool,
        sequence: u64,
        transactions_updated: u32,
    }

    struct ChunkEntry {
        fee: i64,
        weight: i64,
        txids: Vec<Hash>,
    }

    struct DiagramPoint {
        weight: i64,
        fee: i64,
    }

    struct DeltaEntry {
        txid: [u8; 32],
        delta: i64,
        in_mempool: bool,
        modified_fee: i64,
    }

    struct TemplateRequest {
        use_mempool: bool,
        max_weight: u64,
        reserved_weight: u64,
        reserved_sigops: u64,
        min_feerate: i64,
    }

    struct TemplateTx {
        data: Vec<u8>,
        fee: i64,
        sigops: i64,
        weight: i64,
    }

    struct TemplateBit {
        name: String,
        bit: u32,
        optional: bool,
        state: u8,
    }

    struct TemplateEntry {
        previous: IndexEntry,
        height: u32,
        version: i32,
        time: u32,
        min_time: u32,
        bits: u32,
        subsidy: i64,
        segwit: bool,
        has_signet_challenge: bool,
        signet_challenge: Vec<u8>,
        deployments: Vec<TemplateBit>,
        transactions: Vec<TemplateTx>,
        chunk_feerates: Vec<i64>,
        fees: i64,
        weight: u64,
        sigops: u64,
    }

    extern "Rust" {
        type EventSink;

        fn wants_blocks(self: &EventSink) -> bool;
        fn wants_transactions(self: &EventSink) -> bool;
        fn block_passed(self: &EventSink);
        fn block_connected(self: &EventSink, index: &IndexEntry, block: &[u8]);
        fn block_disconnected(self: &EventSink, index: &IndexEntry, block: &[u8]);
        fn tip_updated(self: &EventSink, tip: &IndexEntry, fork: &OptionalHash, initial_download: bool);
        fn transaction_added(self: &EventSink, transaction: &[u8], sequence: u64);
        fn transaction_removed(self: &EventSink, transaction: &[u8], reason: u8, sequence: u64);
        fn transactions_mined(self: &EventSink, txids: &[Hash], height: u32);
        fn chain_state_flushed(self: &EventSink, locator: &[Hash]);
        fn block_checked(self: &EventSink, hash: &Hash, verdict: &VerdictEntry);
        fn block_tip(self: &EventSink, state: u8, tip: &IndexEntry, progress: f64);
        fn header_tip(self: &EventSink, state: u8, height: i64, time: i64, presync: bool);
        fn status(self: &EventSink, text: &[u8]);
        fn progress(self: &EventSink, title: &[u8], percent: i32, resume_possible: bool);
        fn warning_set(self: &EventSink, kind: u8, message: &[u8]);
        fn warning_unset(self: &EventSink, kind: u8);
        fn flush_error(self: &EventSink, message: &[u8]);
        fn fatal_error(self: &EventSink, message: &[u8]);
        fn stop_height_reached(self: &EventSink);

        fn log_line(line: &[u8]);
        fn copy_bytes(bytes: &[u8]) -> Vec<u8>;
    }

    unsafe extern "C++" {
        include!("enginebridge/bridge/engine.h");

        type Engine;
        type CoinCursor;
        type Rest;

        fn new_engine(options: &LoadOptions, sink: Box<EventSink>) -> Result<UniquePtr<Engine>>;
        fn load(self: &Engine) -> Result<LoadResult>;
        fn import_blocks(self: &Engine, files: &Vec<Bytes>) -> Result<()>;
        fn flush(self: &Engine) -> Result<()>;
        fn sync_events(self: &Engine) -> Result<()>;
        fn interrupt(self: &Engine);
        fn interrupted(self: &Engine) -> bool;
        fn stop(self: &Engine) -> Result<()>;

        fn at_rest(self: &Engine) -> Result<UniquePtr<Rest>>;
        fn latest_tip(self: &Engine) -> Result<OptionalHash>;
        fn tip(self: &Engine) -> Result<IndexEntry>;
        fn entry(self: &Engine, hash: &[u8; 32]) -> Result<IndexEntry>;
        fn entry_at(self: &Engine, height: u32) -> Result<IndexEntry>;
        fn entries(self: &Engine, start: u32, count: u32) -> Result<Vec<IndexEntry>>;
        fn hash_at(self: &Engine, height: u32) -> Result<OptionalHash>;
        fn ancestor(self: &Engine, hash: &[u8; 32], height: u32) -> Result<IndexEntry>;
        fn best_header(self: &Engine) -> Result<IndexEntry>;
        fn chain_tips(self: &Engine) -> Result<Vec<TipEntry>>;
        fn chain_info(self: &Engine) -> Result<InfoEntry>;
        fn initial_block_download(self: &Engine) -> Result<bool>;
        fn verification_progress(self: &Engine, hash: &[u8; 32]) -> Result<f64>;
        fn deployments(self: &Engine, of_tip: bool, hash: &[u8; 32]) -> Result<DeploymentsEntry>;
        fn locator(self: &Engine) -> Result<Vec<Hash>>;
        fn find_fork(self: &Engine, locator: &[Hash]) -> Result<IndexEntry>;
        fn find_first_block(self: &Engine, min_time: i64, min_height: u32) -> Result<IndexEntry>;
        fn has_blocks(self: &Engine, last: &[u8; 32], min_height: u32, max_height: i64) -> Result<bool>;

        fn read_block(self: &Engine, hash: &[u8; 32]) -> Result<BlockRead>;
        fn read_blocks(self: &Engine, start: u32, count: u32) -> Result<Vec<BlockAt>>;
        fn read_undo(self: &Engine, hash: &[u8; 32]) -> Result<UndoRead>;
        fn process_block(
            self: &Engine,
            block: &[u8],
            fill_witness: bool,
            force: bool,
            min_pow_checked: bool,
        ) -> Result<ProcessEntry>;
        fn process_headers(self: &Engine, headers: &[u8], min_pow_checked: bool) -> Result<HeadersEntry>;
        fn test_block_validity(
            self: &Engine,
            block: &[u8],
            check_pow: bool,
            check_merkle_root: bool,
        ) -> Result<VerdictEntry>;
        fn invalidate_block(self: &Engine, hash: &[u8; 32]) -> Result<OpResult>;
        fn reconsider_block(self: &Engine, hash: &[u8; 32]) -> Result<OpResult>;
        fn precious_block(self: &Engine, hash: &[u8; 32]) -> Result<OpResult>;
        fn prune_to(self: &Engine, height: u32) -> Result<OpResult>;

        fn coins(self: &Engine, outpoints: &[OutPointEntry], view: u8) -> Result<Vec<CoinEntry>>;
        fn coin_stats(self: &Engine, hash_type: u8) -> Result<CoinStatsEntry>;
        fn verify_chain(self: &Engine, level: i32, blocks: i32) -> Result<bool>;
        fn coin_cursor(self: &Engine) -> Result<UniquePtr<CoinCursor>>;
        fn best_block(self: &CoinCursor) -> Hash;
        fn next_coins(self: Pin<&mut CoinCursor>, most: u32) -> Result<Vec<CursorCoin>>;

        fn accept_transaction(self: &Engine, tx: &TxBytes, test_only: bool, time: i64) -> Result<AcceptEntry>;
        fn accept_package(self: &Engine, txs: &Vec<TxBytes>, test_only: bool, max_feerate: i64)
        -> Result<PackageEntry>;
        fn mempool_entries(self: &Engine) -> Result<Vec<PoolEntry>>;
        fn mempool_entry(self: &Engine, txid: &[u8; 32]) -> Result<PoolEntries>;
        fn mempool_relatives(self: &Engine, txid: &[u8; 32], descendants: bool) -> Result<PoolEntries>;
        fn mempool_ids(self: &Engine) -> Result<PoolIds>;
        fn mempool_transactions(self: &Engine) -> Result<Vec<PoolTx>>;
        fn mempool_transaction(self: &Engine, id: &[u8; 32], by_wtxid: bool) -> Result<PoolTx>;
        fn mempool_contains(self: &Engine, txid: &[u8; 32]) -> Result<bool>;
        fn mempool_ancestry(self: &Engine, txids: &[Hash]) -> Result<Vec<AncestryEntry>>;
        fn mempool_cluster(self: &Engine, txid: &[u8; 32]) -> Result<Vec<ChunkEntry>>;
        fn mempool_diagram(self: &Engine) -> Result<Vec<DiagramPoint>>;
        fn mempool_spenders(self: &Engine, outpoints: &[OutPointEntry]) -> Result<Vec<OptionalHash>>;
        fn mempool_info(self: &Engine) -> Result<PoolInfo>;
        fn prioritise(self: &Engine, txid: &[u8; 32], delta: i64) -> Result<()>;
        fn prioritisations(self: &Engine) -> Result<Vec<DeltaEntry>>;
        fn set_unbroadcast(self: &Engine, txid: &[u8; 32], unbroadcast: bool) -> Result<()>;
        fn unbroadcast(self: &Engine) -> Result<Vec<Hash>>;
        fn set_mempool_loaded(self: &Engine, loaded: bool) -> Result<()>;

        fn message_start(self: &Engine) -> Result<[u8; 4]>;
        fn minimum_chain_work(self: &Engine) -> Result<[u8; 32]>;
        fn block_interval(self: &Engine) -> Result<i64>;
        fn loading_blocks(self: &Engine) -> Result<bool>;
        fn activate_best_chain(self: &Engine) -> Result<()>;
        fn locator_of(self: &Engine, hash: &[u8; 32]) -> Result<Vec<Hash>>;
        fn may_serve_block(self: &Engine, hash: &[u8; 32]) -> Result<bool>;
        fn check_headers(self: &Engine, headers: &[u8]) -> Result<HeadersOutcomeKind>;
        fn permits_difficulty(self: &Engine, height: u32, old_bits: u32, new_bits: u32) -> Result<bool>;
        fn headers_sync_parameters(self: &Engine) -> Result<SyncParameters>;
        fn report_presync(self: &Engine, height: i64, time: i64) -> Result<()>;
        fn receive_headers(self: &Engine, headers: &[u8], work_known: bool) -> Result<PeerHeaders>;
        fn receive_block(self: &Engine, block: &[u8], requested: bool) -> Result<PeerBlock>;
        fn plan_download(self: &Engine, request: &DownloadRequest) -> Result<DownloadPlan>;
        fn plan_direct_fetch(
            self: &Engine,
            last: &[u8; 32],
            limit: u32,
            witness: bool,
            requested: &[Hash],
        ) -> Result<DirectFetch>;
        fn mempool_sequence(self: &Engine) -> Result<u64>;
        fn relay_order(self: &Engine, wtxids: &[Hash]) -> Result<Vec<RelayEntry>>;
        fn mempool_transaction_for_relay(self: &Engine, id: &[u8; 32], by_wtxid: bool, sequence: u64)
        -> Result<PoolTx>;

        fn block_template(self: &Engine, request: &TemplateRequest) -> Result<TemplateEntry>;
        fn next_work_required(self: &Engine, time: u32) -> Result<u32>;
        fn block_subsidy(self: &Engine, height: u32) -> Result<i64>;

        fn verify_input(tx: &[u8], input: u32, spent: &Vec<SpentEntry>) -> Result<String>;

        fn start_logging() -> Result<()>;
        fn set_log_category(name: &str, enabled: bool) -> Result<bool>;
        fn set_log_level(level: u8) -> Result<()>;
        fn set_log_category_level(name: &str, level: u8) -> Result<bool>;
        fn set_clock(time: i64) -> Result<()>;
        fn locked_memory() -> Result<LockedEntry>;
        fn malloc_state() -> Result<String>;
    }
}

// SAFETY: an `Engine` has no thread of its own that it must be used from: every member function takes the engine's
// locks for what it touches (`cs_main`, the mempool's), and its own fields are set before `load` returns and not
// changed until `stop`, which callers keep apart from other calls (`handle::Inner::shutdown`).
unsafe impl Send for Engine {}
// SAFETY: as above; all member functions are `const` and may run at the same time.
unsafe impl Sync for Engine {}
